import { createPublicKey, sign, verify } from 'node:crypto'
import t from 'tap'
import type { Event } from '../../src/base/events/events.ts'
import { makeKey } from '../../src/keys/make.ts'
import { createKeyRing, type KeyRing } from '../../src/keys/ring.ts'
import type { KeySource } from '../../src/keys/external/key-source.ts'
import { secretMarks } from '../../src/base/secrets.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import type { Keys } from '../../src/stores/ports/documents/keys.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createHandClock } from '../support/clock.ts'

const DAY = 86_400_000
const SECRET = Buffer.alloc(32, 1).toString('base64url')
const OTHER = Buffer.alloc(32, 2).toString('base64url')
const spans = { rotateEveryMs: 90 * DAY, publishAheadMs: 7 * DAY, accessTtlMs: 600_000 }
type Tap = Pick<typeof t, 'teardown'>

/** A store, and servers on it. The clock of a server runs apart from the store's. */
function setUp(t: Tap) {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  const events: Event[] = []
  const monotonic = createHandClock(5_000)
  const server = ({
    secrets = [SECRET],
    lacking = [],
    algorithm = 'ES256',
    audienceAlgorithms = [],
    keys = store.keys,
    source,
  }: {
    secrets?: string[]
    /** The secrets that another server has not. */
    lacking?: readonly string[]
    algorithm?: string
    audienceAlgorithms?: string[]
    keys?: Keys
    source?: KeySource
  } = {}) =>
    createKeyRing({
      keys,
      secrets,
      isEverywhere: id => !secretMarks(lacking).some(mark => mark.id === id),
      now: store.now,
      policy: () => ({ ...spans, algorithm, audienceAlgorithms }),
      emit: event => events.push(event),
      monotonic,
      source,
    })
  const pass = (ms: number) => {
    clock.advance(ms)
    monotonic.advance(ms)
  }
  return {
    clock,
    monotonic,
    pass,
    store,
    events,
    server,
  }
}

const states = (ring: KeyRing) => ring.describe().map(({ state }) => state)
const kidAt = (ring: KeyRing, index: number) => ring.describe()[index]?.kid ?? 'none'

/** The private key of the signer. */
function privateKeyOf(ring: KeyRing, algorithm?: string): string {
  const key = ring.signingKey(algorithm)
  if (!('privateKey' in key)) throw new Error('a key that is kept elsewhere')
  return key.privateKey
}

t.test('a ring signs after its first load, not before', async t => {
  const { server, events } = setUp(t)
  const ring = server()
  t.throws(() => ring.signingKey(), /not loaded/)
  t.throws(() => ring.published(), /not loaded/)
  await ring.load()
  const { kid, alg } = ring.signingKey()
  t.equal(alg, 'ES256')
  const data = Buffer.from('data')
  const verification = ring.verificationKey(kid)
  t.equal(verification?.alg, 'ES256')
  t.ok(
    verify(
      'sha256',
      data,
      verification?.publicKey ?? '',
      sign('sha256', data, privateKeyOf(ring)),
    ),
  )
  t.equal(ring.verificationKey('unknown'), undefined)
  t.same(states(ring), ['signing', 'published'])
  t.same(events, [{ type: 'keys.changed', kids: ring.describe().map(({ kid }) => kid) }])
})

t.test('what is published is public, and says what it is for', async t => {
  for (const [algorithm, members] of [
    ['ES256', ['crv', 'kty', 'x', 'y']],
    ['EdDSA', ['crv', 'kty', 'x']],
    ['PS256', ['e', 'kty', 'n']],
  ] as const) {
    const { server } = setUp(t)
    const ring = server({ algorithm })
    await ring.load()
    t.equal(ring.published().length, 2)
    for (const jwk of ring.published()) {
      t.same(Object.keys(jwk), [...members, 'kid', 'use', 'alg'])
      t.match(jwk, { use: 'sig', alg: algorithm })
      t.equal(
        createPublicKey({ key: jwk, format: 'jwk' }).export({
          format: 'pem',
          type: 'spki',
        }),
        ring.verificationKey(String(jwk['kid']))?.publicKey,
      )
    }
  }
})

