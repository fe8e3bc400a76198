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
/** How many proofs are remembered. For those beyond there is a fault: they aren't taken unseen. */
const MOST_SEEN = 200_000
/** How many of one key's: no client takes the room of all others. */
const MOST_OF_KEY = MOST_SEEN / 4

/** What a proof must be for. */
export interface Bound {
  readonly token: string
  /** The thumbprint in the token's `cnf.jkt`. */
  readonly jkt: string
  readonly method: string
  /** As the caller sees it, with its scheme and host. */
  readonly url: string
}

/**
 * Rejects unless the proof is one for this request (RFC 9449 §4.3). It gives what uses the proof up, for the
 * end of all other checks: that throws if the proof was used before, and NoRoom.
 */
export type CheckProof = (proof: string | undefined, bound: Bound) => Promise<() => void>

/** So many proofs came in a minute that this one can't be told from one that was used: no verdict on it. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom'
}

/** The proofs that end within the same minute, by their keys. */
interface Minute {
  size: number
  readonly ofKey: Map<string, Set<string>>
}

/** Makes the check. What it has seen stands in this process alone: a replay to another one isn't noticed. */
export function createCheckProof(algorithms: readonly string[]): CheckProof {
  const noteOnce = createNoteOnce()

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
    const name = createHash('sha256').update(jti).digest('base64url')
    return () => {
      noteOnce(jkt, name, iat + AGE_SECONDS)
    }
  }
}

/** Makes the memory. It notes a name of a key until then; throws if it was there before, and NoRoom. */
export function createNoteOnce(): (jkt: string, name: string, until: number) => void {
  // Three at most: a proof ends within two minutes.
  const minutes = new Map<number, Minute>()
  return (jkt, name, until) => {
    const now = Math.floor(Date.now() / 60_000)
    for (const minute of minutes.keys()) if (minute < now) minutes.delete(minute)
    const all = [...minutes.values()]
    const ofKey = all.flatMap(minute => minute.ofKey.get(jkt) ?? [])
    if (ofKey.some(names => names.has(name))) {
      throw new Error('the proof was used before')
    }
    if (
      sum(all.map(minute => minute.size)) >= MOST_SEEN ||
      sum(ofKey.map(names => names.size)) >= MOST_OF_KEY
    ) {
      throw new NoRoom('too many proofs in a minute')
    }
    const end = Math.floor(until / 60)
    const minute = minutes.get(end) ?? { size: 0, ofKey: new Map<string, Set<string>>() }
    minutes.set(end, minute)
    minute.ofKey.set(jkt, (minute.ofKey.get(jkt) ?? new Set()).add(name))
    minute.size += 1
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** A URL without query and fragment, as the standard compares them (RFC 9449 §4.3, 9). */
function plain(url: unknown): string {
  const { origin, pathname } = new URL(String(url))
  return `${origin}${pathname}`
}
