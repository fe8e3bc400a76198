// `latchkey users keep`: an account that its user has deleted, while it is not erased yet.
import t from 'tap'
import { commandLine } from '../support/command-line.ts'
import { someAccount } from '../support/stores.ts'

t.test('an account that its user has deleted is shown so, and kept', async t => {
  const { latchkey, withStore } = commandLine(t)
  const deleteAt = Date.UTC(2026, 11, 24)
  const deletesAt = '2026-12-24T00:00:00.000Z'
  await withStore(async ({ directory }) => {
    const ann = { name: 'ann', foldedName: 'ann', pending: { deleteAt } }
    const bob = { name: 'bob', foldedName: 'bob' }
    const pending = { deleteAt, email: 'next@example.com' }
    await directory.add(someAccount('ann', ann))
    await directory.add(someAccount('bob', { ...bob, pending }))
    await directory.add(someAccount('eve', { name: 'eve', foldedName: 'eve' }))
  })
  t.match((await latchkey('users show ann --json')).records, [{ deletesAt }])
  t.match(
    (await latchkey('users show ann')).out,
    `deleted by its user, erased at ${deletesAt}`,
  )
  for (const name of ['ann', 'bob']) {
    const kept = await latchkey(`users keep ${name}`)
    t.equal(kept.code, 0, kept.err)
    t.match(kept.out, `${name} is kept; its sessions stay ended`)
    t.match(kept.err, /"change":"deletion_cancelled","actor":"cli:/)
    t.notMatch((await latchkey(`users show ${name} --json`)).out, 'deletesAt')
  }
  await withStore(async ({ directory }) => {
    const bob = await directory.byName('bob')
    t.same(bob?.pending, { email: 'next@example.com' }, 'what else waits goes on')
  })
  t.match(await latchkey('users keep eve'), { code: 1, err: /not deleted: eve/ })
  t.match(await latchkey('users keep nobody'), { code: 1, err: /not deleted: nobody/ })
})
