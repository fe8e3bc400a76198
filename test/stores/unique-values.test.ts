// Unique values in Redis, where the value and its account lie in different slots: what becomes of writers
// that are slow, die, or lose against another one half-way.
import { nameShard } from '../../src/stores/redis/people/claims/names.ts'
import t, { type Test } from 'tap'
import type { AttributesChange, UniqueValue } from '../../src/stores/ports/directory.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createRedisDirectory } from '../../src/stores/redis/people/directory.ts'
import {
  claimPlace,
  createUniqueValues,
} from '../../src/stores/redis/people/claims/unique-values.ts'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { createRedisWorld, crossedAt } from '../support/redis-world.ts'
import { startRedis } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

/** A claim whose account is still missing after so long may be taken over. */
const OVERDUE_MS = 10_000

const server = await startRedis()
t.teardown(() => server.stop())

const VALUE: UniqueValue = { attribute: 'email', value: 'ann@example.com' }
const TAKEN = { kind: 'value_taken', attribute: 'email' }

/** A directory of its own, and one in whose writes something comes between. */
function createWorld(t: Test) {
  const world = createRedisWorld(t, server.url)
  const { adapter, client, clock, keys } = world
  const { shard, field } = claimPlace(VALUE)
  const key = keys.values(shard)
  return {
    ...world,
    claim: (owner: string, at = clock()) => client.hset(key, field, `${owner} ${at}`),
    claimant: async () => (await client.hget(key, field))?.split(' ', 1)[0],
    /** `come` comes just before the durable script of that number. */
    interrupted: (number: number, come: () => unknown) =>
      createRedisDirectory(crossedAt(adapter, number, come)),
  }
}

function withValue(tag: string): AttributesChange {
  return {
    tag,
    attributes: { email: VALUE.value },
    emailVerified: true,
    uniqueValues: [VALUE],
    version: 0,
  }
}

t.test('a claim whose writer died is taken over, and finds nobody before', async t => {
  const { directory, claim, clock } = createWorld(t)
  const account = someAccount('heir')
  await directory.add(account)
  await claim('dead')
  t.equal(await directory.byValue(VALUE), undefined, 'a claim alone is nobody')
  t.same(await directory.setAttributes(withValue(account.tag)), TAKEN)
  clock.advance(OVERDUE_MS)
  t.same(await directory.setAttributes(withValue(account.tag)), { kind: 'changed' })
  t.match(await directory.byValue(VALUE), { sub: 'heir' })
  clock.advance(OVERDUE_MS)
  t.same(
    await directory.add(someAccount('late', { uniqueValues: [VALUE] })),
    TAKEN,
    'what an account has is its own at any age',
  )
})

t.test('who was too slow with a new account is not added', async t => {
  const { directory, interrupted, claim, claimant } = createWorld(t)
  // Name, value, account, and then the value again.
  const slow = interrupted(4, () => claim('thief'))
  const account = someAccount('slow', { uniqueValues: [VALUE] })
  t.same(await slow.add(account), TAKEN)
  t.equal(await directory.byName(account.foldedName), undefined)
  t.equal(await directory.byValue(VALUE), undefined)
  t.equal(await claimant(), 'thief', 'whose claim stays')
  t.equal(await directory.add(someAccount('slow')), 'added', 'the name is free')
})

t.test('who was too slow with a change has what was before', async t => {
  const { directory, interrupted, claim } = createWorld(t)
  const before = { attribute: 'email', value: 'before@example.com' }
  const account = someAccount('slow', {
    attributes: { email: before.value, tenant: 'a' },
    emailVerified: true,
    uniqueValues: [before],
  })
  await directory.add(account)
  // The claim, the account, and then the claim again.
  const slow = interrupted(3, () => claim('thief'))
  t.same(await slow.setAttributes(withValue(account.tag)), TAKEN)
  const { attributes, emailVerified } = account
  t.match(await directory.byValue(before), { attributes, emailVerified })
  t.equal(await directory.byValue(VALUE), undefined)
})

