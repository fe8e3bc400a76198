// Checks Latchkey's access tokens offline (RFC 9068 §4) and refuses as RFC 6750 §3 says.
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose'
import { createIsRevoked, LEEWAY_SECONDS, type StatusReference } from './status-list.ts'

// Latchkey publishes a key a week before it signs with it, and drops one that leaked at once.
const RELOAD_MS = 300_000

/** What a verified token says. */
export interface Bearer extends JWTPayload {
  readonly sub: string
  readonly scope?: string
  readonly roles?: readonly string[]
  readonly status?: { readonly status_list: StatusReference }
}

/** A refusal with its challenge (RFC 6750 §3), or a fault without one: that says nothing about the token. */
export class Refusal extends Error {
  readonly statusCode: 401 | 403 | 503
  readonly challenge: string | undefined

  constructor(
    statusCode: Refusal['statusCode'],
    error: string,
    challenge?: string,
    cause?: unknown,
  ) {
    super(error, { cause })
    this.statusCode = statusCode
    this.challenge = challenge
  }
}

/** Gives the bearer of a request; throws a Refusal. */
export type BearerOf = (
  authorization: string | undefined,
  scope: string,
) => Promise<Bearer>

export interface BearerOptions {
  readonly issuer: string
  readonly audience: string
  /** Aborted when the service stops. */
  readonly signal: AbortSignal
}

/**
 * Makes the check. The keys are kept and asked for again every five minutes, and at once for a key that is
 * not known (at most every 30 seconds). While Latchkey is away the known ones stay in force. A revoked token
 * is refused once the copy of its status list is older than the list's `ttl`.
 */
export function createBearerOf({ issuer, audience, signal }: BearerOptions): BearerOf {
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
    timeoutDuration: 5_000,
    cooldownDuration: 30_000,
    cacheMaxAge: Infinity,
  })
  const timer = setInterval(() => {
    keys.reload().catch(() => {})
  }, RELOAD_MS)
  signal.addEventListener('abort', () => {
    clearInterval(timer)
  })
  const isRevoked = createIsRevoked({ issuer, keys })
  const checks = {
    issuer,
    audience,
    typ: 'at+jwt',
    algorithms: ['ES256'],
    clockTolerance: LEEWAY_SECONDS,
    requiredClaims: ['sub', 'exp', 'iat'],
  }

  return async (authorization, scope) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    // Nothing was presented, so nothing was wrong with it (RFC 6750 §3.1).
    if (token === undefined) {
      throw new Refusal(401, 'unauthorized', `Bearer scope="${scope}"`)
    }
    const { payload } = await jwtVerify<Bearer>(token, keys, checks).catch(asRefusal)
    // A list that can't be had is no verdict on the token either.
    const revoked =
      payload.status !== undefined &&
      (await isRevoked(payload.status.status_list).catch(error => {
        throw unavailable(error)
      }))
    if (revoked) throw invalidToken()
    if (!payload.scope?.split(' ').includes(scope)) {
      throw new Refusal(
        403,
        'insufficient_scope',
        `Bearer error="insufficient_scope", scope="${scope}"`,
      )
    }
    return payload
  }
}

// What jose says of keys that can't be fetched is no verdict on the token, which the client must not throw
// away.
function asRefusal(error: unknown): never {
  const aboutToken =
    error instanceof errors.JOSEError &&
    !/^ERR_(JOSE_GENERIC|JWKS_TIMEOUT|JWKS_INVALID)$/.test(error.code)
  throw aboutToken ? invalidToken(error) : unavailable(error)
}

function invalidToken(cause?: unknown): Refusal {
  return new Refusal(
    401,
    'invalid_token',
    'Bearer error="invalid_token", error_description="The access token is not valid here"',
    cause,
  )
}

function unavailable(cause: unknown): Refusal {
  return new Refusal(503, 'temporarily_unavailable', undefined, cause)
}
