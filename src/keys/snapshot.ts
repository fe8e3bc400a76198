// The opened keys of this process, and their state at a moment. Signing, verifying and JWKS read only this.
import { createPrivateKey, createPublicKey, type JsonWebKey } from 'node:crypto'
import { isPair, requireAlgorithm } from '../oauth/algorithms.ts'
import type { StoredKey, StoredRing } from '../stores/ports/documents/keys.ts'
import { inOrder, signerAmong, signerAt, type Instants } from './schedule/instants.ts'
import { publicPem } from './make.ts'
import { MAIN } from './schedule/policy.ts'
import type { Sealer } from './seal.ts'
import type { ExternalKey, Signing } from './external/key-source.ts'

/** A key of the ring, opened. */
export interface OpenedKey extends Instants {
  readonly kid: string
  readonly alg: string
  readonly line: string
  /** SPKI PEM. */
  readonly publicKey: string
  /** As it is published (RFC 7517 §4). */
  readonly jwk: JsonWebKey
  /** Undefined: this process can't sign with it. */
  readonly signing: Signing | undefined
  readonly isElsewhere: boolean
  /** Since when this process has published it, by its monotonic clock. */
  readonly servedSince: number
}

/** The state of the keys at a moment. */
export interface View {
  readonly now: number
  /** The keys that are published and verify, in the order in which they sign. */
  readonly living: readonly OpenedKey[]
  readonly byKid: ReadonlyMap<string, OpenedKey>
  /** The key that signs in each line that has begun. */
  readonly signers: ReadonlyMap<string, OpenedKey & { readonly signing: Signing }>
}

/**
 * A process signs with no key that it has published for less than this, as long as there is another;
 * milliseconds.
 */
const SERVED_MS = 60_000

/**
 * How long the key before such a key may stand in for it: its own removal is later by more than that
 * (SKEW_MS).
 */
const STAND_IN_MS = 120_000

/** What opening needs. */
export interface OpenOptions {
  readonly ring: StoredRing
  /** By the store's clock. */
  readonly at: number
  /** By the monotonic clock. */
  readonly monotonicNow: number
  readonly sealer: Sealer
  readonly external: readonly ExternalKey[]
  /** The keys that this process held before. */
  readonly before: readonly OpenedKey[]
}

/**
 * Opens the keys of a ring. The private key of one that signs no more is not needed: it verifies also after
 * the secret that sealed it is gone.
 *
 * @throws Error when one that may still sign can't be opened, or doesn't sign what its public half verifies
 */
export function openRing({
  ring,
  at,
  monotonicNow,
  sealer,
  external,
  before,
}: OpenOptions): OpenedKey[] {
  return inOrder(ring.keys).map(({ publicJwk, sealed, ...key }) => ({
    ...key,
    publicKey: publicPem(publicJwk),
    jwk: {
      ...publicJwk,
      kid: key.kid,
      use: 'sig',
      alg: key.alg,
    },
    signing:
      sealed === null
        ? external.find(({ kid }) => kid === key.kid)?.signing
        : openSealed({ ...key, sealed, publicJwk }, at, sealer),
    isElsewhere: sealed === null,
    servedSince: before.find(({ kid }) => kid === key.kid)?.servedSince ?? monotonicNow,
  }))
}

type SealedKey = Pick<StoredKey, 'kid' | 'alg' | 'signUntil' | 'publicJwk'> & {
  readonly sealed: string
}

function openSealed(key: SealedKey, at: number, sealer: Sealer): Signing | undefined {
  if (key.signUntil > at) return proven(key, sealer)
  if (key.signUntil + STAND_IN_MS <= at) return undefined
  try {
    return proven(key, sealer)
  } catch {
    return undefined
  }
}

function proven({ kid, alg, sealed, publicJwk }: SealedKey, sealer: Sealer): Signing {
  const privateKey = sealer.open(kid, sealed)
  const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' })
  if (!isPair(requireAlgorithm(alg), createPrivateKey(privateKey), publicKey)) {
    throw new Error(
      `the signing key ${kid} in the store doesn't fit its public half: nobody could verify what it ` +
        'signs. Restore the store from a back-up',
    )
  }
  return { privateKey }
}

/** The state of the keys at a moment: `now` by the store's clock, `monotonicNow` by that of the process. */
export function viewAt(
  keys: readonly OpenedKey[],
  now: number,
  monotonicNow: number,
): View {
  const signers = new Map(
    lines(keys).flatMap(line => {
      const signer = signerOf(
        keys.filter(key => key.line === line),
        { line, now, monotonicNow },
      )
      return signer === undefined ? [] : [[line, signer]]
    }),
  )
  const signing = new Set([...signers.values()].map(({ kid }) => kid))
  // Not by publishAt: a key is in the ring from that instant on, and a clock that was set back must not hide
  // it.
  const living = keys.filter(key => key.removeAt > now || signing.has(key.kid))
  return {
    now,
    living,
    byKid: new Map(living.map(key => [key.kid, key])),
    signers,
  }
}

function lines(keys: readonly OpenedKey[]): string[] {
  return [...new Set(keys.map(({ line }) => line))]
}

type Signer = OpenedKey & { readonly signing: Signing }

interface Moment {
  readonly line: string
  readonly now: number
  readonly monotonicNow: number
}

// A verifier that fetches keys from this process alone must have had the time to learn the key. Right after
// the start no key has been served for long, so the ring alone decides.
function signerOf(keys: readonly OpenedKey[], moment: Moment): Signer | undefined {
  const usable = keys.filter(canSign)
  // A line that hasn't begun has no signer; the main line always has.
  const appointed =
    signerAmong(usable, moment.now, key => key.isElsewhere) ??
    (moment.line === MAIN ? signerAt(usable, moment.now) : undefined)
  if (appointed === undefined || isServed(appointed, moment)) return appointed
  const standIn = usable.findLast(
    key =>
      isServed(key, moment) &&
      key.signFrom <= moment.now &&
      key.signUntil + STAND_IN_MS > moment.now,
  )
  return standIn ?? appointed
}

function isServed({ servedSince }: OpenedKey, { monotonicNow }: Moment): boolean {
  return monotonicNow - servedSince >= SERVED_MS
}

function canSign(key: OpenedKey): key is Signer {
  return key.signing !== undefined
}
