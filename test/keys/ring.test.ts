import { createPublicKey, sign, verify } from 'node:crypto'
import t from 'tap'
import type { Event } from '../../src/events.ts'
import { createKeyRing } from '../../src/keys/ring.ts'
import { StoreUnavailable, type Keys } from '../../src/stores/ports.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createHandClock } from '../support/clock.ts'

const DAY = 86_400_000
const SECRET = Buffer.alloc(32, 1).toString('base64url')
const OTHER = Buffer.alloc(32, 2).toString('base64url')
const spans = { rotateEveryMs: 90 * DAY, publishAheadMs: 7 * DAY, accessTtlMs: 600_000 }
type Tap = Pick<typeof t, 'teardown'>

/** A store, and servers on it. The clock of a server runs apart from the store's. */
function setUp (t: Tap) {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  const events: Event[] = []
  const monotonic = createHandClock(5_000)
  const server = ({ secrets = [SECRET], algorithm = 'ES256', keys = store.keys }: { secrets?: string[], algorithm?: string, keys?: Keys } = {}) =>
    createKeyRing({ keys, secrets, now: store.now, policy: () => ({ ...spans, algorithm }), emit: event => events.push(event), monotonic })
  const pass = (ms: number) => { clock.advance(ms); monotonic.advance(ms) }
  return { clock, monotonic, pass, store, events, server }
}

const states = (ring: ReturnType<typeof createKeyRing>) => ring.describe().map(({ state }) => state)

t.test('a ring signs after its first load, not before', async t => {
  const { server, events } = setUp(t)
  const ring = server()
  t.throws(() => ring.signingKey(), /not loaded/)
  t.throws(() => ring.published(), /not loaded/)
  await ring.load()
  const { kid, alg, privateKey } = ring.signingKey()
  t.equal(alg, 'ES256')
  const data = Buffer.from('data')
  const verification = ring.verificationKey(kid)
  t.equal(verification?.alg, 'ES256')
  t.ok(verify('sha256', data, verification?.publicKey ?? '', sign('sha256', data, privateKey)))
  t.equal(ring.verificationKey('unknown'), undefined)
  t.same(states(ring), ['active', 'next'])
  t.same(events, [{ type: 'keys.changed', kids: ring.describe().map(({ kid }) => kid) }])
})