t.test('a value is given up when its account goes while it is written', async t => {
  const { directory, interrupted, client, keys, claimant } = createWorld(t)
  const account = someAccount('going')
  await directory.add(account)
  const slow = interrupted(2, () => client.del(keys.user(account.tag)))
  t.same(await slow.setAttributes(withValue(account.tag)), { kind: 'user_unknown' })
  t.equal(await claimant(), undefined)
})

t.test('who was too slow with a whole change has what was before', async t => {
  const { directory, interrupted, claim, client, keys } = createWorld(t)
  const account = someAccount('whole', { roles: ['reader'], attributes: { tenant: 'a' } })
  await directory.add(account)
  const change = {
    ...withValue(account.tag),
    name: 'Other',
    foldedName: 'other',
    roles: ['writer'],
    disabled: true,
    passwordHash: '$argon2id$other',
    scopes: ['a'],
    endsSessions: true,
  }
  // The claims of the value and of the name, the account, and then the claims again.
  const slow = interrupted(4, () => claim('thief'))
  t.same(await slow.change(change), TAKEN)
  const { name, roles, disabled, passwordHash, scopes, attributes } = account
  const found = await directory.byTag(account.tag)
  t.match(found, { name, roles, disabled, passwordHash, scopes, attributes, version: 2 })
  t.equal(await directory.byName('other'), undefined)
  await claim('nobody', 0)
  const going = interrupted(3, () => client.del(keys.user(account.tag)))
  t.same(await going.change({ ...change, version: 2 }), { kind: 'user_unknown' })
})

t.test('a claim that was lost comes back with the next change', async t => {
  const { directory, client, keys } = createWorld(t)
  const account = someAccount('healed', { uniqueValues: [VALUE] })
  await directory.add(account)
  await client.del(keys.values(claimPlace(VALUE).shard))
  t.equal(await directory.byValue(VALUE), undefined)
  t.same(await directory.setAttributes(withValue(account.tag)), { kind: 'changed' })
  t.match(await directory.byValue(VALUE), { sub: 'healed' })
})

t.test('what an account has is not claimed again, unless that is lost', async t => {
  const { directory, client, keys, claim } = createWorld(t)
  const account = someAccount('kept', { uniqueValues: [VALUE] })
  await directory.add(account)
  const { shard, field } = claimPlace(VALUE)
  const claimed = await client.hget(keys.values(shard), field)
  const change = withValue(account.tag)
  t.same(await directory.setAttributes(change), { kind: 'changed' })
  t.equal(await client.hget(keys.values(shard), field), claimed)
  await claim('thief')
  t.same(await directory.setAttributes({ ...change, version: 1 }), TAKEN)
  t.match(await directory.byTag(account.tag), { version: 1 }, 'nothing was written')
})

t.test('a claim whose answer is lost is given up', async t => {
  const { adapter, client, keys, directory, claimant } = createWorld(t)
  const account = someAccount('unheard')
  await directory.add(account)
  const deaf = createRedisDirectory({
    ...adapter,
    durably(name) {
      const script = adapter.durably(name)
      if (name !== 'people/claim') return script
      return async (keys, args) => {
        await script(keys, args)
        throw new StoreUnavailable(undefined, 'no answer came')
      }
    },
  })
  await t.rejects(deaf.setAttributes(withValue(account.tag)), StoreUnavailable)
  t.equal(await claimant(), undefined)
  const newcomer = someAccount('newcomer')
  await t.rejects(deaf.add(newcomer), StoreUnavailable)
  t.equal(
    await client.hget(keys.namesIn(nameShard(newcomer.foldedName)), newcomer.foldedName),
    null,
    'so is a name',
  )
  t.same(await directory.setAttributes(withValue(account.tag)), { kind: 'changed' })
})

