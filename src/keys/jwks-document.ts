// JWKS, the document that verifiers fetch (RFC 7517 §5): serialised once per ring, with the life of a copy.
import { createHash, type JsonWebKey } from 'node:crypto'
import type { AlgorithmName } from '../oauth/algorithms.ts'
import { instantsOf, type Instants } from './schedule/instants.ts'

/**
 * The longest that a copy of the keys may be kept, in milliseconds. Obedient verifiers remember a dropped key
 * for that long; the ring publishes keys days before they sign, so a new one needs no shorter
 * life.
 */
export const CACHE_LIFE_MS = 300_000

/**
 * After an instant of the ring the servers plan what follows; until that is done nothing should be kept.
 * Milliseconds.
 */
const PLANNING_MS = 2_000

/** The keys as they are served. */
export interface JwksDocument {
  /** JSON. */
  readonly body: string
  /** A strong entity tag (RFC 9110 §8.8.3): the same for the same bytes. */
  readonly etag: string
}

/** The documents of one ring: of all keys, or of those of one algorithm, which may be none. */
export type JwksDocuments = (algorithm?: AlgorithmName) => JwksDocument

/** Serialises the keys of a ring, each document once. */
export function createJwksDocuments(
  keys: readonly { readonly alg: string; readonly jwk: JsonWebKey }[],
): JwksDocuments {
  const made = new Map<AlgorithmName | undefined, JwksDocument>()
  return algorithm => {
    const known = made.get(algorithm)
    if (known !== undefined) return known
    const chosen = keys.filter(({ alg }) => algorithm === undefined || alg === algorithm)
    const document = jwksDocument(chosen.map(({ jwk }) => jwk))
    made.set(algorithm, document)
    return document
  }
}

function jwksDocument(keys: readonly JsonWebKey[]): JwksDocument {
  const body = JSON.stringify({ keys })
  return {
    body,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
  }
}

/**
 * When the keys that are published change next; an instant that has just passed counts until its change must
 * have been made.
 */
export function changeAfter(keys: readonly Instants[], now: number): number {
  return Math.min(...keys.flatMap(instantsOf).filter(at => at > now - PLANNING_MS))
}

/** How long a copy may be kept, in milliseconds: no longer than the keys stay as they are. */
export function cacheLife(changesAt: number, now: number): number {
  return Math.max(0, Math.min(CACHE_LIFE_MS, changesAt - now))
}
