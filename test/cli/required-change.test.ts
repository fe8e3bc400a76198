// A password that must be changed, at the command line: shown by show, list and why, and ended by whatever
// sets another one.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { noteRequiredChange } from '../../src/users/required-change.ts'
import { commandLine } from '../support/command-line.ts'
import { someAccount } from '../support/stores.ts'

const PASSWORD = 'correct horse battery staple'
const IMPORTED = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWe'
const REQUIRED = { passwordChangeRequired: true }

t.test('a password that must be changed is shown so until it is', async t => {
  const { latchkey, withStore, directory: folder } = commandLine(t)
  await withStore(async ({ directory }) => {
    for (const name of ['ann', 'bob', 'eve']) {
      await directory.add(someAccount(name, { name, foldedName: name }))
      const account = await directory.byName(name)
      if (account !== undefined && name !== 'eve') {
        await noteRequiredChange(directory, account, true)
      }
    }
  })
  t.match((await latchkey('users show ann --json')).records, [REQUIRED])
  t.match((await latchkey('users show ann')).out, '  password must be changed\n')
  const listed = (await latchkey('users list --json')).records
  t.same(
    listed.map(({ passwordChangeRequired }) => passwordChangeRequired).toSorted(),
    [true, true, undefined],
    'of eve nothing is said',
  )
  t.match((await latchkey('users why ann --json')).records, [
    { state: 'enabled', ...REQUIRED, refusals: [] },
  ])
  const why = await latchkey('users why ann')
  t.match(
    why.out,
    /ann is enabled\nthe password was copied from a directory .* another one\n/,
  )
  t.notMatch((await latchkey('users why eve')).out, 'password')
  t.notHas((await latchkey('users why nobody --json')).records[0], REQUIRED)

  t.match(await latchkey('users passwd ann', PASSWORD), { code: 0 })
  const delta = join(folder, 'delta.jsonl')
  writeFileSync(delta, JSON.stringify({ name: 'bob', passwordHash: IMPORTED }))
  t.match(await latchkey(`users import ${delta} --update`), { code: 0 })
  for (const name of ['ann', 'bob']) {
    t.notMatch((await latchkey(`users show ${name} --json`)).out, 'passwordChange', name)
    t.notMatch((await latchkey(`users why ${name}`)).out, 'must be changed|another one')
  }
})
