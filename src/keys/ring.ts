// The key ring: this folder decides which key signs, which keys verify and which are published
// (docs/keys.md). It signs no token itself; src/tokens/ and src/status-lists/ do that with its keys. The core
// loads the ring and keeps it in memory, so that signing and JWKS need no store. All servers act by the same
// instants and the store's clock, so they switch keys at the same moment without talking to each other.
import type { JsonWebKey } from 'node:crypto'
import pLimit from 'p-limit'
import { monotonicClock, type Monotonic } from '../base/clock.ts'
import type { Emit } from '../base/events/events.ts'
import type { AlgorithmName } from '../oauth/algorithms.ts'
import type { Keys, StoredRing } from '../stores/ports/documents/keys.ts'
import { createRingCache, type RingCache, type Jwks } from './ring-cache.ts'
import type { Instants } from './schedule/instants.ts'
import { CACHE_LIFE_MS } from './jwks-document.ts'
import type { RotationOptions } from './schedule/plan-rotation.ts'
import { MAIN, type KeyPolicy } from './schedule/policy.ts'
import { createPlans } from './schedule/plans.ts'
import { createSave, type Plan, type Saved } from './save.ts'
import { createSealer, type Sealer } from './seal.ts'
import { openRing, type OpenedKey, type View } from './snapshot.ts'
import type { ExternalKey, KeySource, Signing } from './external/key-source.ts'

/** A private key that may sign. */
export type SigningKey = Signing & {
  readonly kid: string
  readonly alg: string
}

/** A public key that verifies. */
export interface VerificationKey {
  readonly alg: string
  /** SPKI PEM. */
  readonly publicKey: string
}

/** A key as an operator sees it. */
export interface KeyDescription extends Instants {
  readonly kid: string
  readonly alg: string
  readonly line: string
  readonly state: 'published' | 'signing' | 'retiring'
  /** Whether it is kept outside the store: in keys.directory or behind PKCS#11. */
  readonly isElsewhere: boolean
}

/** The outcome of an operator's change. */
export type KeyChange =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'refused'
      readonly reason: 'key_unknown' | 'key_alone' | 'next_key_missing'
    }

/**
 * The key ring. Promises reject with StoreUnavailable, and with Error when a key can't be opened; the ring in
 * memory then stays as it was. The synchronous functions throw Error before the first load.
 */
export interface KeyRing {
  /**
   * Reads the ring, makes the keys that are due, and keeps it. To be called at the start and once a second.
   * Rejects with Error when there is no key to sign with.
   */
  load(): Promise<void>
  /** Reads the ring and changes nothing. */
  read(): Promise<void>
  /** The key that signs now for whom needs this algorithm; undefined: for all others. */
  signingKey(algorithm?: string): SigningKey
  /** The key of that id, whether published, signing or retiring. */
  verificationKey(kid: string): VerificationKey | undefined
  /** The keys as JWKS publishes them: public members only. */
  published(): readonly JsonWebKey[]
  /** JWKS (RFC 7517 §5), of all keys or of those of one algorithm; serialised once per ring. */
  jwks(algorithm?: AlgorithmName): Jwks
  /** The keys in the order in which they sign. */
  describe(): readonly KeyDescription[]
  /** The ring as the store has it. */
  stored(): StoredRing
  /** The ids of the configured secrets, in their order. */
  readonly secretIds: readonly string[]
  /**
   * Lets the next keys sign now, or as soon as verifiers have had the time to learn them. Other servers
   * follow with their next load. `emit`: hears of it instead of the ring's own listener.
   */
  rotate(rotation: RotationOptions, emit?: Emit): Promise<KeyChange>
  /**
   * Drops a leaked key at once: its tokens become invalid. If it signed, the next one takes over. After
   * `switchAfterMs` a fresh key signs, so that verifiers fetch the keys again and forget the dropped one.
   */
  retire(kid: string, switchAfterMs?: number): Promise<KeyChange>
}

