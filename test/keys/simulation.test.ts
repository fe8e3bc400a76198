// 400 days on a hand clock: two servers on one ring, and every cache of keys that is known. No token may meet
// a verifier that can't check it.
import {
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import t from 'tap'
import type { Jwks } from '../../src/keys/ring-cache.ts'
import type { KeyPolicy } from '../../src/keys/schedule/policy.ts'
import { createKeyRing, type KeyRing } from '../../src/keys/ring.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createHandClock } from '../support/clock.ts'

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000]
const TTL = 10 * MINUTE
/** How far behind a verifier's clock may be: it takes a token for that much longer. */
const LATE = 4 * MINUTE
const PHASES = 5

/** What a verifier does with the keys that it has fetched. */
interface Cache {
  readonly name: string
  readonly keepsMs: number
  /**
   * It keeps them as long as Cache-Control says, if that is longer than `keepsMs`; the others never read it.
   */
  readonly obeys?: boolean
  /** It keeps single keys: one that it doesn't have is fetched, whoever else it knows. */
  readonly perKid?: boolean
  /** It asks again for a key that it doesn't know, at most so often; no others do. */
  readonly asksAgainMs?: number
}

const CACHES: readonly Cache[] = [
  { name: 'get-jwks', keepsMs: MINUTE, perKid: true },
  { name: 'Nimbus', keepsMs: 5 * MINUTE, asksAgainMs: 0 },
  { name: 'PyJWKClient', keepsMs: 5 * MINUTE, asksAgainMs: 0 },
  { name: 'jose', keepsMs: 10 * MINUTE, asksAgainMs: 30 * SECOND },
  { name: 'jwks-rsa', keepsMs: 10 * MINUTE, perKid: true },
  { name: 'jwx', keepsMs: 15 * MINUTE, obeys: true },
  { name: 'Istio', keepsMs: 20 * MINUTE },
  { name: 'API gateway', keepsMs: 2 * HOUR },
  { name: 'Microsoft', keepsMs: 12 * HOUR },
  { name: 'daily poller', keepsMs: DAY },
]

interface Token {
  readonly kid: string
  readonly alg: string
  readonly signature: Buffer
  readonly data: Buffer
  readonly at: number
}

type Answer = Pick<Jwks, 'body' | 'maxAge'>
type Fetch = (now: number) => Answer
type Verdict = 'good' | 'unknown kid' | 'wrong signature'

/** One verifier; its first fetch is at the first token after `from`. */
function createVerifier(
  { keepsMs, obeys = false, perKid = false, asksAgainMs }: Cache,
  fetch: Fetch,
  from: number,
) {
  let keys = new Map<string, JsonWebKey>()
  let [fetchedAt, until] = [-Infinity, from]
  const untilOf = new Map<string, number>()
  // By its own rhythm: the steps of the simulation would bring all of them into one.
  const nextOf = (lifeMs: number, now: number) =>
    now + lifeMs - ((((now - from) % lifeMs) + lifeMs) % lifeMs)
  const refresh = (now: number) => {
    const answer = fetch(now)
    keys = keysOf(answer)
    fetchedAt = now
    until = nextOf(obeys ? Math.max(keepsMs, answer.maxAge * 1000) : keepsMs, now)
  }
  const isOld = (kid: string, now: number) =>
    perKid ? now >= (untilOf.get(kid) ?? -Infinity) : now >= until
  return {
    refetches: 0,
    verdict(token: Token, now: number): Verdict {
      if (fetchedAt === -Infinity && now < from) return 'good'
      if (isOld(token.kid, now)) {
        refresh(now)
        untilOf.set(token.kid, nextOf(keepsMs, now))
      } else if (
        !keys.has(token.kid) &&
        asksAgainMs !== undefined &&
        now - fetchedAt >= asksAgainMs
      ) {
        this.refetches += 1
        refresh(now)
      }
      const key = keys.get(token.kid)
      if (key === undefined) return 'unknown kid'
      return isSignedBy(token, key) ? 'good' : 'wrong signature'
    },
  }
}

