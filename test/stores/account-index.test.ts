// The index of accounts in Redis, which lies in other slots than the accounts: what becomes of entries that
// no account has, of accounts that have no entries, and of writers that cross or die.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nameShard } from '../../src/stores/redis/people/claims/names.ts'
import t, { type Test } from 'tap'
import type { UniqueValue } from '../../src/stores/ports/directory.ts'
import { createAccountReader } from '../../src/stores/redis/people/account-reader.ts'
import { createRedisDirectory } from '../../src/stores/redis/people/directory.ts'
import {
  createAccountIndex,
  indexedOf,
} from '../../src/stores/redis/people/index/account-index.ts'
import {
  entriesOf,
  SHARDS,
  shardOf,
  textEntry,
  nameField,
} from '../../src/stores/redis/people/index/entries.ts'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { createRedisWorld, crossedAt } from '../support/redis-world.ts'
import { startRedis } from '../support/redis.ts'
import { everyOne, someAccount } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

const HOUR_MS = 3_600_000
const LIMIT = 1000

const server = await startRedis()
t.teardown(() => server.stop())

/** A directory of its own, and what lies behind it. */
function createWorld(t: Test) {
  const world = createRedisWorld(t, server.url)
  const { adapter, client, keys, directory } = world
  const reader = createAccountReader(adapter)
  const orders = ['created', 'texts'] as const
  return {
    ...world,
    reader,
    index: createAccountIndex(adapter, reader),
    names: async () =>
      (await directory.search({ prefix: '', limit: LIMIT })).map(({ text }) => text),
    subs: async () => (await directory.page({ limit: LIMIT })).map(({ sub }) => sub),
    /** What was written by an earlier release has no entries. */
    forget: (tag: string) =>
      client.del(...orders.map(order => keys.accounts(order, shardOf(tag)))),
    /** An entry that a dead writer has left. */
    leave: (tag: string, foldedName: string) =>
      client.zadd(
        keys.accounts('texts', shardOf(tag)),
        0,
        textEntry(nameField(foldedName), tag),
      ),
    async entries() {
      const found = await Promise.all(
        SHARDS.flatMap(shard =>
          orders.map(order => client.zrange(keys.accounts(order, shard), '0', '-1')),
        ),
      )
      return found.flat()
    },
    /** How often Redis has walked over a hash so far. */
    async walks() {
      const info = await client.info('commandstats')
      return Number(/cmdstat_hscan:calls=(\d+)/.exec(info)?.[1] ?? 0)
    },
  }
}

t.test('accounts that have no entries get them before a page is shown', async t => {
  const world = createWorld(t)
  const { directory, forget, names, subs, walks } = world
  const value: UniqueValue = { attribute: 'email', value: 'ann@example.com' }
  const old = Array.from({ length: 20 }, (_, place) =>
    someAccount(`old-${place}`, place === 0 ? { uniqueValues: [value] } : {}),
  )
  const everybody = old.map(({ sub }) => sub).toSorted()

  await t.test('from before the upgrade', async t => {
    for (const account of old) await directory.add(account)
    for (const { tag } of old) await forget(tag)
    t.same(await subs(), everybody)
    t.equal((await names()).length, old.length)
    t.match(await directory.search({ attribute: 'email', prefix: 'ann', limit: 1 }), [
      { text: value.value, account: { sub: 'old-0' } },
    ])
    const before = await walks()
    await subs()
    await names()
    t.equal(await walks(), before, 'later pages need no walk')
  })

  await t.test('added by an earlier release since', async t => {
    const late = someAccount('old-late')
    await directory.add(late)
    await forget(late.tag)
    t.same(await subs(), [...everybody, 'old-late'].toSorted())
  })

  await t.test('also where an entry is left that makes the sum right', async t => {
    const [first] = old
    await forget(String(first?.tag))
    for (let place = 0; place < old.length; place++) {
      await world.leave(`nobody-${place}`, `nobody ${place}`)
    }
    t.equal((await everyOne(directory.all())).length, old.length + 1)
  })
})

t.test('a name whose writer died costs one walk, not one a page', async t => {
  const { directory, client, keys, names, walks } = createWorld(t)
  await directory.add(someAccount('living'))
  await names()
  await client.hset(keys.namesIn(nameShard('dead')), 'dead', 'nobody 1')
  const before = await walks()
  await names()
  const once = await walks()
  t.ok(once > before)
  await names()
  t.equal(await walks(), once)
})

t.test('an entry that no account has is not shown, and goes', async t => {
  const world = createWorld(t)
  const { directory, names, entries, client, keys } = world
  const account = someAccount('living')
  await directory.add(account)
  await directory.settle()
  const own = await entries()
  await world.leave(account.tag, 'another name')
  await world.leave('nobody', 'name of nobody')
  await client.zadd(keys.accounts('created', shardOf('nobody')), 0, '00001nobody\0nobody')
  t.same(await names(), [account.foldedName])
  t.match(await directory.page({ limit: 1 }), [{ sub: 'living' }], 'and the page is full')
  t.same(await entries(), own)
})

t.test(
  'who was created at a damaged instant is listed again once it is repaired',
  async t => {
    const { directory, client, keys, subs, clock } = createWorld(t)
    const everybody = ['one', 'two', 'three']
    for (const sub of everybody) {
      clock.advance(1)
      await directory.add(someAccount(sub))
    }
    await directory.settle()
    const key = keys.user(someAccount('two').tag)
    const right = String(await client.hget(key, 'created'))
    for (const damaged of ['5', 'yesterday']) {
      await client.hset(key, 'created', damaged)
      await subs()
      await client.hset(key, 'created', right)
      // The look that meets the wrong entry puts the right one in its place.
      await subs()
      t.same(await subs(), everybody, damaged)
    }
  },
)