/** What the ring needs. */
export interface KeyRingOptions {
  readonly keys: Keys
  /** base64 or base64url, as configured: the first seals, all open. */
  readonly secrets: readonly string[]
  /** Whether every other server has the secret of that fingerprint; default: all have all. */
  readonly isEverywhere?: ((secretId: string) => boolean) | undefined
  /** The store's clock. */
  readonly now: () => Promise<number>
  readonly policy: () => KeyPolicy
  readonly emit: Emit
  /** Keys that are kept elsewhere; without it the ring makes its own. */
  readonly source?: KeySource | undefined
  /** Milliseconds of a clock that only runs forward; default: the system's. */
  readonly monotonic?: Monotonic
}

/**
 * Makes the ring, empty until it is loaded.
 *
 * @throws TypeError without a secret
 */
export function createKeyRing(options: KeyRingOptions): KeyRing {
  const { source, monotonic = monotonicClock } = options
  const sealer = createSealer(options.secrets, options.isEverywhere)
  const { save, read } = createSave({ ...options, monotonic, sealer })
  const plans = createPlans(source)
  // One at a time: a slow load must never replace a newer ring by an older one.
  const serially = pLimit(1)
  const cache = createRingCache(monotonic)
  const take = createTake(cache, sealer, source)
  const update = (plan: Plan, emit = options.emit) =>
    serially(async () => {
      take(await save(plan, emit))
    })

  const ring: KeyRing = {
    async load() {
      await update(plans.due)
      ring.signingKey()
    },
    read: () =>
      serially(async () => {
        take(await read())
      }),
    signingKey(algorithm = MAIN) {
      const { signers } = cache.view()
      const signer = signers.get(algorithm) ?? signers.get(MAIN)
      if (signer === undefined) {
        throw new Error(
          'there is no key to sign with, and none is made where keys.directory or keys.pkcs11 is set',
        )
      }
      return { kid: signer.kid, alg: signer.alg, ...signer.signing }
    },
    verificationKey: kid => cache.view().byKid.get(kid),
    published: () => cache.view().living.map(({ jwk }) => jwk),
    jwks: cache.jwks,
    describe: () => describe(cache.view()),
    stored: () => cache.loaded().ring,
    secretIds: sealer.secretIds,
    async rotate(rotation, emit) {
      await ring.read()
      const { living, now } = cache.view()
      if (
        !living.some(
          key => key.signFrom > now && (rotation.line ?? key.line) === key.line,
        )
      ) {
        return { kind: 'refused', reason: 'next_key_missing' }
      }
      await update(plans.rotated(rotation), emit)
      return { kind: 'done' }
    },
    async retire(kid, switchAfterMs = CACHE_LIFE_MS) {
      await ring.read()
      const { byKid, living } = cache.view()
      if (!byKid.has(kid)) return { kind: 'refused', reason: 'key_unknown' }
      if (
        source !== undefined &&
        !living.some(key => key.kid !== kid && key.signing !== undefined)
      ) {
        return { kind: 'refused', reason: 'key_alone' }
      }
      await update(plans.retired(kid, switchAfterMs))
      return { kind: 'done' }
    },
  }
  return ring
}

/** Opens a ring that was read, unless it is in the cache already, and puts it there. */
function createTake(cache: RingCache, sealer: Sealer, source: KeySource | undefined) {
  let before: {
    readonly version: number
    readonly external: readonly ExternalKey[]
    readonly keys: readonly OpenedKey[]
  } = { version: -1, external: [], keys: [] }
  return ({ ring, at, offsetMs }: Saved): void => {
    const external = source?.keys() ?? NONE
    if (ring.version !== before.version || external !== before.external) {
      before = {
        version: ring.version,
        external,
        keys: openRing({
          ring,
          at,
          monotonicNow: at - offsetMs,
          sealer,
          external,
          before: before.keys,
        }),
      }
    }
    cache.replace({ ring, keys: before.keys, offsetMs })
  }
}

const NONE: readonly ExternalKey[] = []

function describe({ living, signers, now }: View): KeyDescription[] {
  return living.map(
    ({ kid, alg, line, isElsewhere, publishAt, signFrom, signUntil, removeAt }) => {
      const state =
        signers.get(line)?.kid === kid
          ? 'signing'
          : signFrom > now
            ? 'published'
            : 'retiring'
      return {
        kid,
        alg,
        line,
        state,
        isElsewhere,
        publishAt,
        signFrom,
        signUntil,
        removeAt,
      }
    },
  )
}