/** A cache on the way that does as Cache-Control says. */
function obedient(fetch: Fetch): Fetch {
  let [kept, until]: [Answer | undefined, number] = [undefined, 0]
  return now => {
    if (kept === undefined || now >= until) {
      kept = fetch(now)
      until = now + kept.maxAge * 1000
    }
    return kept
  }
}

function remembered<From, To>(make: (from: From) => To): (from: From) => To {
  const known = new Map<From, To>()
  return from => {
    const value = known.get(from) ?? make(from)
    known.set(from, value)
    return value
  }
}

const parsed = remembered(
  (body: string) =>
    new Map<string, JsonWebKey>(
      JSON.parse(body).keys.map((key: JsonWebKey) => [String(key['kid']), key]),
    ),
)
const keysOf = ({ body }: Answer) => parsed(body)
const publicKey = remembered((jwk: JsonWebKey) =>
  createPublicKey({ key: jwk, format: 'jwk' }),
)
const privateKey = remembered((pem: string) => createPrivateKey(pem))
const digestOf = (alg: string) => (alg === 'EdDSA' ? null : 'sha256')
const raw = (key: KeyObject) => ({ key, dsaEncoding: 'ieee-p1363' as const })

const verdicts = new WeakMap<Token, Map<string, boolean>>()

// Many verifiers check one token with copies of one key: the mathematics is done once for each key.
function isSignedBy(token: Token, jwk: JsonWebKey): boolean {
  const known = verdicts.get(token) ?? new Map<string, boolean>()
  verdicts.set(token, known)
  const x = String(jwk['x'])
  const verdict =
    known.get(x) ??
    (jwk['alg'] === token.alg &&
      verify(digestOf(token.alg), token.data, raw(publicKey(jwk)), token.signature))
  known.set(x, verdict)
  return verdict
}

function tokenOf(ring: KeyRing, at: number): Token {
  const key = ring.signingKey()
  if (!('privateKey' in key)) throw new Error('a key that is kept elsewhere')
  const data = Buffer.from(`issued at ${at}`)
  return {
    kid: key.kid,
    alg: key.alg,
    data,
    at,
    signature: sign(digestOf(key.alg), data, raw(privateKey(key.privateKey))),
  }
}

/** What an operator does on a day; two servers and the caches live through it. */
interface Story {
  readonly publishAheadMs: number
  readonly days: number
  readonly events: ReadonlyArray<{
    readonly at: number
    readonly act: (ring: KeyRing, policy: { algorithm: string }) => unknown
  }>
}

/**
 * Lives through the days; tells, of each cache, what it refused and how often it had to ask again, and which
 * keys signed.
 */
async function live({ publishAheadMs, days, events }: Story) {
  const [clock, monotonic] = [createHandClock(0), createHandClock(0)]
  const store = createSqliteStore({ file: ':memory:', clock })
  const settings = { algorithm: 'ES256' }
  const policy = (): KeyPolicy => ({
    ...settings,
    rotateEveryMs: 90 * DAY,
    publishAheadMs,
    accessTtlMs: TTL,
  })
  const server = () =>
    createKeyRing({
      keys: store.keys,
      secrets: ['s'.repeat(43)],
      now: store.now,
      policy,
      emit: () => {},
      monotonic,
    })
  const [signer, publisher] = [server(), server()]
  const fetch: Fetch = () => publisher.jwks()
  const verifiers = CACHES.flatMap(cache =>
    [fetch, obedient(fetch)].flatMap(fetch =>
      Array.from({ length: PHASES }, (_, phase) => ({
        name: cache.name,
        ...createVerifier(cache, fetch, Math.floor((cache.keepsMs * phase) / PHASES)),
      })),
    ),
  )

  const faults: Record<string, number> = Object.fromEntries(
    CACHES.map(({ name }) => [name, 0]),
  )
  const signed = new Set<string>()
  let tokens: Token[] = []
  let checks = 0
  await signer.load()
  for (
    let now = 0;
    now < days * DAY;
    now = nextStep(
      now,
      signer,
      events.map(({ at }) => at),
    )
  ) {
    clock.set(now)
    monotonic.set(now)
    for (const { at, act } of events) if (at === now) await act(signer, settings)
    // The one that publishes is the slower one.
    await signer.load()
    if (now % (2 * MINUTE) === 0) await publisher.load()
    const fresh = tokenOf(signer, now)
    signed.add(fresh.kid)
    tokens = [...tokens.filter(({ at }) => at > now - TTL - LATE), fresh]
    for (const verifier of verifiers) {
      for (const token of tokens.length > 1 ? [tokens[0], fresh] : [fresh]) {
        if (token !== undefined && verifier.verdict(token, now) !== 'good') {
          faults[verifier.name] = (faults[verifier.name] ?? 0) + 1
        }
        checks += 1
      }
    }
  }
  await store.close()
  return {
    faults,
    checks,
    signed: signed.size,
    refetches: verifiers.reduce((sum, { refetches }) => sum + refetches, 0),
  }
}