t.test('an entry that a dead writer has left hides nobody of the same name', async t => {
  const { directory, leave } = createWorld(t)
  const account = someAccount('living')
  await directory.add(account)
  await directory.settle()
  // Tags are base64url: this one comes before every other one.
  await leave('-', account.foldedName)
  const prefix = account.foldedName
  t.match(await directory.search({ prefix, limit: 1 }), [{ account: { sub: 'living' } }])
})

t.test('accounts of one shard are merged whole', async t => {
  const { directory, subs, names } = createWorld(t)
  const crowded = Array.from({ length: 4000 }, (_, place) => someAccount(`c-${place}`))
    .filter(({ tag }) => shardOf(tag) === shardOf(someAccount('c-0').tag))
    .slice(0, 25)
  t.equal(crowded.length, 25)
  for (const account of crowded) await directory.add(account)
  t.same(await subs(), crowded.map(({ sub }) => sub).toSorted())
  t.equal((await names()).length, 25)
  for (const limit of [1, 5, 20, 24, 25]) {
    t.equal((await directory.page({ limit })).length, limit)
  }
})

t.test('an entry that an account gets while it is taken away stays', async t => {
  const { adapter, directory, reader, entries } = createWorld(t)
  const account = someAccount('quick')
  await directory.add(account)
  const own = await entries()
  let looks = 0
  const index = createAccountIndex(adapter, {
    // It was written behind the first look.
    async read(tag) {
      looks += 1
      return looks === 1 ? undefined : reader.read(tag)
    },
  })
  const found = await reader.read(account.tag)
  if (found === undefined) throw new Error('no account')
  await index.tidy(account.tag, entriesOf(indexedOf(found)))
  t.same(await entries(), own)
})

t.test('a writer whose entries are taken away half-way writes them again', async t => {
  const { adapter, directory, names, forget, client, keys } = createWorld(t)
  await directory.add(someAccount('first'))
  await names()
  const account = someAccount('slow')
  const crossed = (number: number) =>
    createRedisDirectory(crossedAt(adapter, number, () => forget(account.tag)))
  t.equal(await crossed(2).add(account), 'added')
  t.same(await names(), ['name of first', 'name of slow'])
  const next = { tag: account.tag, name: 'New', foldedName: 'new' }
  t.equal(await crossed(2).rename(next), 'renamed')
  const uniqueValues = [{ attribute: 'email', value: 'a@example.com' }]
  const { tag } = account
  const change = { tag, attributes: {}, emailVerified: false, uniqueValues, version: 1 }
  t.same(await crossed(2).setAttributes(change), { kind: 'changed' })
  // Not by a walk: that is believed.
  t.equal(await client.pttl(keys.indexWalked).then(left => left > 0), true)
  t.same(await names(), ['name of first', 'new'])
  t.match(await directory.search({ attribute: 'email', prefix: '', limit: 2 }), [
    { text: 'a@example.com' },
  ])
})

t.test('a server looks again before a walk is no longer believed', async t => {
  const { directory, client, keys, walks } = createWorld(t)
  await directory.add(someAccount('anybody'))
  await directory.settle()
  const first = await walks()
  await directory.settle()
  t.equal(await walks(), first)
  await client.pexpire(keys.indexWalked, HOUR_MS / 2)
  await directory.settle()
  t.ok((await walks()) > first)
  t.ok((await client.pttl(keys.indexWalked)) > HOUR_MS)
})

t.test(
  'a page that a person looks at takes three commands in two round trips',
  async t => {
    const { adapter, directory } = createWorld(t)
    for (let count = 0; count < 100; count++) {
      await directory.add(someAccount(`trip-${count}`))
    }
    await directory.settle()
    const sent: string[] = []
    let [underWay, most, trips] = [0, 0, 0]
    const counted = createRedisDirectory({
      ...adapter,
      link: {
        ...adapter.link,
        async run(...call) {
          sent.push(String(call[0]))
          if (underWay === 0) trips += 1
          underWay += 1
          most = Math.max(most, underWay)
          try {
            return await adapter.link.run(...call)
          } finally {
            underWay -= 1
          }
        },
      },
    })
    t.equal((await counted.page({ limit: 50 })).length, 50)
    t.equal(sent.length, 3, 'one look at the index, and the accounts in two parts')
    t.equal(trips, 2)
    t.equal((await counted.search({ prefix: 'name of trip', limit: 50 })).length, 50)
    t.equal(sent.length, 6)
    t.equal(trips, 4)
    t.equal(await counted.count(), 100)
    t.equal(sent.length, 7)
    t.equal((await counted.page({ limit: 100 })).length, 100)
    t.equal(most, 2, 'of a long one no more at a time: others have their turn in between')
  },
)

t.test('a restore makes the index anew', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-index-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const store = await createRedisStore({
    ...PATIENT,
    url: server.url,
    prefix: 'restored:',
  })
  t.teardown(() => store.close())
  const { directory, backups, client } = store
  const index = () => client.keys('restored:*accounts:*')
  await directory.add(someAccount('kept'))
  await directory.page({ limit: 1 })
  t.equal((await index()).length, 3)
  await backups.save(join(dir, 'backup'))
  await directory.add(someAccount('later'))
  await backups.restore(join(dir, 'backup'), { replace: true })
  t.same(await index(), [])
  t.match(await directory.page({ limit: 9 }), [{ sub: 'kept' }])
})
