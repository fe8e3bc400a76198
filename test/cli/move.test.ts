// latchkey users move: from the store to PostgreSQL.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commandLine, SECRET } from '../support/command-line.ts'
import { startPglite } from '../support/pglite.ts'
import { someAccount } from '../support/stores.ts'

t.test('says what it would do, does it, and is done', async t => {
  const { latchkey, directory, storeUrl, withStore } = commandLine(t)
  await withStore(async store => {
    await store.directory.addAll(['ann', 'bob'].map(sub => someAccount(sub)))
  })
  const database = await startPglite()
  t.teardown(() => database.stop())
  const file = join(directory, 'moved.yaml')
  const store = { url: storeUrl, accounts: { url: database.server.url, connections: 1 } }
  writeFileSync(
    file,
    JSON.stringify({ issuer: 'https://id.example.com', store, secrets: [SECRET] }),
  )
  const env = { LATCHKEY_CONFIG: file }
  const run = (line: string) => latchkey(`users move ${line}`, '', { env })
  t.match(await run('--to postgres --dry-run'), {
    code: 0,
    out: '2 accounts would be moved\n',
  })
  t.match(await run('--to postgres --dry-run --json'), {
    records: [{ outcome: 'would_be_moved', accounts: 2 }],
  })
  t.match(await run('--to mars'), { code: 1, err: /--to: expected postgres/ })
  t.match(await latchkey('users move --to postgres'), {
    code: 1,
    err: /store\.accounts: expected the PostgreSQL/,
  })
  t.match(await run('--to postgres'), {
    code: 0,
    out: 'moved to PostgreSQL: 2 accounts\n',
    err: /"type":"users\.moved","to":"postgres","accounts":2,"actor"/,
  })
  for (const again of ['--to postgres --dry-run', '--to postgres']) {
    t.match(await run(again), {
      code: 0,
      out: 'all accounts are in PostgreSQL already\n',
      err: '',
    })
  }
  t.match(await latchkey('users list --json', '', { env }), {
    records: [{ sub: 'ann' }, { sub: 'bob' }],
  })
  t.match(await latchkey('users list'), {
    code: 1,
    err: /have been moved to PostgreSQL: name it in store\.accounts/,
  })
})
