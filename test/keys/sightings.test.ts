import t from 'tap'
import {
  createSightings,
  liveTokens,
  nameOf,
  type Fetch,
} from '../../src/keys/verifiers/sightings.ts'
import { slowerThan, verifierStatus } from '../../src/keys/verifiers/report.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import {
  EMPTY_SIGHTINGS,
  type Sightings,
} from '../../src/stores/ports/documents/sightings.ts'
import { buildTestApp } from '../support/app.ts'
import { createHandClock } from '../support/clock.ts'
import { STORES } from '../support/stores.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const fetch = (more: Partial<Fetch> = {}): Fetch => ({
  clientId: null,
  userAgent: 'verifier/1',
  address: '10.0.0.1',
  conditional: false,
  ...more,
})

/** A store in memory, and servers on it. */
function setUp() {
  let saved = EMPTY_SIGHTINGS
  const sightings: Sightings = {
    load: async () => saved,
    async save(next) {
      if (next.version !== saved.version) return false
      saved = { ...next, version: next.version + 1 }
      return true
    },
  }
  const clock = createHandClock(1_000_000 * MINUTE)
  return {
    clock,
    sightings,
    server: (more: Partial<Sightings> = {}) =>
      createSightings({ sightings: { ...sightings, ...more }, clock }),
    seen: () => saved,
  }
}

for (const { name, create } of STORES) {
  t.test(
    `${name} keeps the ring and the sightings apart, and replaces each as a whole`,
    async t => {
      const { store, stop } = await create()
      t.teardown(stop)
      for (const part of [store.keys, store.sightings]) {
        t.match(await part.load(), { version: 0 })
      }
      const verifier = {
        ...fetch(),
        fetches: 1,
        firstAt: 1,
        lastAt: 1,
        gaps: [],
      }
      t.equal(
        await store.sightings.save({ ...EMPTY_SIGHTINGS, verifiers: [verifier] }),
        true,
      )
      t.equal(
        await store.sightings.save({ ...EMPTY_SIGHTINGS, verifiers: [] }),
        false,
        'somebody was faster',
      )
      t.same(await store.sightings.load(), {
        version: 1,
        verifiers: [verifier],
        signed: [],
      })
      t.equal(
        await store.sightings.save({
          version: 1,
          verifiers: [],
          signed: [{ kid: 'a', expiresAt: 1, count: 1 }],
        }),
        true,
      )
      t.equal(
        await store.sightings.save({ version: 1, verifiers: [], signed: [] }),
        false,
      )
      t.same(await store.sightings.load(), {
        version: 2,
        verifiers: [],
        signed: [{ kid: 'a', expiresAt: 1, count: 1 }],
      })
      const [one, two] = await Promise.all([
        store.keys.save({
          version: 0,
          keys: [],
          secrets: [],
          gone: ['x'],
        }),
        store.keys.save({
          version: 0,
          keys: [],
          secrets: [],
          gone: ['y'],
        }),
      ])
      t.same([one, two].sort(), [false, true])
      t.match(await store.keys.load(), { version: 1, keys: [], gone: [one ? 'x' : 'y'] })
    },
  )
}

t.test('what several servers see of a verifier is added up', async t => {
  const { clock, server, seen } = setUp()
  const [one, two] = [server(), server()]
  await one.flush()
  t.equal(seen().version, 0, 'nothing was seen: nothing is written')
  for (const [recorder, minutes] of [
    [one, 5],
    [two, 7],
    [one, 5],
    [two, 60],
  ] as const) {
    recorder.fetched(fetch({ conditional: recorder === two }))
    await recorder.flush()
    clock.advance(minutes * MINUTE)
  }
  const start = 1_000_000 * MINUTE
  t.same(seen().verifiers, [
    {
      ...fetch({ conditional: true }),
      fetches: 4,
      firstAt: start,
      lastAt: start + 17 * MINUTE,
      gaps: [5 * MINUTE, 7 * MINUTE, 5 * MINUTE],
    },
  ])
  t.match(verifierStatus(seen(), 6 * MINUTE), [
    {
      name: 'verifier/1 at 10.0.0.1',
      everyMs: 5 * MINUTE,
      longestMs: 7 * MINUTE,
      isSlow: true,
    },
  ])
  t.match(verifierStatus(seen(), 7 * MINUTE), [{ isSlow: false }])
  const status = verifierStatus(seen(), DAY)
  t.same(
    [6, 7].map(minutes => slowerThan(status, minutes * MINUTE).length),
    [1, 0],
  )
  t.match(
    verifierStatus(
      {
        verifiers: [
          {
            ...fetch(),
            fetches: 1,
            firstAt: 0,
            lastAt: 0,
            gaps: [],
          },
        ],
      },
      1,
    ),
    [{ everyMs: null, longestMs: null, isSlow: false }],
  )

  one.fetched(fetch())
  clock.advance(MINUTE)
  two.fetched(fetch())
  await two.flush()
  await one.flush()
  t.same(
    seen().verifiers[0]?.gaps.slice(-1),
    [61 * MINUTE],
    'a minute that comes late says nothing of gaps',
  )
})

t.test('a verifier that says who it is has one name, whatever its addresses', async t => {
  const { server, seen } = setUp()
  const recorder = server()
  for (let i = 0; i < 1_000; i++) {
    recorder.fetched(fetch({ clientId: 'orders-api', address: `10.0.0.${i}` }))
  }
  await recorder.flush()
  t.match(seen().verifiers, [
    { clientId: 'orders-api', fetches: 1_000, address: '10.0.0.999' },
  ])
  t.ok((seen().verifiers[0]?.gaps.length ?? 9) <= 8)
})

