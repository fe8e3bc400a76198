// JWT access tokens (RFC 9068): what they claim.
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { userTag } from '../base/ids.ts'
import type { AccessTokenRef } from '../stores/ports/access-tokens.ts'

/** Tokens longer than this were not made by us. In characters. */
export const MAX_TOKEN_LENGTH = 8192

const Instant = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/**
 * The claims of every access token of ours; seconds where they are times. A token is about the user of a
 * session, which `sid` names, or about a client: then `sub` is its id (RFC 9068 §2.2) and there is no `sid`.
 */
export const AccessTokenClaims = Type.Object({
  iss: Type.String(),
  sub: Type.String({ minLength: 1 }),
  aud: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })]),
  client_id: Type.String(),
  iat: Instant,
  exp: Instant,
  /** We set none, as verifiers' clocks differ; one that is there counts. */
  nbf: Type.Optional(Instant),
  jti: Type.String({ minLength: 1 }),
  sid: Type.Optional(Type.String({ minLength: 1 })),
  scope: Type.Optional(Type.String()),
  auth_time: Type.Optional(Type.Integer()),
  roles: Type.Optional(Type.Array(Type.String())),
  cnf: Type.Optional(
    Type.Object({ jkt: Type.String({ description: 'RFC 9449 §6.1.' }) }),
  ),
  /** IETF Token Status List §6.2. */
  status: Type.Optional(
    Type.Object({
      status_list: Type.Object({ idx: Type.Integer({ minimum: 0 }), uri: Type.String() }),
    }),
  ),
})
export type AccessTokenClaims = Static<typeof AccessTokenClaims>

const claimsCheck = Compile(AccessTokenClaims)

/** Whether a verified payload has the claims of an access token, each of its type. */
export function isAccessTokenClaims(payload: unknown): payload is AccessTokenClaims {
  return claimsCheck.Check(payload) && isAboutSomebody(payload)
}

function isAboutSomebody(claims: AccessTokenClaims): boolean {
  return claims.sid === undefined
    ? claims.sub === claims.client_id
    : claims.auth_time !== undefined
}

/** The audiences of a token as a list. */
export function audiencesOf(claims: AccessTokenClaims): readonly string[] {
  return typeof claims.aud === 'string' ? [claims.aud] : claims.aud
}

/** Where the store judges a token of these claims. */
export function refOf({ sub, sid, jti }: AccessTokenClaims): AccessTokenRef {
  return { userTag: userTag(sub), sid, jti }
}

/** The header types under which we sign access tokens: RFC 9068 §2.1, and what older verifiers insist on. */
export type AccessTokenType = 'at+jwt' | 'JWT'
