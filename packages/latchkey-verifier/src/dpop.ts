// Proofs of possession (RFC 9449): the caller shows, for this one request, that it holds the key that its
// token is bound to.
import { createHash } from 'node:crypto'
import {
  calculateJwkThumbprint,
  decodeProtectedHeader,
  EmbeddedJWK,
  jwtVerify,
} from 'jose'

const MAX_LENGTH = 4_096
/** How far the `iat` of a proof may be from now. */
const AGE_SECONDS = 60
/** How many proofs are remembered. Those beyond are refused, not taken unseen. */
const MOST_SEEN = 100_000

/** What a proof must be for. */
export interface Bound {
  readonly token: string
  /** The thumbprint in the token's `cnf.jkt`. */
  readonly jkt: string
  readonly method: string
  /** As the caller sees it, with its scheme and host. */
  readonly url: string
}

/** Rejects unless the proof is one for this request (RFC 9449 §4.3), sent for the first time. */
export type CheckProof = (proof: string | undefined, bound: Bound) => Promise<void>

/** Makes the check. What it has seen stands in this process alone: a replay to another one isn't noticed. */
export function createCheckProof(algorithms: readonly string[]): CheckProof {
  const seen = new Map<string, number>()

  /** Notes a proof. Throws if it was there before. */
  function noteOnce(name: string, until: number, now: number): void {
    // They were put in about in the order in which they end.
    for (const [old, end] of seen) {
      if (end >= now) break
      seen.delete(old)
    }
    if (seen.has(name)) throw new Error('the proof was used before')
    if (seen.size >= MOST_SEEN) throw new Error('too many proofs in a minute')
    seen.set(name, until)
  }

  return async (proof, { token, jkt, method, url }) => {
    if (proof === undefined || proof.length > MAX_LENGTH) throw new Error('no proof')
    // The key comes first: Latchkey has looked at the one of the token, and at no other.
    const { jwk } = decodeProtectedHeader(proof)
    if (jwk === undefined || (await calculateJwkThumbprint(jwk)) !== jkt) {
      throw new Error('the proof is by another key')
    }
    const { payload } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...algorithms],
      requiredClaims: ['jti', 'htm', 'htu', 'iat', 'ath'],
      // `exp` and `nbf`, where a proof has them, are the client's clock, as `iat` is.
      clockTolerance: AGE_SECONDS,
    })
    const now = Date.now() / 1000
    const { iat = 0, jti = '' } = payload
    const digest = createHash('sha256').update(token).digest('base64url')
    if (payload['ath'] !== digest) throw new Error('the proof is for another token')
    if (payload['htm'] !== method || plain(payload['htu']) !== plain(url)) {
      throw new Error('the proof is for another request')
    }
    if (Math.abs(now - iat) > AGE_SECONDS) throw new Error('the proof is of another time')
    noteOnce(
      `${jkt} ${createHash('sha256').update(jti).digest('base64url')}`,
      iat + AGE_SECONDS,
      now,
    )
  }
}

/** A URL without query and fragment, as the standard compares them (RFC 9449 §4.3, 9). */
function plain(url: unknown): string {
  const { origin, pathname } = new URL(String(url))
  return `${origin}${pathname}`
}
