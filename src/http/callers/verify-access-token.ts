// Verifying our own access tokens with @fastify/jwt (RFC 9068 §4, RFC 8725): keys from our ring only, each
// pinned to its algorithm.
import { hash } from 'node:crypto'
import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Clock } from '../../base/clock.ts'
import { userTag } from '../../base/ids.ts'
import { ALGORITHM_NAMES } from '../../oauth/algorithms.ts'
import { invalidToken, OAuthError } from '../../oauth/errors.ts'
import type { AccessTokenRef } from '../../stores/ports/access-tokens.ts'
import {
  audiencesOf,
  isAccessTokenClaims,
  MAX_TOKEN_LENGTH,
  type AccessTokenClaims,
} from '../../tokens/access-token.ts'
import { isCanonical } from '../../tokens/compact.ts'
import { createRequestSlot } from '../request/request-slot.ts'

const TYPES: readonly string[] = ['at+jwt', 'JWT']

/** How many verified tokens are remembered, some 6 MB. */
const REMEMBERED = 10_000

/** What verification needs of the key ring. */
export interface VerificationKeys {
  verificationKey(
    kid: string,
  ): { readonly alg: string; readonly publicKey: string } | undefined
}

export interface VerifierOptions {
  readonly issuer: string
  readonly keys: VerificationKeys
  readonly knowsAudience: (audience: string) => boolean
  readonly clock: Clock
}

/**
 * Checks form, signature, type, issuer, audience and times. Whether the token was revoked is the store's to
 * say.
 *
 * @returns undefined when the text is no living access token of ours
 */
export interface VerifyAccessToken {
  (request: FastifyRequest, token: string): Promise<VerifiedToken | undefined>
  /** Whether a token that was just verified is ours, if no living one: its signature was right. */
  isOurs(token: string): boolean
}

/** An access token of ours. */
export interface VerifiedToken {
  readonly claims: AccessTokenClaims
  /** Where the store judges it. */
  readonly ref: AccessTokenRef
  /** The key that signed it. */
  readonly kid: string
}

/** Registers @fastify/jwt and makes the verifier. */
export async function registerVerifier(
  app: FastifyInstance,
  { issuer, keys, knowsAudience, clock }: VerifierOptions,
): Promise<VerifyAccessToken> {
  const presented = createRequestSlot<string>()

  await app.register(jwt, {
    secret: {
      private: '',
      public: async (_request: FastifyRequest, decoded: unknown) =>
        publicKeyFor(decoded, keys),
    },
    decode: { complete: true },
    verify: {
      extractToken: request => presented.get(request),
      algorithms: [...ALGORITHM_NAMES],
      allowedIss: issuer,
      // Times are judged below, by the server's own clock and after the cache.
      ignoreExpiration: true,
      ignoreNotBefore: true,
      requiredClaims: ['iss', 'sub', 'aud', 'client_id', 'iat', 'exp', 'jti', 'sid'],
    },
  })

  async function verify(
    request: FastifyRequest,
    token: string,
  ): Promise<VerifiedToken | undefined> {
    if (!isCanonical(token)) return undefined
    presented.set(request, token)
    const claims: unknown = await request.jwtVerify().catch(asVerdict)
    const decoded: unknown = claims === undefined ? undefined : app.jwt.decode(token)
    return isAccessTokenClaims(claims) && DecodedToken.Check(decoded)
      ? {
          claims,
          kid: decoded.header.kid,
          ref: { userTag: userTag(claims.sub), sid: claims.sid, jti: claims.jti },
        }
      : undefined
  }

  // A signature is checked once. The key is a hash of the whole token: any other has let one token pass for
  // another in the past.
  const remembered = new LRUCache<string, VerifiedToken>({ max: REMEMBERED })
  const idOf = (token: string) => hash('sha256', token, 'base64')

  async function verifyToken(
    request: FastifyRequest,
    token: string,
  ): Promise<VerifiedToken | undefined> {
    if (token.length > MAX_TOKEN_LENGTH) return undefined
    const id = idOf(token)
    const verified = remembered.get(id) ?? (await verify(request, token))
    // What changes with time is asked anew: a key that was retired, the token's end, the audiences.
    if (verified === undefined || keys.verificationKey(verified.kid) === undefined) {
      return undefined
    }
    remembered.set(id, verified)
    const { claims } = verified
    if (!isInTime(claims, clock())) return undefined
    return audiencesOf(claims).some(
      audience => audience === issuer || knowsAudience(audience),
    )
      ? verified
      : undefined
  }

  return Object.assign(verifyToken, {
    isOurs: (token: string) => remembered.has(idOf(token)),
  })
}

function isInTime({ exp, nbf = 0 }: AccessTokenClaims, now: number): boolean {
  return nbf * 1000 <= now && now < exp * 1000
}

const DecodedToken = Compile(
  Type.Object({
    header: Type.Object({ alg: Type.String(), kid: Type.String(), typ: Type.String() }),
  }),
)

function publicKeyFor(decoded: unknown, keys: VerificationKeys): string {
  // An extension that must be understood: there is none that we do (RFC 7515 §4.1.11).
  if (!DecodedToken.Check(decoded) || 'crit' in decoded.header) {
    throw invalidToken('header_wrong')
  }
  const { alg, kid, typ } = decoded.header
  const key = keys.verificationKey(kid)
  if (key === undefined || key.alg !== alg || !TYPES.includes(typ)) {
    throw invalidToken('key_unknown')
  }
  return key.publicKey
}

// A token that is no good makes the library throw; anything else that it throws is a fault.
function asVerdict(error: unknown): undefined {
  if (error instanceof OAuthError) return undefined
  if (
    error instanceof Error &&
    'code' in error &&
    /^FA?ST_JWT_/.test(String(error.code))
  ) {
    return undefined
  }
  throw error
}
