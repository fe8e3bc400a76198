// What is Redis' own about status lists: bits that are set later, bits that a Redis has lost, what all of it
// costs.
import { Redis } from 'ioredis'
import t from 'tap'
import { hourOf, newListName } from '../../src/stores/ports/status-lists.ts'
import { createLink } from '../../src/stores/redis/connection/link.ts'
import { createRedisKeys } from '../../src/stores/redis/redis-keys.ts'
import { createRevocations } from '../../src/stores/redis/safety/revocations.ts'
import { loadScript, type Script } from '../../src/stores/redis/scripts.ts'
import { createStatusBits } from '../../src/stores/redis/sessions/status-bits.ts'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const TTL = 600_000

const server = await startRedis()
t.teardown(() => server.stop())
const thisHour = () => hourOf(Date.now())
const bitsOf = async ({ statusLists }: RedisStore, list: string) =>
  (await statusLists.read(new Map())).find(news => news.list === list)?.revoked

t.test(
  'bits that nobody will ask for again are set when the store takes them',
  async t => {
    const client = new Redis(server.url)
    const link = createLink({ ...PATIENT, client, verify: async () => {} })
    t.teardown(() => link.close())
    const store = await createRedisStore({ ...PATIENT, url: server.url })
    t.teardown(() => store.close())
    const list = newListName(thisHour())
    let [tries, refusals] = [0, 2]
    const durably = (name: string): Script => {
      const script = loadScript(link, name)
      return async (...call) => {
        tries += 1
        if (tries <= refusals) throw new Error('away')
        return script(...call)
      }
    }
    const options = {
      bare: link.bare,
      keys: createRedisKeys('lk:'),
      time: () => '',
      durably,
      revocations: createRevocations(),
      retryMs: 1,
    }

    await t.test('after some tries', async t => {
      createStatusBits(options).setEventually(`sid ${list} 7\nsid ${list} 8`)
      await until(async () => (await bitsOf(store, list))?.length === 2)
      t.equal(tries, 3)
    })

    await t.test('but not for ever, and no more once the store is closed', async t => {
      ;[tries, refusals] = [0, Infinity]
      createStatusBits({ ...options, tries: 3 }).setEventually(`sid ${list} 9`)
      await until(async () => tries === 4)
      const stopped = createStatusBits({ ...options, retryMs: 20 })
      stopped.setEventually(`sid ${list} 9`)
      await until(async () => tries === 5)
      stopped.stop()
      const late = createStatusBits(options)
      late.setEventually(`sid ${list} 9`)
      late.stop()
      await new Promise(resolve => setTimeout(resolve, 60))
      t.equal(tries, 6)
    })
  },
)

t.test('bits that Redis has lost are set again by who set them', async t => {
  const own = await startRedis()
  const store = await createRedisStore({ ...PATIENT, url: own.url, lossPeriodMs: 60_000 })
  t.teardown(async () => {
    await store.close()
    await own.stop()
  })
  await store.directory.add(someAccount('lost'))
  const { list, first } = await store.statusLists.lease(thisHour())
  const ref = await signIn(store, someAccount('lost').tag, {
    status: { list, idx: first, forMs: TTL },
  })
  await store.families.end({ ...ref, clientId: null })
  await store.accessTokens.revoke({
    ...ref,
    jti: 'a',
    expiresAt: Date.now() + TTL,
    status: { list, idx: first + 1 },
  })
  t.same(await bitsOf(store, list), [first, first + 1])
  await store.client.flushall()
  await until(async () => (await bitsOf(store, list))?.length === 2)
  t.same(store.condition().isLost, true, 'while all else is refused')
})

t.test('every key expires, and all of the lists are in one slot', async t => {
  const store = await createRedisStore({ ...PATIENT, url: server.url, prefix: 'scan:' })
  t.teardown(() => store.close())
  await store.directory.add(someAccount('scan'))
  const { list, first } = await store.statusLists.lease(thisHour())
  const ref = await signIn(store, someAccount('scan').tag, {
    status: { list, idx: first, forMs: TTL },
  })
  await store.families.rotate(
    presented(ref, 1, { status: { list, idx: first + 1, forMs: 2 * TTL } }),
  )
  await store.families.rotate(
    presented(ref, 2, { status: { list, idx: first + 2, forMs: TTL } }),
  )
  const live = `scan:{${ref.userTag}}:t`
  t.ok(
    (await store.client.pttl(live)) > 2 * TTL - 5000,
    'the last one to expire was noted before',
  )
  await store.families.end({ ...ref, clientId: null })
  const keys = (await store.client.keys('scan:*')).filter(
    key => key.includes('{status}') || key === live,
  )
  t.equal(keys.length, 5)
  for (const key of keys) t.ok((await store.client.pttl(key)) > 0, key)
  const hours = (await store.client.pttl(`scan:{status}:r:${list}`)) / 3_600_000
  t.ok(hours > 2 && hours <= 3, 'two hours after the last token of the list')
})

t.test("living tokens are counted apart from the family, and don't pile up", async t => {
  const store = await createRedisStore({ ...PATIENT, url: server.url })
  t.teardown(() => store.close())
  const account = someAccount('6f1f7a52-3f0c-4d6a-9a53-1f6f6a6a0002')
  await store.directory.add(account)
  const { list, first } = await store.statusLists.lease(thisHour())
  const ref = await signIn(store, account.tag, {
    sid: 'b'.repeat(22),
    status: { list, idx: first, forMs: 1000 },
  })
  const usage = async (key: string) => Number(await store.client.memory('USAGE', key))
  const [family, live] = [`lk:{${account.tag}}:f:${ref.sid}`, `lk:{${account.tag}}:t`]
  const young = { family: await usage(family), live: await usage(live) }
  t.ok(young.live <= 250, `${young.live} bytes for a user with one living token`)
  for (let generation = 1; generation <= 300; generation++) {
    await store.families.rotate(
      presented(ref, generation, { status: { list, idx: first + generation, forMs: 1 } }),
    )
    if (generation % 100 === 0) await new Promise(resolve => setTimeout(resolve, 2100))
  }
  t.equal(await usage(family), young.family)
  t.equal(
    await store.client.exists(live),
    0,
    'who holds no living token any more costs nothing',
  )
})
