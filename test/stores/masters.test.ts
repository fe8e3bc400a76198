// A cluster of several masters: what belongs together lies apart, and is found all the same.
import t from 'tap'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { startMasters } from '../support/redis-cluster.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

t.test('accounts, names and unique values lie on every master', async t => {
  const cluster = await startMasters()
  t.teardown(() => cluster.stop())
  const store = await createRedisStore({ ...PATIENT, url: cluster.url })
  t.teardown(() => store.close())
  const accounts = Array.from({ length: 60 }, (_, index) =>
    someAccount(`spread-${index}`, {
      uniqueValues: [{ attribute: 'email', value: `${index}@example.com` }],
    }),
  )
  const added = await store.directory.addAll(accounts)
  t.equal(added.size, accounts.length)
  const counts = await cluster.keyCounts()
  t.equal(counts.length, 3)
  t.ok(
    counts.every(count => count > 20),
    `${counts}`,
  )
  t.equal((await store.directory.page({ limit: 100 })).length, accounts.length)
  t.match(await store.directory.byValue({ attribute: 'email', value: '7@example.com' }), {
    sub: 'spread-7',
  })
})