// Every second hour, and every minute while something happens.
function nextStep(now: number, ring: KeyRing, acts: readonly number[]): number {
  const instants = [
    ...acts,
    ...ring
      .describe()
      .flatMap(({ signFrom, signUntil, removeAt }) => [signFrom, signUntil, removeAt]),
  ]
  const isNear = instants.some(at => at > now - 45 * MINUTE && at < now + 150 * MINUTE)
  return isNear ? now + MINUTE : now + 2 * HOUR
}

const none = Object.fromEntries(CACHES.map(({ name }) => [name, 0]))

/**
 * An operator turns the keys by hand, twice, so that the second key is new; and later changes the algorithm.
 */
const busy: Story['events'] = [
  { at: 120 * DAY, act: ring => ring.rotate({ atOnce: false }) },
  { at: 120 * DAY + HOUR, act: ring => ring.rotate({ atOnce: false }) },
  {
    at: 300 * DAY,
    act: (_ring, policy) => {
      policy.algorithm = 'EdDSA'
    },
  },
]

t.test(
  'in 400 days no verifier meets a key that it does not know',
  { timeout: 600_000 },
  async t => {
    for (const [name, publishAheadMs] of [
      ['7 days', 7 * DAY],
      ['48 hours', 2 * DAY],
    ] as const) {
      const { faults, checks, signed, refetches } = await live({
        publishAheadMs,
        days: 400,
        events: busy,
      })
      t.same(faults, none, `published ${name} ahead: ${checks} tokens checked`)
      t.equal(refetches, 0, 'none had even to ask again')
      t.equal(signed, 7, 'seven keys have signed')
    }
  },
)

t.test('the simulation can fail', async t => {
  const hurried = await live({ publishAheadMs: 90 * MINUTE, days: 125, events: busy })
  const {
    'API gateway': gateway = 0,
    Microsoft = 0,
    'daily poller': daily = 0,
    ...others
  } = hurried.faults
  t.ok(
    gateway > 0 && gateway < Microsoft && Microsoft < daily,
    `published for too short a time: ${JSON.stringify(hurried.faults)}`,
  )
  t.ok(
    Object.values(others).every(count => count === 0),
    'those that keep the keys for less than that have no fault',
  )

  const atOnce = await live({
    publishAheadMs: 7 * DAY,
    days: 11,
    events: [
      { at: 10 * DAY, act: ring => ring.rotate({ atOnce: false }) },
      { at: 10 * DAY + 2 * MINUTE, act: ring => ring.rotate({ atOnce: true }) },
    ],
  })
  for (const { name, keepsMs, asksAgainMs, perKid } of CACHES) {
    const mayFail = asksAgainMs === undefined && perKid !== true && keepsMs > MINUTE
    t.equal(
      (atOnce.faults[name] ?? 0) > 0,
      mayFail,
      `a key that signs at once: ${name} ${mayFail ? 'refuses' : 'asks for it'}`,
    )
  }
  t.ok(atOnce.refetches > 0)
})
