// Our own access tokens at the server: those that a request names, and those that it carries. Both go through
// the one verifier (src/tokens/verifier.ts); @fastify/jwt reads the Authorization header for it.
import { hash } from 'node:crypto'
import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Clock } from '../../base/clock.ts'
import { ALGORITHM_NAMES } from '../../oauth/algorithms.ts'
import { readBearer } from '../../oauth/bearer.ts'
import { OAuthError } from '../../oauth/errors.ts'
import { invalidToken } from '../../oauth/token-errors.ts'
import type { AccessTokenRef } from '../../stores/ports/access-tokens.ts'
import { refOf, type AccessTokenClaims } from '../../tokens/access-token.ts'
import {
  createTokenVerifier,
  isWellFormed,
  type ReadToken,
  type SignedToken,
  type TokenVerifier,
  type TokenVerifierOptions,
} from '../../tokens/verifier.ts'

/** How many verified tokens are remembered, some 6 MB. */
const REMEMBERED = 10_000

export type VerifierOptions = Omit<TokenVerifierOptions, 'now'> & {
  readonly clock: Clock
  readonly wasSignedHere: (text: string) => boolean
}

/** A living access token of ours. */
export interface VerifiedToken {
  readonly kind: 'ok'
  readonly claims: AccessTokenClaims
  /** Where the store judges it. */
  readonly ref: AccessTokenRef
}

/** What is remembered of a token. */
interface KnownToken extends SignedToken {
  readonly ref: AccessTokenRef
}

/** No such token. `isOurs`: its signature was right. */
export interface RefusedToken {
  readonly kind: 'refused'
  readonly isOurs: boolean
}

/**
 * Checks form, signature, type, issuer, audience and times. Whether the token was revoked is the store's to
 * say. What else goes wrong is thrown, and no verdict on the token.
 */
export interface VerifyAccessToken {
  /** Verifies a token that a request names as a parameter. */
  named(token: string): VerifiedToken | RefusedToken
  /**
   * Verifies the token in a request's Authorization header.
   *
   * @throws OAuthError invalid_token when there is none
   */
  carried(request: FastifyRequest): Promise<VerifiedToken | RefusedToken>
}

/** Registers @fastify/jwt and makes both functions. */
export async function registerVerifier(
  app: FastifyInstance,
  { clock, ...options }: VerifierOptions,
): Promise<VerifyAccessToken> {
  const verifier = createTokenVerifier({ ...options, now: clock })
  const readForeign = await registerJwt(app, verifier)
  // A signature is checked once. The key is a hash of the whole token: any other has let one token pass for
  // another in the past.
  const remembered = new LRUCache<string, KnownToken>({ max: REMEMBERED })
  const idOf = (token: string) => hash('sha256', token, 'base64')
  const remember = (id: string, token: SignedToken) => {
    // Where the store judges it is a hash as well, of whom it is about.
    const known = { ...token, ref: refOf(token.claims) }
    remembered.set(id, known)
    return known
  }

  function judge(token: KnownToken): VerifiedToken | RefusedToken {
    // What changes with time is asked anew: a key that was retired, the token's end, the audiences.
    return verifier.judge(token).kind === 'ok'
      ? { kind: 'ok', claims: token.claims, ref: token.ref }
      : { kind: 'refused', isOurs: true }
  }

  return {
    named(text) {
      // What is remembered was well-formed: that is checked once, too.
      const id = idOf(text)
      const known = remembered.get(id)
      if (known !== undefined) return judge(known)
      const token = verifier.read(text)
      return token.kind === 'ok' ? judge(remember(id, token)) : FOREIGN
    },
    async carried(request) {
      const { token: text } = readBearer(request.headers.authorization)
      const id = idOf(text)
      const known = remembered.get(id)
      if (known !== undefined) return judge(known)
      const token = options.wasSignedHere(text)
        ? verifier.read(text)
        : await readForeign(request)
      return token.kind === 'ok' ? judge(remember(id, token)) : FOREIGN
    },
  }
}

const FOREIGN: RefusedToken = { kind: 'refused', isOurs: false }

/** Registers @fastify/jwt with the verifier's rules; gives what reads the token that a request carries. */
async function registerJwt(
  app: FastifyInstance,
  verifier: Pick<TokenVerifier, 'keyFor' | 'claimsOf'>,
): Promise<(request: FastifyRequest) => Promise<ReadToken | RefusedToken>> {
  await app.register(jwt, {
    secret: {
      public: async (_request: FastifyRequest, decoded: unknown) =>
        publicKeyFor(decoded, verifier),
    },
    decode: { complete: true },
    verify: {
      extractToken: wellFormedToken,
      algorithms: [...ALGORITHM_NAMES],
      complete: true,
      // Times are judged by the server's own clock, also for a token that is remembered.
      ignoreExpiration: true,
      ignoreNotBefore: true,
    },
  })

  return async function readForeign(request) {
    const token: unknown = await request.jwtVerify().catch(asVerdict)
    if (!CompleteToken.Check(token)) return FOREIGN
    const checked = verifier.claimsOf(token.payload)
    return checked.kind === 'ok' ? { ...checked, kid: token.header.kid } : FOREIGN
  }
}

const CompleteToken = Compile(
  Type.Object({ header: Type.Object({ kid: Type.String() }), payload: Type.Unknown() }),
)

// Without a token @fastify/jwt refuses the request.
function wellFormedToken({ headers }: FastifyRequest): string | undefined {
  const { token } = readBearer(headers.authorization)
  return isWellFormed(token) ? token : undefined
}

function publicKeyFor(
  decoded: unknown,
  { keyFor }: Pick<TokenVerifier, 'keyFor'>,
): string {
  const key = keyFor(decoded)
  if (key.kind === 'refused') throw invalidToken('token_invalid')
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
