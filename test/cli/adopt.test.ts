// `latchkey users adopt`: a user of a directory elsewhere becomes one of ours.
import t from 'tap'
import { commandLine } from '../support/command-line.ts'
import { someAccount } from '../support/stores.ts'

t.test('a user of a directory elsewhere is kept here, and nobody else', async t => {
  const { latchkey, withStore } = commandLine(t)
  await withStore(async ({ directory }) => {
    const external = { directory: 'crm', id: '17' }
    await directory.add(someAccount('ann', { name: 'ann', foldedName: 'ann', external }))
    await directory.add(someAccount('bob', { name: 'bob', foldedName: 'bob' }))
  })
  const owned = await latchkey('users rename ann anna')
  t.equal(owned.code, 1)
  t.match(owned.err, /ann is the user of a directory elsewhere; .*adopt it first/)
  const ours = await latchkey('users adopt bob')
  t.equal(ours.code, 1)
  t.match(ours.err, /not of directory: bob/)
  t.match(await latchkey('users adopt nobody'), { code: 1 })
  const adopted = await latchkey('users adopt ann')
  t.equal(adopted.code, 0, adopted.err)
  t.match(adopted.out, /ann is an account of this server now/)
  t.match(adopted.err + adopted.out, /"change":"adopted","actor":"cli:/)
  t.equal((await latchkey('users rename ann anna')).code, 0, 'and may be changed')
})
