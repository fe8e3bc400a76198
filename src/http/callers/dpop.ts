// DPoP (RFC 9449): whether a request proves that its sender holds a key, and which. The proof must be made
// for this very request, now, once, and where nonces are wanted with one of ours.
import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../../base/clock.ts'
import { invalidDpopProof, useDpopNonce } from '../../oauth/token-errors.ts'
import { normaliseHttpUri } from '../../oauth/uri.ts'
import type { Replays } from '../../stores/ports/replays.ts'
import type { Nonces } from '../../tokens/dpop-nonce.ts'
import { readProof, type Proof } from '../../tokens/dpop-proof.ts'

export interface DpopOptions {
  readonly replays: Replays
  readonly nonces: Nonces
  /**
   * As configured now: how far a proof's `iat` may be from our time, in milliseconds, and whether it must
   * carry a nonce.
   */
  readonly settings: () => { readonly proofAge: number; readonly nonce: boolean }
  readonly clock: Clock
}

/** What a proof must have been made for. */
export interface ProofTarget {
  readonly method: string
  /** The URL of the endpoint as clients know it, without query and fragment. */
  readonly url: string
  /** At a resource: the access token that comes with the proof. */
  readonly accessToken?: string
}

/**
 * The thumbprint of the key that the request proves to hold; undefined when it carries no proof.
 *
 * @throws OAuthError invalid_dpop_proof, use_dpop_nonce; StoreUnavailable when nobody can say whether the
 * proof was used before
 */
export type ProvenKey = (
  request: FastifyRequest,
  reply: FastifyReply,
  target: ProofTarget,
) => Promise<string | undefined>

/** Makes the function that checks proofs. */
export function createProvenKey({
  replays,
  nonces,
  settings,
  clock,
}: DpopOptions): ProvenKey {
  return async (request, reply, target) => {
    const { dpop } = request.headers
    if (dpop === undefined) return undefined
    // Two headers are joined by a comma, which no proof holds.
    const proof = readProof(String(dpop))
    if (proof === undefined) throw invalidDpopProof('dpop_malformed')
    const { proofAge, nonce } = settings()
    checkTarget(proof, target)
    if (Math.abs(clock() - proof.iat * 1000) > proofAge) {
      throw invalidDpopProof('dpop_stale')
    }
    if (nonce) {
      if (proof.nonce === undefined || !nonces.isGood(proof.nonce)) {
        throw useDpopNonce(nonces.current())
      }
      reply.header('dpop-nonce', nonces.current())
    }
    // Once is for as long as anybody could take it: from the earliest to the latest instant at which its iat
    // is acceptable.
    if (!(await replays.once(replayId(proof), 2 * proofAge))) {
      throw invalidDpopProof('dpop_replayed')
    }
    return proof.jkt
  }
}

function checkTarget(
  { htm, htu, ath }: Proof,
  { method, url, accessToken }: ProofTarget,
): void {
  if (htm !== method) throw invalidDpopProof('dpop_other_method')
  // RFC 9449 §4.3: without query and fragment.
  const wanted = normaliseHttpUri(url)
  if (wanted === undefined || normaliseHttpUri(htu) !== wanted) {
    throw invalidDpopProof('dpop_other_url')
  }
  if (
    accessToken !== undefined &&
    ath !== createHash('sha256').update(accessToken).digest('base64url')
  ) {
    throw invalidDpopProof('dpop_other_token')
  }
}

// Of fixed length whatever the client chose, and no client can use up another's ids.
function replayId({ jkt, jti }: Proof): string {
  return createHash('sha256')
    .update(`${jkt} ${jti}`)
    .digest()
    .subarray(0, 16)
    .toString('base64url')
}
