// Reads of many accounts at once: in one step where a server has all keys, and as commands of their own where
// it hasn't.
import t from 'tap'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createdRange } from '../../src/stores/redis/people/index/entries.ts'
import { createLook } from '../../src/stores/redis/people/index/look.ts'
import { createReadTogether } from '../../src/stores/redis/people/index/reach.ts'
import { createRedisWorld } from '../support/redis-world.ts'
import { startRedis } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'

t.test('what stands before a cluster may look like one server', async t => {
  const node = await startRedis({ cluster: true })
  t.teardown(() => node.stop())
  const { directory } = createRedisWorld(t, `redis://127.0.0.1:${node.port}/0`)
  const names = Array.from({ length: 30 }, (_, each) => `proxied-${each}`)
  for (const name of names) await directory.add(someAccount(name))
  t.equal(await directory.count(), names.length)
  for (const how of ['asked in one step first', 'and then no more']) {
    const found = await directory.page({ limit: 1000 })
    t.strictSame(found.map(({ sub }) => sub).toSorted(), names.toSorted(), how)
  }
})

t.test('an account that is damaged is named, and nothing of it is said', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { directory, adapter } = createRedisWorld(t, redis.url)
  await directory.add(someAccount('ann'))
  const [ann] = await directory.page({ limit: 1 })
  const key = adapter.keys.user(ann?.tag ?? '')
  await adapter.link.client.hset(key, 'attributes', '{"phone":"+49 1')
  await t.rejects(directory.page({ limit: 1 }), {
    message: `the account in the key that ends in {${ann?.tag}}:u can't be read: put it back from a back-up`,
  })
})

t.test('what else goes wrong in one step is no reason to ask in another way', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { adapter } = createRedisWorld(t, redis.url)
  const read = createReadTogether(adapter.link)
  for (const fault of [
    new Error('something'),
    new StoreUnavailable(new Error('no connection'), 'away'),
    new StoreUnavailable(
      Object.assign(new Error('OOM memory'), { name: 'ReplyError' }),
      'full',
    ),
  ]) {
    const asked = read(
      () => Promise.reject(fault),
      async () => 'in another way',
    )
    await t.rejects(asked, fault)
  }
})

t.test(
  'where keys are on several servers, entries are read once nobody is missing',
  async t => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const { adapter, client, keys } = createRedisWorld(t, redis.url)
    const { link } = adapter
    const apart = {
      run: link.run,
      client: Object.create(client, { isCluster: { value: true } }),
    }
    const look = createLook(
      { ...adapter, link: { ...link, ...apart } },
      {
        async isWhole() {
          await client.ping()
          // Another server's walk ends.
          await client.zadd(keys.accounts('created', '07'), 0, 'somebody')
          return true
        },
      },
    )
    const range = { ...createdRange(undefined), before: Buffer.from('z') }
    const found = await look({ order: 'created', range, most: 5 })
    t.strictSame(found.shards.flat(), ['somebody'])
  },
)
