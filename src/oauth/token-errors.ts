// The errors about an access token and its proof, with the challenge of a resource (RFC 6750 §3, RFC 9449
// §7.1).
import type { Reason } from '../base/events/reasons.ts'
import { OAuthError } from './errors.ts'

/**
 * 401: no access token, or an invalid one (RFC 6750 §3, RFC 9449 §7.1). Without any token the challenge names
 * no error.
 */
export function invalidToken(
  reason: Reason,
  scheme: 'Bearer' | 'DPoP' = 'Bearer',
): OAuthError {
  const realm = `${scheme} realm="latchkey"`
  const challenge =
    reason === 'token_missing'
      ? realm
      : `${realm}, error="invalid_token", error_description="the access token is invalid, expired or ` +
        'revoked"'
  return new OAuthError(401, 'invalid_token', {
    description: 'the access token is missing, invalid, expired or revoked',
    reason,
    headers: { 'www-authenticate': challenge },
  })
}

/**
 * 403: the access token is good, but not for this (RFC 6750 §3.1). `scope`: what the request needs, in the
 * scope alphabet.
 */
export function insufficientScope(scope: string, scheme: 'Bearer' | 'DPoP'): OAuthError {
  const challenge = `${scheme} realm="latchkey", error="insufficient_scope", scope="${scope}"`
  return new OAuthError(403, 'insufficient_scope', {
    description: 'the access token does not hold the scope that is needed here',
    reason: 'scope_insufficient',
    headers: { 'www-authenticate': challenge },
  })
}

/** 400: the DPoP proof is missing or invalid (RFC 9449 §5). */
export function invalidDpopProof(reason: Reason): OAuthError {
  return new OAuthError(400, 'invalid_dpop_proof', {
    description: 'the DPoP proof is missing or invalid',
    reason,
  })
}

/** 400: the DPoP proof must carry the nonce that this answer hands out (RFC 9449 §8). */
export function useDpopNonce(nonce: string): OAuthError {
  return new OAuthError(400, 'use_dpop_nonce', {
    description: 'the DPoP proof must carry the nonce of the DPoP-Nonce header',
    reason: 'dpop_nonce_wanted',
    headers: { 'dpop-nonce': nonce },
  })
}

/** An error about a DPoP proof as a resource server answers it: 401 with a challenge (RFC 9449 §7.1). */
export function asChallenge(
  { code, message, reason, headers }: OAuthError,
  algorithms: readonly string[],
): OAuthError {
  const challenge = `DPoP realm="latchkey", error="${code}", algs="${algorithms.join(' ')}"`
  return new OAuthError(401, code, {
    description: message,
    reason,
    headers: {
      ...headers,
      'www-authenticate': challenge,
    },
  })
}
