// ID tokens (OIDC Core §2): what they claim. One says to a client which user logged in, and opens nothing: it
// has neither `client_id` nor `jti`, without which nothing is an access token of ours (access-token.ts), and
// its audience is the client, which no access token is for.
import { hash } from 'node:crypto'
import type { Algorithm } from '../oauth/algorithms.ts'
import type { User } from '../stores/ports/subjects.ts'
import type { AccessTokenClaims } from './access-token.ts'
import { userClaims, type UserClaims, type UserClaimSource } from './user-claims.ts'

/** The claims of an ID token; seconds where they are times. */
export type IdTokenClaims = UserClaims & {
  readonly iss: string
  readonly sub: string
  /** The client alone, so that there is no `azp`. */
  readonly aud: string
  readonly iat: number
  readonly exp: number
  /** When the password was checked; the same at every refresh (OIDC Core §12.2). */
  readonly auth_time: number | undefined
  readonly sid: string | undefined
  readonly at_hash: string
}

/** What an ID token is made of. */
export interface IdTokenParts extends Pick<
  UserClaimSource,
  'user' | 'scope' | 'isDeclared'
> {
  readonly user: User
  /** The access token that it comes with: both are of one session and live equally long. */
  readonly access: { readonly token: string; readonly claims: AccessTokenClaims }
}

/** The claims of an ID token that is signed by this algorithm. */
export function idTokenClaims(
  { user, scope, isDeclared, access: { token, claims } }: IdTokenParts,
  algorithm: Pick<Algorithm, 'tokenHash'>,
): IdTokenClaims {
  return {
    iss: claims.iss,
    sub: user.sub,
    aud: claims.client_id,
    iat: claims.iat,
    exp: claims.exp,
    auth_time: claims.auth_time,
    sid: claims.sid,
    at_hash: accessTokenHash(token, algorithm),
    ...userClaims({
      user,
      scope,
      isDeclared,
      mapped: claims,
    }),
  }
}

/** `at_hash`: the left half of the access token's hash (OIDC Core §3.1.3.6). */
export function accessTokenHash(
  token: string,
  { tokenHash }: Pick<Algorithm, 'tokenHash'>,
): string {
  const digest = hash(tokenHash, token, 'buffer')
  return digest.subarray(0, digest.length / 2).toString('base64url')
}