t.test('the store holds no private key that could be read', async t => {
  const { server, store } = setUp(t)
  const ring = server()
  await ring.load()
  const stored = JSON.stringify(await store.keys.load())
  t.notMatch(stored, /PRIVATE|"d"/)
  const body = privateKeyOf(ring).split('\n')[1] ?? ''
  t.notOk(stored.includes(body))
})

t.test('fifty servers that find the ring too old at once make one key', async t => {
  const { server, store, events, pass } = setUp(t)
  const first = server()
  await first.load()
  pass(90 * DAY)
  // All have read the ring before any of them writes it.
  let waiting: Array<() => void> = []
  const saving = async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push(resolve)
    if (waiting.length === 50) {
      waiting = waiting.flatMap(go => {
        go()
        return []
      })
    }
    await promise
  }
  let tries = 0
  const keys: Keys = {
    ...store.keys,
    save: async ring => {
      if (++tries <= 50) await saving()
      return store.keys.save(ring)
    },
  }
  const rings = Array.from({ length: 50 }, () => server({ keys }))
  events.length = 0
  await Promise.all(rings.map(ring => ring.load()))
  t.equal(tries, 50, 'all fifty tried')
  t.equal(events.length, 1, 'one did')
  t.same(
    new Set(
      rings.map(ring =>
        ring
          .describe()
          .map(({ kid }) => kid)
          .join(),
      ),
    ).size,
    1,
  )
  t.same(
    rings.map(ring => ring.describe().length),
    rings.map(() => 3),
  )
})

t.test(
  'all servers change to the next key at the same instant, without the store',
  async t => {
    const { server, pass } = setUp(t)
    const [one, two] = [server(), server()]
    await one.load()
    pass(1_000)
    await two.load()
    const [first, second] = one.describe()
    pass(90 * DAY - 1_001)
    t.same(
      [one, two].map(ring => ring.signingKey().kid),
      [first?.kid, first?.kid],
    )
    pass(1)
    t.same(
      [one, two].map(ring => ring.signingKey().kid),
      [second?.kid, second?.kid],
    )
    t.same(states(one), ['retiring', 'signing'])
    await one.load()
    t.same(states(one), ['retiring', 'signing', 'published'])
    pass(600_000 + 300_000)
    t.equal(one.verificationKey(first?.kid ?? ''), undefined)
    t.equal(one.published().length, 2)
  },
)

t.test("the time of the ring is the store's", async t => {
  const { server, clock, monotonic } = setUp(t)
  const ring = server()
  await ring.load()
  const [first, second] = ring.describe()
  clock.advance(90 * DAY)
  t.equal(ring.signingKey().kid, first?.kid, 'as of the last load')
  await ring.load()
  t.equal(ring.signingKey().kid, second?.kid)
  monotonic.advance(90 * DAY)
  t.same(
    states(ring),
    ['retiring', 'signing'],
    'and moves on by the clock of the process',
  )
  t.equal(ring.describe()[0]?.kid, second?.kid)
})

t.test('a server that is cut off goes on signing with what it has', async t => {
  const { server, pass } = setUp(t)
  const ring = server()
  await ring.load()
  const [, second] = ring.describe()
  pass(1000 * DAY)
  t.equal(ring.signingKey().kid, second?.kid)
  t.same(
    ring.published().map(({ kid }) => kid),
    [second?.kid],
  )
  t.ok(ring.verificationKey(second?.kid ?? ''))
})

t.test("without a clock of its own a ring takes the process's", async t => {
  const { store } = setUp(t)
  const ring = createKeyRing({
    keys: store.keys,
    secrets: [SECRET],
    now: store.now,
    policy: () => ({ ...spans, algorithm: 'EdDSA' }),
    emit: () => {},
  })
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
  t.same(await one.rotate({ atOnce: true }), { kind: 'done' })
  t.equal(one.signingKey().kid, second?.kid)
  t.same(states(one), ['retiring', 'signing', 'published'])
  t.ok(one.verificationKey(first?.kid ?? ''), 'its tokens live on')
  t.ok(two.verificationKey(second?.kid ?? ''), 'the others know the key already')
  await two.load()
  t.equal(two.signingKey().kid, second?.kid)
  t.equal(events.length, 2)
  t.same(await one.rotate({ atOnce: false }), { kind: 'done' })
  t.equal(one.signingKey().kid, second?.kid, 'gently: not before verifiers know the next')
  t.equal(one.describe()[1]?.signUntil, one.describe()[2]?.signFrom)
  t.same(await one.rotate({ atOnce: true, line: 'RS256' }), {
    kind: 'refused',
    reason: 'next_key_missing',
  })
  t.same(await one.rotate({ atOnce: true, line: 'main' }), { kind: 'done' })
})

