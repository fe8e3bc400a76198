// Verifies an access token as a resource server would, with the published keys alone; for the command line.
import { createDecoder, createVerifier } from 'fast-jwt'
import type { VerificationKey } from '../keys/ring.ts'
import { requireAlgorithm } from '../oauth/algorithms.ts'
import {
  isAccessTokenClaims,
  MAX_TOKEN_LENGTH,
  type AccessTokenClaims,
} from './access-token.ts'

/** The parts of a JWT that anybody can read. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
}

/** What comes of verifying. */
export type OfflineVerdict =
  | { readonly kind: 'ok'; readonly claims: AccessTokenClaims }
  | {
      readonly kind: 'refused'
      readonly reason:
        | 'token_malformed'
        | 'type_wrong'
        | 'key_unknown'
        | 'algorithm_wrong'
        | 'claims_incomplete'
        | 'signature_invalid'
        | 'issuer_wrong'
        | 'token_expired'
    }

/** Where the keys are looked up: the key ring. */
export interface VerificationKeys {
  verificationKey(kid: string): VerificationKey | undefined
}

const decode = createDecoder({ complete: true })
const TYPES: readonly unknown[] = ['at+jwt', 'application/at+jwt', 'JWT']

/** Decodes a token without believing it; undefined when it is no JWT. */
export function decodeToken(jwt: string): DecodedToken | undefined {
  if (jwt.length > MAX_TOKEN_LENGTH) return undefined
  try {
    const { header, payload } = decode(jwt)
    return { header, payload }
  } catch {
    return undefined
  }
}

/**
 * Checks type, algorithm, signature, issuer and times; revocation is the store's to tell. `now` in
 * milliseconds.
 */
export function verifyWithRing(
  jwt: string,
  ring: VerificationKeys,
  { issuer, now }: { issuer: string; now: number },
): OfflineVerdict {
  const decoded = decodeToken(jwt)
  if (decoded === undefined) return refused('token_malformed')
  const { header, payload } = decoded
  if (!TYPES.includes(header['typ'])) return refused('type_wrong')
  const key = ring.verificationKey(String(header['kid']))
  if (key === undefined) return refused('key_unknown')
  if (header['alg'] !== key.alg) return refused('algorithm_wrong')
  if (!isSigned(jwt, key, now)) return refused('signature_invalid')
  if (!isAccessTokenClaims(payload)) return refused('claims_incomplete')
  if (payload.iss !== issuer) return refused('issuer_wrong')
  return payload.exp * 1000 <= now
    ? refused('token_expired')
    : { kind: 'ok', claims: payload }
}

function isSigned(
  jwt: string,
  { alg, publicKey }: VerificationKey,
  now: number,
): boolean {
  const verify = createVerifier({
    key: publicKey,
    algorithms: [requireAlgorithm(alg).name],
    clockTimestamp: now,
    ignoreExpiration: true,
    cache: false,
  })
  try {
    verify(jwt)
    return true
  } catch {
    // The key is a good one, or there would be no verifier: whatever is thrown is said of the token.
    return false
  }
}

function refused<const Reason>(reason: Reason) {
  return { kind: 'refused' as const, reason }
}