t.test('what is published is public, and says what it is for', async t => {
  for (const [algorithm, members] of [['ES256', ['crv', 'kty', 'x', 'y']], ['EdDSA', ['crv', 'kty', 'x']], ['PS256', ['e', 'kty', 'n']]] as const) {
    const { server } = setUp(t)
    const ring = server({ algorithm })
    await ring.load()
    t.equal(ring.published().length, 2)
    for (const jwk of ring.published()) {
      t.same(Object.keys(jwk), [...members, 'kid', 'use', 'alg'])
      t.match(jwk, { use: 'sig', alg: algorithm })
      t.equal(createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' }), ring.verificationKey(String(jwk['kid']))?.publicKey)
    }
  }
})

t.test('the store holds no private key that could be read', async t => {
  const { server, store } = setUp(t)
  const ring = server()
  await ring.load()
  const stored = JSON.stringify(await store.keys.load())
  t.notMatch(stored, /PRIVATE|"d"/)
  const body = ring.signingKey().privateKey.split('\n')[1] ?? ''
  t.notOk(stored.includes(body))
})

t.test('servers that start at once agree on one ring', async t => {
  const { server, events } = setUp(t)
  const rings = Array.from({ length: 5 }, () => server())
  await Promise.all(rings.map(ring => ring.load()))
  t.equal(new Set(rings.map(ring => ring.signingKey().kid)).size, 1)
  t.equal(events.length, 1)
})

t.test('all servers change to the next key at the same instant, without the store', async t => {
  const { server, pass } = setUp(t)
  const [one, two] = [server(), server()]
  await one.load()
  pass(1_000)
  await two.load()
  const [first, second] = one.describe()
  pass(90 * DAY - 1_001)
  t.same([one, two].map(ring => ring.signingKey().kid), [first?.kid, first?.kid])
  pass(1)
  t.same([one, two].map(ring => ring.signingKey().kid), [second?.kid, second?.kid])
  t.same(states(one), ['retiring', 'active'])
  await one.load()
  t.same(states(one), ['retiring', 'active', 'next'])
  pass(600_000 + 300_000)
  t.equal(one.verificationKey(first?.kid ?? ''), undefined)
  t.equal(one.published().length, 2)
})

t.test('the time of the ring is the store\'s', async t => {
  const { server, clock, monotonic } = setUp(t)
  const ring = server()
  await ring.load()
  const [first, second] = ring.describe()
  clock.advance(90 * DAY)
  t.equal(ring.signingKey().kid, first?.kid, 'as of the last load')
  await ring.load()
  t.equal(ring.signingKey().kid, second?.kid)
  monotonic.advance(90 * DAY)
  t.same(states(ring), ['retiring', 'active'], 'and moves on by the clock of the process')
  t.equal(ring.describe()[0]?.kid, second?.kid)
})

t.test('a server that is cut off goes on signing with what it has', async t => {
  const { server, pass } = setUp(t)
  const ring = server()
  await ring.load()
  const [, second] = ring.describe()
  pass(1000 * DAY)
  t.equal(ring.signingKey().kid, second?.kid)
  t.same(ring.published().map(({ kid }) => kid), [second?.kid])
  t.ok(ring.verificationKey(second?.kid ?? ''))
})

t.test('without a clock of its own a ring takes the process\'s', async t => {
  const { store } = setUp(t)
  const ring = createKeyRing({ keys: store.keys, secrets: [SECRET], now: store.now, policy: () => ({ ...spans, algorithm: 'EdDSA' }), emit: () => {} })
  await ring.load()
  t.equal(ring.signingKey().alg, 'EdDSA')
})

t.test('a rotation by hand lets the next key sign, and other servers follow', async t => {
  const { server, events, pass } = setUp(t)
  const [one, two] = [server(), server()]
  await one.load()
  await two.load()
  pass(DAY)
  const [first, second] = one.describe()
  t.same(await one.rotateNow(), { kind: 'done', kid: second?.kid })
  t.equal(one.signingKey().kid, second?.kid)
  t.same(states(one), ['retiring', 'active', 'next'])
  t.ok(one.verificationKey(first?.kid ?? ''), 'its tokens live on')
  t.ok(two.verificationKey(second?.kid ?? ''), 'the others know the key already')
  await two.load()
  t.equal(two.signingKey().kid, second?.kid)
  t.equal(events.length, 2)
})

t.test('a retired key is gone at once', async t => {
  const { server, events } = setUp(t)
  const ring = server()
  await ring.load()
  const [first, second] = ring.describe()
  t.same(await ring.retire('unknown'), { kind: 'refused', reason: 'key_unknown' })
  t.equal(events.length, 1)
  t.same(await ring.retire(first?.kid ?? ''), { kind: 'done', kid: second?.kid })
  t.equal(ring.verificationKey(first?.kid ?? ''), undefined)
  t.same(states(ring), ['active', 'next'])
  t.same(await ring.retire(first?.kid ?? ''), { kind: 'refused', reason: 'key_unknown' })
})

t.test('secrets can be changed while keys live', async t => {
  const { server, pass } = setUp(t)
  const ring = server()
  await ring.load()
  const [first] = ring.describe()
  const changed = server({ secrets: [OTHER, SECRET] })
  await changed.load()
  t.equal(changed.signingKey().privateKey, ring.signingKey().privateKey)
  await t.rejects(server({ secrets: [OTHER] }).load(), { message: `cannot open signing key ${first?.kid}: is the secret that sealed it still configured?` })
  await changed.rotateNow()
  await changed.rotateNow()
  pass(1)
  const without = server({ secrets: [OTHER] })
  await without.load()
  t.ok(without.verificationKey(first?.kid ?? ''), 'a retiring key still verifies')
  t.throws(() => server({ secrets: [] }), TypeError)
})

t.test('what goes wrong leaves the ring in memory as it was', async t => {
  const { server, store, pass } = setUp(t)
  let fault: Error | undefined
  const load = async () => {
    if (fault !== undefined) throw fault
    return store.keys.load()
  }
  const ring = server({ keys: { ...store.keys, load } })
  await ring.load()
  const before = ring.signingKey()
  fault = new StoreUnavailable('away')
  pass(DAY)
  const calls: Array<() => Promise<unknown>> = [ring.load, ring.rotateNow, () => ring.retire(before.kid)]
  for (const call of calls) await t.rejects(async () => { await call() }, StoreUnavailable)
  t.same(ring.signingKey(), before)
  fault = undefined
  await ring.load()
})

t.test('a ring that others change all the time is given up', async t => {
  const { server, store, events } = setUp(t)
  let saves = 0
  const ring = server({ keys: { ...store.keys, save: async () => { saves++; return false } } })
  await t.rejects(ring.load(), /changed by others 8 times/)
  t.equal(saves, 8)
  t.same(events, [])
})

t.test('calls take effect in turn', async t => {
  const { server } = setUp(t)
  const ring = server()
  await Promise.all([ring.load(), ring.rotateNow(), ring.load(), ring.rotateNow()])
  t.same(states(ring), ['retiring', 'retiring', 'active', 'next'])
})
