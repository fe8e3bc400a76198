// Where the claims of names stand in Redis: in shards, or still in the one hash of earlier releases, from
// which they are carried over while servers go on.
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createAdapter } from '../../src/stores/redis/adapter.ts'
import { createLink } from '../../src/stores/redis/connection/link.ts'
import { createRedisDirectory } from '../../src/stores/redis/people/directory.ts'
import { nameShard } from '../../src/stores/redis/people/claims/names.ts'
import { createRedisKeys } from '../../src/stores/redis/redis-keys.ts'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { commandLine } from '../support/command-line.ts'
import { startRedis } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const HOUR = 3_600_000
const MANY = 1_200
const OLD = { written: 3 }
const keys = createRedisKeys('lk:')

const shardKey = (sub: string) => keys.namesIn(nameShard(someAccount(sub).foldedName))
const subOf = (index: number) => `old-${index}`

async function start(t: Test, cluster = false) {
  const redis = await startRedis({ cluster })
  t.teardown(() => redis.stop())
  const open = async () => {
    const store = await createRedisStore({
      ...PATIENT,
      url: redis.url,
      lossPeriodMs: HOUR,
    })
    t.teardown(() => store.close())
    return store
  }
  return { url: redis.url, open }
}

/** Makes of a store what a release of format 3 leaves: all claims in one hash, the mark of its format. */
async function makeOld({ client }: RedisStore): Promise<void> {
  const shards = Array.from({ length: 64 }, (_, shard) =>
    keys.namesIn(String(shard).padStart(2, '0')),
  )
  const claims = (await Promise.all(shards.map(key => client.hgetall(key)))).flatMap(
    found => Object.entries(found).flat(),
  )
  for (const key of [...shards, keys.names, keys.format]) await client.del(key)
  await client.hset(keys.names, ...claims)
  await client.hset(keys.format, 'written', OLD.written)
}

/** A store of that format with some accounts, opened anew. */
async function openOld(t: Test, { cluster = false, count = 3 } = {}) {
  const { open, url } = await start(t, cluster)
  const before = await open()
  const accounts = Array.from({ length: count }, (_, index) => someAccount(subOf(index)))
  // A busy machine answers no thousand at once.
  for (let at = 0; at < count; at += 100) {
    await before.directory.addAll(accounts.slice(at, at + 100))
  }
  await makeOld(before)
  await before.close()
  return { url, open, store: await open() }
}

/** What an operator is told of the store's form. */
async function formatRisks({ inspect }: RedisStore): Promise<string[]> {
  const risks = await inspect()
  return risks.filter(({ check }) => check === 'format').map(({ advice }) => advice)
}

for (const cluster of [false, true]) {
  const name = cluster ? 'Redis Cluster' : 'Redis'

  t.test(`${name}: a new store keeps names in shards from the first on`, async t => {
    const { open } = await start(t, cluster)
    const { client, directory } = await open()
    t.equal(await directory.add(someAccount('first')), 'added')
    t.equal(await client.type(keys.names), 'string')
    t.equal(await client.hlen(shardKey('first')), 1)
    t.same(await formatRisks(await open()), [], 'nothing to say')
  })

  t.test(`${name}: an old store is worked on as it is, until it is upgraded`, async t => {
    const { store, open } = await openOld(t, { cluster })
    const { client, directory } = store
    t.equal(await directory.add(someAccount('later')), 'added')
    t.equal(await client.hlen(keys.names), 4)
    t.equal((await directory.page({ limit: 9 })).length, 4)
    t.equal(await client.hget(keys.format, 'readableFrom'), null, 'others may go on')
    t.match(await formatRisks(store), [/lie in one key.*`latchkey store upgrade`/])
    const other = await open()
    t.equal(await other.upgrade(), 4)
    t.same(await formatRisks(store), [])
    t.equal(await client.exists(keys.leavingNames), 0)
    t.same(await client.hgetall(keys.format), { written: '4', readableFrom: '4' })
    // This one hasn't heard of it.
    t.equal(await directory.add(someAccount('later')), 'name_taken')
    t.match(await directory.byName(someAccount('old-1').foldedName), { sub: 'old-1' })
    t.equal(await directory.remove(someAccount('old-1').tag), true)
    t.equal(await directory.add(someAccount('old-1')), 'added')
    t.equal(await other.upgrade(), 0, 'nothing is left to do')
  })

  t.test(`${name}: while names leave, each is found, taken and free as ever`, async t => {
    const { store, open } = await openOld(t, { cluster, count: 4 })
    const { client, directory } = store
    await client.rename(keys.names, keys.leavingNames)
    await client.set(keys.names, 'moved')
    const server = await open()
    t.match(await formatRisks(server), [/half-way.*`latchkey store upgrade`/])
    t.match(await server.directory.byName(someAccount('old-0').foldedName), {
      sub: 'old-0',
    })
    t.equal(await client.hlen(keys.leavingNames), 3, 'that one has been carried over')
    t.equal(
      await directory.add({ ...someAccount('thief'), foldedName: 'name of old-1' }),
      'name_taken',
    )
    t.equal(await directory.remove(someAccount('old-2').tag), true)
    t.equal(await directory.byName('name of old-2'), undefined)
    t.equal((await server.directory.page({ limit: 9 })).length, 3)
    t.equal(await server.upgrade(), 1, 'what is left')
    t.match(await directory.byName('name of old-3'), { sub: 'old-3' })
    t.equal(await client.hexists(shardKey('old-3'), 'name of old-3'), 1)
  })
}

