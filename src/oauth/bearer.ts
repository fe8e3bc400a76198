// The access token in an Authorization header (RFC 6750 §2.1, RFC 9449 §7.1).
import { invalidToken } from './token-errors.ts'

const SCHEME = /^(Bearer|DPoP)(?: |$)/i
const CREDENTIALS = /^\w+ +([A-Za-z0-9._~+/-]+=*) *$/

/** How an access token was sent. */
export interface BearerCredentials {
  readonly scheme: 'Bearer' | 'DPoP'
  readonly token: string
}

/**
 * Reads the header's value; undefined: there is none.
 *
 * @throws OAuthError invalid_token; without an error code in its challenge when no access token was sent
 * (RFC 6750 §3)
 */
export function readBearer(authorization = ''): BearerCredentials {
  const [, named] = SCHEME.exec(authorization) ?? []
  if (named === undefined) throw invalidToken('token_missing')
  const scheme = named.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer'
  const [, token] = CREDENTIALS.exec(authorization) ?? []
  if (token === undefined) throw invalidToken('token_malformed', scheme)
  return { scheme, token }
}