t.test(
  'a server signs with no key that it has served for less than a minute, while there is another',
  async t => {
    const { server, pass } = setUp(t)
    const [one, two] = [server(), server()]
    await one.load()
    await two.load()
    pass(DAY)
    await one.rotate({ atOnce: true })
    pass(1_000)
    // Two hears of the third key only now that it signs.
    await one.rotate({ atOnce: true })
    await two.load()
    const [, second, third] = one.describe()
    t.same(
      [one, two].map(ring => ring.signingKey().kid),
      [second?.kid, second?.kid],
    )
    t.equal(one.describe()[1]?.state, 'signing')
    pass(58_000)
    t.equal(one.signingKey().kid, second?.kid)
    t.equal(two.signingKey().kid, second?.kid)
    pass(1_000)
    t.equal(one.signingKey().kid, third?.kid, 'one has served it for a minute')
    t.equal(two.signingKey().kid, second?.kid, 'two has not')
    pass(1_000)
    t.equal(two.signingKey().kid, third?.kid)
    const fresh = server()
    await fresh.load()
    t.equal(
      fresh.signingKey().kid,
      third?.kid,
      "a server that has just started takes the ring's word",
    )
    await one.rotate({ atOnce: true })
    pass(10_000)
    const [, , , fourth] = one.describe()
    await fresh.load()
    t.equal(fresh.signingKey().kid, fourth?.kid, 'also when it knows no key for longer')
  },
)

t.test('a stand-in signs no longer than its tokens can be verified', async t => {
  const { server, store, pass } = setUp(t)
  const one = server()
  await one.load()
  pass(DAY)
  const [first] = one.describe()
  const other = server()
  await other.rotate({ atOnce: true })
  pass(119_000)
  await other.rotate({ atOnce: true })
  await one.load()
  t.equal(
    one.signingKey().kid,
    one.describe()[1]?.kid,
    'the last key that it has served for long',
  )
  await store.keys.save({
    ...one.stored(),
    keys: one.stored().keys.filter(({ kid }) => kid !== one.describe()[1]?.kid),
  })
  await one.load()
  t.equal(
    one.signingKey().kid,
    first?.kid,
    'or the one before that, within two minutes after its end',
  )
  pass(1_001)
  t.not(one.signingKey().kid, first?.kid)
})

t.test('a retired key is gone at once, and a fresh one follows', async t => {
  const { server, events, pass } = setUp(t)
  const ring = server()
  await ring.load()
  pass(DAY)
  const [first, second] = ring.describe()
  t.same(await ring.retire('unknown'), { kind: 'refused', reason: 'key_unknown' })
  t.equal(events.length, 1)
  t.same(await ring.retire(first?.kid ?? ''), { kind: 'done' })
  t.equal(ring.signingKey().kid, second?.kid)
  t.equal(ring.verificationKey(first?.kid ?? ''), undefined)
  t.same(states(ring), ['signing', 'published', 'published'])
  t.same(await ring.retire(first?.kid ?? ''), { kind: 'refused', reason: 'key_unknown' })
  pass(300_000)
  t.equal(ring.signingKey().kid, kidAt(ring, 1), 'after one cache life')
  t.same(await ring.retire(kidAt(ring, 1), 1_200_000), { kind: 'done' })
  const [, ...others] = ring.describe()
  t.ok(
    others.some(({ signFrom, publishAt }) => signFrom - publishAt === 1_200_000),
    'or after another time',
  )
})

t.test('a ring can be read without being changed', async t => {
  const { server, store, events } = setUp(t)
  const ring = server()
  await ring.read()
  t.same(ring.describe(), [])
  t.throws(() => ring.signingKey(), /no key to sign with/)
  t.equal((await store.keys.load()).version, 0)
  await server().load()
  events.length = 0
  const other = server({ secrets: [OTHER, SECRET], algorithm: 'RS256' })
  await other.read()
  t.same(states(other), ['signing', 'published'])
  t.same(events, [])
})