t.test('many names are carried over while accounts come and go', async t => {
  const { store, open, url } = await openOld(t, { count: MANY })
  const other = await open()
  const comeAndGo = Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const added = await store.directory.add(someAccount(`new-${index}`))
      const removed = await other.directory.remove(someAccount(subOf(index)).tag)
      return [added, removed]
    }),
  )
  const { latchkey, file } = commandLine(t)
  const env = { STORE: url, LATCHKEY_CONFIG: file }
  t.match(await latchkey('config check', '', { env }), {
    code: 0,
    out: /warning: the names of users.*`latchkey store upgrade`/,
  })
  const run = latchkey('store upgrade --json', '', { env })
  for (const outcome of await comeAndGo) t.same(outcome, ['added', true])
  const { code, records } = await run
  t.equal(code, 0)
  t.ok(Number(records[0]?.['carried']) > MANY / 2, 'it was this store')
  t.equal(await store.client.exists(keys.leavingNames), 0)
  for (let index = 0; index < MANY; index++) {
    const found = await store.directory.byName(someAccount(subOf(index)).foldedName)
    if ((found === undefined) !== index < 50) t.fail(`account ${index}`)
  }
})

t.test('an upgrade that died goes on where it was', async t => {
  const { store, open } = await openOld(t, { count: MANY })
  const dying = await open()
  const upgrade = dying.upgrade()
  await until(async () => (await store.client.exists(keys.leavingNames)) === 1)
  await dying.close()
  await t.rejects(upgrade)
  const left = await store.client.hlen(keys.leavingNames)
  t.ok(left > 0, `${left} were left`)
  // A step that the other one has sent may still be on its way to Redis.
  const carried = await store.upgrade()
  t.ok(carried > 0 && carried <= left, `${carried} were carried`)
  t.equal(await store.client.exists(keys.leavingNames), 0, 'none is left')
})

t.test('a server of the release before answers 503 from then on', async t => {
  const { store } = await openOld(t)
  await store.upgrade()
  // What it sends.
  await t.rejects(store.client.hget(keys.names, 'anybody'), /WRONGTYPE/)
})

t.test('a store that has lost its data goes on with shards', async t => {
  const { open } = await start(t)
  const store = await open()
  const { client } = store
  // A server of an earlier release may be the first to mark what is left.
  for (const written of [undefined, OLD.written]) {
    const step = client.multi().flushall()
    if (written !== undefined) step.hset(keys.format, 'written', written)
    await step.exec()
    await until(async () => (await client.type(keys.names)) === 'string')
    t.match(await client.hgetall(keys.format), { readableFrom: '4' })
  }
})

t.test('what comes back of before an upgrade is carried over', async t => {
  const { store, open } = await openOld(t)
  const { client } = store
  await store.upgrade()
  await client.hset(keys.leavingNames, 'half', 'nobody 1')
  await client.del(keys.names)
  await client.hset(keys.names, 'back', 'nobody 2')
  const again = await open()
  t.equal(await again.upgrade(), 2)
  t.equal(await client.hget(keys.namesIn(nameShard('back')), 'back'), 'nobody 2')
  t.equal(await client.hget(keys.namesIn(nameShard('half')), 'half'), 'nobody 1')
})

t.test("another program's key is left alone", async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url)
  const link = createLink({ ...PATIENT, client, verify: async () => {} })
  t.teardown(() => link.close())
  await client.lpush(keys.names, 'theirs')
  const adapter = createAdapter({ link, keys, time: () => '' })
  const directory = createRedisDirectory(adapter)
  await t.rejects(directory.byName('anybody'), /WRONGTYPE at .*does another program/)
  const other = async () => Promise.reject(new Error('another fault'))
  await t.rejects(adapter.names.at('anybody', other), /another fault/)
  t.equal(await client.llen(keys.names), 1)
})
