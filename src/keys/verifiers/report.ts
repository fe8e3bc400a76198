// The report on the keys for an operator: the next rotation, the secrets that are still needed, the verifiers
// that were seen, and those that a change would hurt.
import type { StoredRing } from '../../stores/ports/documents/keys.ts'
import type {
  SeenVerifier,
  StoredSightings,
} from '../../stores/ports/documents/sightings.ts'
import type { StoredSecretList } from '../../stores/ports/documents/secret-lists.ts'
import type { KeyDescription } from '../ring.ts'
import { sealedUnder } from '../../base/sealed-text.ts'
import { addressesOf, nameOf } from './sightings.ts'

/** The next rotation of a line of keys. */
export interface NextRotation {
  readonly line: string
  readonly at: number
  /** The key that takes over. */
  readonly kid: string
}

/** The next rotation of each line. */
export function nextRotations(keys: readonly KeyDescription[]): NextRotation[] {
  const upcoming = keys.filter(({ state }) => state === 'published')
  const first = upcoming.filter(
    (key, index) => upcoming.findIndex(({ line }) => line === key.line) === index,
  )
  return first.map(({ line, signFrom, kid }) => ({ line, at: signFrom, kid }))
}

/** Whether a configured secret is still needed. */
export interface SecretStatus {
  /** Its place in the configuration, from 0. */
  readonly index: number
  readonly fingerprint: string
  /** Whether every running server has it; the first one may be a secret of these only. */
  readonly isEverywhere: boolean
  /**
   * `first`: it seals here; `next`: it has sealed nothing yet; `previous`: it has, and servers may still need
   * it.
   */
  readonly state: 'first' | 'next' | 'previous'
  /** The keys that it has sealed. */
  readonly kids: readonly string[]
  /**
   * When the last refresh token that it may have made has ended, in milliseconds; null: it makes new ones, or
   * has made none.
   */
  readonly neededUntil: number | null
}

/** What the report on secrets needs. */
export interface SecretFacts {
  readonly ring: StoredRing
  /** The fingerprints of the configured secrets, in their order. */
  readonly secretIds: readonly string[]
  /** Those of the servers that run. */
  readonly lists: readonly StoredSecretList[]
  /** The longest life of a session, in milliseconds. */
  readonly refreshAbsoluteMs: number
}

/** Reports of every configured secret whether it may move to the front, or go. */
export function secretStatus({
  ring: { keys, secrets },
  secretIds,
  lists,
  refreshAbsoluteMs,
}: SecretFacts): SecretStatus[] {
  const [first] = secretIds
  const since = secrets.find(({ id }) => id === first)?.since
  return secretIds.map((id, index) => {
    const kids = keys
      .filter(({ sealed }) => sealed !== null && sealedUnder(sealed) === id)
      .map(({ kid }) => kid)
    const hasSealed = kids.length > 0 || secrets.some(known => known.id === id)
    const state = index === 0 ? 'first' : hasSealed ? 'previous' : 'next'
    const sealsElsewhere = lists.some(list => list.secrets[0]?.id === id)
    return {
      index,
      fingerprint: id,
      isEverywhere: lists.every(list => list.secrets.some(mark => mark.id === id)),
      state,
      kids,
      neededUntil:
        state !== 'previous' || since === undefined || sealsElsewhere
          ? null
          : since + refreshAbsoluteMs,
    }
  })
}

/** How a verifier was seen to fetch the keys. */
export interface VerifierStatus extends SeenVerifier {
  readonly name: string
  /** Whether that is the name of a client: anybody may fetch the keys in its name. */
  readonly isClaimed: boolean
  readonly addresses: readonly string[]
  /** The middle one of its last gaps; null: it was seen once. Milliseconds. */
  readonly everyMs: number | null
  /** The longest of them. */
  readonly longestMs: number | null
  /** Whether it fetches so rarely that a rotation may find it without the next key. */
  readonly isSlow: boolean
}

/** Describes the verifiers, those that fetch most rarely first. */
export function verifierStatus(
  { verifiers }: Pick<StoredSightings, 'verifiers'>,
  publishAheadMs: number,
): VerifierStatus[] {
  return verifiers
    .map(verifier => {
      const gaps = verifier.gaps.toSorted((a, b) => a - b)
      const longestMs = gaps.at(-1) ?? null
      return {
        ...verifier,
        name: nameOf(verifier),
        isClaimed: verifier.clientId !== null,
        addresses: addressesOf(verifier),
        everyMs: gaps[gaps.length >> 1] ?? null,
        longestMs,
        isSlow: longestMs !== null && longestMs > publishAheadMs,
      }
    })
    .toSorted((a, b) => Math.max(0, ...b.gaps) - Math.max(0, ...a.gaps))
}

/**
 * The verifiers that have not fetched the keys since that instant, and so don't know a key that was published
 * then.
 */
export function unaware(
  verifiers: readonly VerifierStatus[],
  publishedAt: number,
): VerifierStatus[] {
  return verifiers.filter(({ lastAt }) => lastAt < publishedAt)
}

/**
 * The clients in whose names the keys were fetched since that instant: they may or may not know a key that
 * was published then.
 */
export function unproven(
  verifiers: readonly VerifierStatus[],
  publishedAt: number,
): VerifierStatus[] {
  return verifiers.filter(({ isClaimed, lastAt }) => isClaimed && lastAt >= publishedAt)
}

/**
 * The verifiers that may not fetch the keys within that time. A client is always one of them: others may have
 * fetched in its name.
 */
export function slowerThan(
  verifiers: readonly VerifierStatus[],
  ms: number,
): VerifierStatus[] {
  return verifiers.filter(
    ({ isClaimed, longestMs }) => isClaimed || longestMs === null || longestMs > ms,
  )
}