t.test(
  'memory is bounded, and those who come often outlive those who come once',
  async t => {
    const { clock, server, seen } = setUp()
    const recorder = server()
    for (let i = 0; i < 3; i++) {
      recorder.fetched(fetch({ userAgent: 'faithful' }))
      recorder.fetched(fetch({ clientId: 'orders-api' }))
      await recorder.flush()
      clock.advance(MINUTE)
    }
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5_000; i++) {
        recorder.fetched(fetch({ userAgent: `${round} ${i} ${'x'.repeat(1_000)}` }))
      }
      await recorder.flush()
    }
    t.equal(seen().verifiers.length, 201)
    t.ok(seen().verifiers.some(({ userAgent }) => userAgent === 'faithful'))
    t.ok(seen().verifiers.some(({ clientId }) => clientId === 'orders-api'))
    t.ok(seen().verifiers.every(({ userAgent }) => userAgent.length <= 100))
    for (let i = 0; i < 100; i++) {
      recorder.fetched(fetch({ clientId: 'orders-api' }))
      clock.advance(MINUTE)
    }
    await recorder.flush()
    t.same(seen().verifiers.find(({ clientId }) => clientId !== null)?.gaps.length, 8)
    clock.advance(201 * DAY)
    recorder.fetched(fetch())
    await recorder.flush()
    t.equal(seen().verifiers.length, 1, 'who has not come for so long is forgotten')
  },
)

t.test('what a verifier calls itself can do nothing to a terminal', async t => {
  const { server, seen } = setUp()
  const recorder = server()
  recorder.fetched(fetch({ userAgent: 'a\u009b31mb\tc\u00e9' }))
  await recorder.flush()
  t.same(seen().verifiers.map(nameOf), ['a?31mb?c? at 10.0.0.1'])
})

t.test('the living tokens of a key are counted, in bounded space', async t => {
  const { clock, server, seen } = setUp()
  const [one, two] = [server(), server()]
  const now = () => Math.floor(clock() / 1000)
  for (let i = 0; i < 10; i++) {
    one.signed('k1', now() + 600)
    two.signed('k1', now() + 600)
    two.signed('k2', now() + 600)
    clock.advance(10_000)
  }
  await one.flush()
  await two.flush()
  t.equal(liveTokens(seen(), 'k1', clock()), 20)
  t.equal(liveTokens(seen(), 'k2', clock()), 10)
  t.equal(liveTokens(seen(), 'k3', clock()), 0)
  t.ok(seen().signed.length <= 6)
  clock.advance(11 * MINUTE)
  t.equal(liveTokens(seen(), 'k1', clock()), 0)
  for (const life of [3_600, 30 * 86_400]) {
    for (let second = 0; second < 86_400; second += 100) {
      one.signed('k1', now() + life + second)
    }
  }
  await one.flush()
  t.equal(liveTokens(seen(), 'k1', clock()), 1_728)
  t.ok(seen().signed.length < 80, `${seen().signed.length} counts`)
  t.notOk(
    seen().signed.some(({ kid }) => kid === 'k2'),
    'what has expired is forgotten',
  )
})

t.test('a store that is away costs the notes of that minute', async t => {
  const { server, seen } = setUp()
  let fault: Error | undefined = new StoreUnavailable(undefined, 'away')
  const recorder = server({
    load: async () => {
      if (fault !== undefined) throw fault
      return seen()
    },
  })
  recorder.fetched(fetch())
  await t.rejects(recorder.flush(), StoreUnavailable)
  fault = undefined
  await recorder.flush()
  t.same(seen().verifiers, [])
  let tries = 0
  const unlucky = server({
    save: async () => {
      tries++
      return false
    },
  })
  unlucky.fetched(fetch())
  await unlucky.flush()
  t.equal(tries, 8)
})

t.test('the server notes who fetches the keys, and what it signs', async t => {
  const { app, store, sightings, login, clock } = await buildTestApp()
  t.teardown(() => app.close())
  const url = '/.well-known/jwks.json'
  await app.inject({ url, headers: { 'user-agent': 'stranger' } })
  await app.inject({
    url: `${url}?client_id=orders-api`,
    headers: { 'user-agent': 'jose/6', 'if-none-match': '"x"' },
  })
  await app.inject({
    url: `${url}?client_id=nobody`,
    headers: { 'user-agent': 'impostor' },
  })
  await app.inject({
    url: `${url}?client_id=orders-api&client_id=mail-api`,
    headers: { 'user-agent': 'twice' },
  })
  await app.inject({ url, headers: { 'user-agent': '' } })
  await app.inject({ method: 'HEAD', url: `${url}?client_id=mail-api` })
  const { access_token: token } = await login()
  const { kid } = JSON.parse(
    Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString(),
  )
  await sightings.flush()
  const seen = await store.sightings.load()
  t.equal(liveTokens(seen, kid, clock()), 1)
  t.match(seen.verifiers, [
    {
      clientId: 'orders-api',
      userAgent: 'jose/6',
      address: '127.0.0.1',
      conditional: true,
    },
    { clientId: 'mail-api' },
    { clientId: null, userAgent: 'stranger', conditional: false },
    { clientId: null, userAgent: 'impostor' },
    { clientId: null, userAgent: 'twice' },
    { clientId: null, userAgent: '' },
  ])
  await store.close()
})