t.test(
  'an audience that needs another algorithm has keys of its own in the same JWKS',
  async t => {
    const { server, pass } = setUp(t)
    const ring = server()
    await ring.load()
    pass(DAY)
    const both = server({ audienceAlgorithms: ['RS256'] })
    await both.load()
    t.equal(both.signingKey('RS256').alg, 'ES256', 'not before verifiers know them')
    pass(7 * DAY)
    await both.load()
    t.equal(both.signingKey('RS256').alg, 'RS256')
    t.equal(both.signingKey().alg, 'ES256')
    t.equal(both.signingKey('PS256').alg, 'ES256', "of a line that there isn't")
    t.same(
      both
        .describe()
        .map(({ line, state }) => `${line} ${state}`)
        .sort(),
      ['RS256 published', 'RS256 signing', 'main published', 'main signing'],
    )
    t.same(
      both
        .published()
        .map(({ alg }) => alg)
        .sort(),
      ['ES256', 'ES256', 'RS256', 'RS256'],
    )
  },
)

t.test(
  'JWKS is serialised once per ring, and kept no longer than until its next change',
  async t => {
    const { server, pass } = setUp(t)
    const ring = server()
    await ring.load()
    const { body, etag, maxAge } = ring.jwks()
    t.same(JSON.parse(body), { keys: ring.published() })
    t.match(etag, /^"[\w-]{22}"$/)
    t.equal(maxAge, 0, 'nothing is kept while the servers are planning')
    pass(2_000)
    t.equal(ring.jwks().maxAge, 300)
    await ring.load()
    t.equal(ring.jwks().body, body)
    pass(90 * DAY - 2_000 - 299_000)
    t.equal(ring.jwks().maxAge, 299)
    pass(298_500)
    t.equal(ring.jwks().maxAge, 0)
    t.equal(ring.jwks().etag, etag)
    pass(500)
    t.match(
      ring.jwks(),
      { etag, maxAge: 0 },
      "the turn has come, and its successor isn't made yet",
    )
    await ring.load()
    t.not(ring.jwks().etag, etag)
    pass(2_000)
    t.match(ring.jwks(), { maxAge: 300 })
  },
)

t.test(
  'a new secret in front re-encrypts the ring, and then the old one may go',
  async t => {
    const { server, store, events, pass } = setUp(t)
    const ring = server()
    await ring.load()
    const [first] = ring.describe()
    const before = privateKeyOf(ring)
    t.equal((await store.keys.load()).secrets.length, 1)
    await t.rejects(server({ secrets: [OTHER] }).load(), {
      name: 'CannotOpen',
      message: `cannot open signing key ${first?.kid}: it is sealed under the secret with the fingerprint `,
    })

    const changed = server({ secrets: [OTHER, SECRET] })
    events.length = 0
    await changed.load()
    t.equal(privateKeyOf(changed), before)
    t.equal(events.length, 1)
    t.equal((await store.keys.load()).secrets.length, 2)
    const alone = server({ secrets: [OTHER] })
    await alone.load()
    t.equal(privateKeyOf(alone), before, 'the first secret opens all')
    t.equal(events.length, 1)

    await t.rejects(
      ring.load(),
      /cannot open signing key/,
      "a server that wasn't told of it yet",
    )
    t.equal(privateKeyOf(ring), before, 'goes on with what it has')
    await server({ secrets: [SECRET, OTHER] }).load()
    t.equal(events.length, 1, 'one that has them the other way round lets it be')
    pass(3_600_000)
    await server({ secrets: [SECRET, OTHER] }).load()
    t.equal(events.length, 2, 'unless it is meant')
    await server().load()
    t.equal(events.length, 2)
  },
)