t.test('a claim that no replica has is given up', async t => {
  const replica = await startRedis({ args: ['--replicaof', `127.0.0.1 ${server.port}`] })
  t.teardown(() => replica.stop())
  // Asks no replica: on a busy machine it may be late.
  const before = await createRedisStore({ ...PATIENT, url: server.url, prefix: 'r:' })
  t.teardown(() => before.close())
  const account = someAccount('durable')
  t.equal(await before.directory.add(account), 'added')
  const store = await createRedisStore({
    ...PATIENT,
    url: server.url,
    prefix: 'r:',
    replicas: 1,
  })
  t.teardown(() => store.close())
  await until(async () => {
    await store.client.set('in step', 1)
    return (await store.client.wait(1, 100)) === 1
  })
  process.kill(replica.pid, 'SIGSTOP')
  t.teardown(() => process.kill(replica.pid, 'SIGCONT'))
  await t.rejects(store.directory.setAttributes(withValue(account.tag)), {
    name: 'StoreUnavailable',
  })
  const { shard, field } = claimPlace(VALUE)
  t.equal(await store.client.hget(`r:values:${shard}`, field), null)
  t.match(await store.directory.byName(account.foldedName), { version: 0 })
})

t.test('many values are spread over many keys', async t => {
  const { directory, client, keys } = createWorld(t)
  const uniqueValues = Array.from({ length: 100 }, (_, index) => ({
    attribute: 'email',
    value: `${index}@example.com`,
  }))
  await directory.add(someAccount('rich', { uniqueValues }))
  const found = await client.keys(keys.values('*'))
  t.ok(found.length > 50, `${found.length} keys`)
})

t.test(
  'a value that is given up while its account claims it anew stays claimed',
  async t => {
    const { adapter, claim, claimant } = createWorld(t)
    await claim('ann', 1)
    const values = createUniqueValues(adapter, {
      // Between the look at the account and the release it takes the value again.
      async read() {
        await claim('ann', 2)
        return undefined
      },
    })
    await values.giveUp('ann', [VALUE])
    t.equal(await claimant(), 'ann')
    await createUniqueValues(adapter, { read: async () => undefined }).giveUp('ann', [
      VALUE,
    ])
    t.equal(await claimant(), undefined, 'what nobody wants back is free')
  },
)

t.test('a name whose writer died blocks no value, but one who writes does', async t => {
  const { directory, client, keys, clock } = createWorld(t)
  const account = someAccount('addressed')
  await directory.add(account)
  const text = VALUE.value
  const shard = keys.namesIn(nameShard(text))
  await client.hset(shard, text, `dead ${clock()}`)
  const change = {
    ...withValue(account.tag),
    logins: { ofName: [], ofValues: [{ ...VALUE, foldedName: text }] },
  }
  t.same(await directory.setAttributes(change), TAKEN)
  clock.advance(OVERDUE_MS)
  t.same(await directory.setAttributes(change), { kind: 'changed' })
})

t.test('who was slow and finds their text at another account takes it back', async t => {
  const { directory, client, keys, clock, interrupted } = createWorld(t)
  const [account, rival] = [someAccount('slow'), someAccount('rival')]
  await directory.add(account)
  await directory.add(rival)
  const { attributes } = account
  const text = VALUE.value
  const logins = { ofName: [], ofValues: [{ ...VALUE, foldedName: text }] }
  // Between the look at the name and the write of the record: somebody has got it, and has looked, too.
  const slow = interrupted(2, () => {
    client.hset(keys.namesIn(nameShard(text)), text, `${rival.tag} ${clock()}`)
    client.hset(keys.user(rival.tag), 'folded', text)
  })
  t.same(await slow.setAttributes({ ...withValue(account.tag), logins }), TAKEN)
  t.match(await directory.byTag(account.tag), { attributes, version: 2 })
  t.equal(await directory.byValue(VALUE), undefined)
  t.match(await directory.byName(text), { sub: 'rival' })
})
