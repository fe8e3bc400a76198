// What a newer release has put into Redis, and this one doesn't know, is still there when this one has
// written.
import t from 'tap'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'

t.test('fields of a newer release outlive every change by this one', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const store = await createRedisStore({ url: redis.url })
  t.teardown(() => store.close())
  const account = someAccount('kept')
  await store.users.add(account)
  const ref = await signIn(store, account.tag)
  const [family, user] = [`lk:{${ref.userTag}}:f:${ref.sid}`, `lk:{${ref.userTag}}:u`]
  await store.client.append(family, 'of a newer release')
  await store.client.hset(user, 'mail', 'kept')
  const tail = async () => (await store.client.getrange(family, -18, -1)).toString()

  t.match(await store.families.rotate(presented(ref, 1)), { kind: 'rotated' })
  t.equal(await tail(), 'of a newer release', 'an exchange')
  await store.users.setAccess(account.tag, { scopes: null, roles: ['a'] })
  t.equal(await store.client.hget(user, 'mail'), 'kept', 'a change of an account')
  t.equal(await store.families.end({ ...ref, clientId: null }), 'ended')
  t.equal(await tail(), 'of a newer release', 'an end')
})
