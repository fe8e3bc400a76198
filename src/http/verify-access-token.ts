// Verifying our own access tokens with @fastify/jwt (RFC 9068 §4, RFC 8725): keys from our ring only, each pinned to its algorithm.
import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Clock } from '../clock.ts'
import { invalidToken, OAuthError } from '../oauth/errors.ts'
import { audiencesOf, isAccessTokenClaims, MAX_TOKEN_LENGTH, type AccessTokenClaims } from '../tokens/access-token.ts'
import { isCanonical } from '../tokens/compact.ts'

const TYPES: readonly string[] = ['at+jwt', 'JWT']

/** What verification needs of the key ring. */
export interface VerificationKeys {
  verificationKey (kid: string): { readonly alg: string, readonly publicKey: string } | undefined
}

export interface VerifierOptions {
  readonly issuer: string
  readonly keys: VerificationKeys
  readonly knowsAudience: (audience: string) => boolean
  readonly clock: Clock
}

/**
 * Checks form, signature, type, issuer, audience and times. Whether the token was revoked is the store's to say.
 *
 * @returns the claims, or undefined when the text is no living access token of ours
 */
export type VerifyAccessToken = (request: FastifyRequest, token: string) => Promise<AccessTokenClaims | undefined>

/** Registers @fastify/jwt and makes the verifier. */
export async function registerVerifier (app: FastifyInstance, { issuer, keys, knowsAudience, clock }: VerifierOptions): Promise<VerifyAccessToken> {
  const presented = new WeakMap<FastifyRequest, string>()

  await app.register(jwt, {
    secret: { private: '', public: async (_request: FastifyRequest, decoded: unknown) => publicKeyFor(decoded, keys) },
    decode: { complete: true },
    verify: {
      extractToken: request => presented.get(request),
      algorithms: ['ES256', 'RS256', 'PS256', 'EdDSA'],
      allowedIss: issuer,
      // Times are judged below, by the server's own clock and after the cache.
      ignoreExpiration: true,
      ignoreNotBefore: true,
      requiredClaims: ['iss', 'sub', 'aud', 'client_id', 'iat', 'exp', 'jti', 'sid'],
      // Keyed by the library's own hash of the whole token: any other key has let one token pass for another in the past.
      cache: true,
      errorCacheTTL: -1,
    },
  })

  return async (request, token) => {
    if (token.length > MAX_TOKEN_LENGTH || !isCanonical(token)) return undefined
    presented.set(request, token)
    const payload: unknown = await request.jwtVerify().catch(asVerdict)
    if (!isAccessTokenClaims(payload) || !isInTime(payload, clock())) return undefined
    return audiencesOf(payload).some(audience => audience === issuer || knowsAudience(audience)) ? payload : undefined
  }
}

function isInTime ({ exp, nbf = 0 }: AccessTokenClaims, now: number): boolean {
  return nbf * 1000 <= now && now < exp * 1000
}

const DecodedToken = Compile(Type.Object({ header: Type.Object({ alg: Type.String(), kid: Type.String(), typ: Type.String() }) }))

function publicKeyFor (decoded: unknown, keys: VerificationKeys): string {
  // An extension that must be understood: there is none that we do (RFC 7515 §4.1.11).
  if (!DecodedToken.Check(decoded) || 'crit' in decoded.header) throw invalidToken('header_wrong')
  const { alg, kid, typ } = decoded.header
  const key = keys.verificationKey(kid)
  if (key === undefined || key.alg !== alg || !TYPES.includes(typ)) throw invalidToken('key_unknown')
  return key.publicKey
}

// A token that is no good makes the library throw; anything else that it throws is a fault.
function asVerdict (error: unknown): undefined {
  if (error instanceof OAuthError) return undefined
  if (error instanceof Error && 'code' in error && /^FA?ST_JWT_/.test(String(error.code))) return undefined
  throw error
}