t.test('a key is sealed so that every running server can open it', async t => {
  const { server, store, events, pass } = setUp(t)
  const opens = async (...secrets: string[]) => {
    await server({ secrets, lacking: [SECRET, OTHER] }).read()
    return true
  }
  const fresh = (lacking: string[] = []) =>
    server({ secrets: [OTHER, SECRET], lacking }).load()
  await server().load()
  await fresh([OTHER])
  t.equal(await opens(SECRET), true, 'not under the first, which another server lacks')
  const { keys: before } = await store.keys.load()
  pass(91 * DAY)
  await fresh([OTHER])
  const { keys: after } = await store.keys.load()
  t.ok(after.some(({ kid }) => !before.some(key => key.kid === kid)))
  t.equal(await opens(SECRET), true, 'neither is a new key')

  await fresh()
  await t.rejects(
    opens(SECRET),
    /cannot open signing key/,
    'under the first as soon as all have it',
  )
  t.equal(await opens(OTHER), true)
  await fresh([OTHER])
  t.equal(await opens(SECRET), true, 'and back, for a server that starts without it')

  await fresh()
  await server({ secrets: [SECRET, OTHER], lacking: [OTHER] }).load()
  t.equal(
    await opens(SECRET),
    true,
    'whoever can open it does it, be its own order another',
  )
  pass(3_600_000)
  events.length = 0
  await fresh([SECRET, OTHER])
  t.equal(await opens(OTHER), true, 'under the first where there is none that all have')
  await server({ secrets: [SECRET, OTHER], lacking: [SECRET, OTHER] }).load()
  t.equal(await opens(OTHER), true, 'and then nobody moves it to and fro')
  t.equal(events.length, 1)
})

t.test('a key that signs no more verifies without the secret that sealed it', async t => {
  const { server, store, pass } = setUp(t)
  const ring = server()
  await ring.load()
  const [first] = ring.describe()
  pass(DAY)
  await ring.rotate({ atOnce: true })
  await ring.rotate({ atOnce: true })
  const stored = await store.keys.load()
  const foreign = (key: (typeof stored.keys)[number]) =>
    key.sealed === null
      ? key
      : { ...key, sealed: key.sealed.replace(/^v1\.[\w-]+/, 'v1.AAAAAAAAAAA') }
  await store.keys.save({
    ...stored,
    keys: stored.keys.map(key => (key.kid === first?.kid ? foreign(key) : key)),
  })
  for (const ms of [1, 120_000]) {
    pass(ms)
    const after = server()
    await after.load()
    t.ok(after.verificationKey(first?.kid ?? ''))
  }
  t.throws(() => server({ secrets: [] }), TypeError)
})

t.test("a stored key that doesn't fit its public half never signs", async t => {
  const { server, store, pass } = setUp(t)
  const ring = server()
  await ring.load()
  const before = privateKeyOf(ring)
  const stored = await store.keys.load()
  const { publicJwk } = await makeKey('ES256')
  await store.keys.save({
    ...stored,
    keys: stored.keys.map(key => ({ ...key, publicJwk })),
  })
  const message = /^the signing key [\w-]{43} in the store doesn't fit its public half/
  await t.rejects(ring.load(), { message })
  t.equal(privateKeyOf(ring), before, 'the ring goes on with what it has')
  await t.rejects(server().load(), { message })
  pass(90 * DAY + 1)
  await t.rejects(ring.load(), { message }, 'nor does it stand in for the next one')
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
  fault = new StoreUnavailable(undefined, 'away')
  pass(DAY)
  const calls: Array<() => Promise<unknown>> = [
    ring.load,
    ring.read,
    () => ring.rotate({ atOnce: true }),
    () => ring.retire(before.kid),
  ]
  for (const call of calls) {
    await t.rejects(async () => {
      await call()
    }, StoreUnavailable)
  }
  t.same(ring.signingKey(), before)
  fault = undefined
  await ring.load()
})

t.test('a ring that others change all the time is given up', async t => {
  const { server, store, events } = setUp(t)
  let saves = 0
  const ring = server({
    keys: {
      ...store.keys,
      save: async () => {
        saves++
        return false
      },
    },
  })
  await t.rejects(ring.load(), /changed by others 8 times/)
  t.equal(saves, 8)
  t.same(events, [])
})

t.test('calls take effect in turn', async t => {
  const { server } = setUp(t)
  const ring = server()
  await Promise.all([
    ring.load(),
    ring.rotate({ atOnce: true }),
    ring.load(),
    ring.rotate({ atOnce: true }),
  ])
  t.same(states(ring).length, 4)
})
