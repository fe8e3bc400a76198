// This folder says who calls a route of the management listener, and refuses everybody else: a client with a
// token of its own, an operator whose role the configuration names, or whoever bears a static token. It knows
// no route. Every route of ../scim/ and ../admin/ calls the guard before it does anything.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Actor } from '../../../base/events/events.ts'
import type { ClientRegistry } from '../../../clients/registry.ts'
import { JOSE_NAMES } from '../../../oauth/algorithms.ts'
import { readBearer } from '../../../oauth/bearer.ts'
import { slowDown } from '../../../oauth/errors.ts'
import {
  asChallenge,
  insufficientScope,
  invalidDpopProof,
  invalidToken,
} from '../../../oauth/token-errors.ts'
import { scopeTokens } from '../../../oauth/scope.ts'
import type { User } from '../../../stores/ports/subjects.ts'
import { audiencesOf, type AccessTokenClaims } from '../../../tokens/access-token.ts'
import type { ProofTarget } from '../../callers/dpop.ts'
import type { TokenFailures } from '../../callers/limits/token-failures.ts'
import {
  createWindowCounts,
  type WindowLimit,
} from '../../../base/counts/window-counts.ts'
import type { TokenHolder } from '../../callers/token-holder.ts'
import { holdsScope, type ManagementScope } from './scopes.ts'
import { findStaticToken, isStaticToken, type StaticToken } from './static-tokens.ts'

/** Who calls, once the guard has let them in. */
export interface Caller {
  /** For the audit log: `client:ID`, `user:SUB` or `token:NAME`. One caller has one actor, always. */
  readonly actor: Actor
  /** The operator's `sub`; undefined: no user. */
  readonly sub: string | undefined
}

/**
 * Says who calls, or refuses.
 *
 * @throws OAuthError 401 with a challenge: no token, or none that is good here (RFC 6750 §3); 403
 * insufficient_scope; 429 slow_down with Retry-After; StoreUnavailable when nobody can say whether the token
 * was revoked
 */
export type Guard = (
  request: FastifyRequest,
  reply: FastifyReply,
  needed: ManagementScope,
) => Promise<Caller>

/** What the guard goes by; each function gives the value of now. */
export interface GuardSettings {
  /** Role → the scopes that its users may use. */
  readonly roles: () => Readonly<Record<string, readonly string[]>>
  readonly tokens: () => readonly StaticToken[]
  /** Requests of one caller. */
  readonly callerLimit: () => WindowLimit
  /** Where the listener is, as callers know it; undefined: no proof can be checked (DPoP). */
  readonly url: () => string | undefined
}

/** What the guard is made of. */
export interface GuardOptions {
  /** The audience that a token must be for, and for no other. */
  readonly issuer: string
  readonly clients: Pick<ClientRegistry, 'find'>
  readonly tokenHolder: TokenHolder
  readonly failures: Pick<TokenFailures, 'forged'>
  readonly settings: GuardSettings
}

/** Whom a token is about, and what they may do now. */
interface Bearer extends Caller {
  readonly scopes: readonly string[]
}

/** Makes the guard. */
export function createGuard(options: GuardOptions): Guard {
  const { failures, settings } = options
  const windows = createWindowCounts()

  function bearerOfStatic(request: FastifyRequest, token: string): Bearer {
    const found = findStaticToken(settings.tokens(), token)
    if (found === undefined) {
      failures.forged(request)
      throw invalidToken('token_invalid')
    }
    const scopes = [found.readOnly ? 'scim.read' : 'scim']
    return { actor: `token:${found.name}`, sub: undefined, scopes }
  }

  const bearerOfAccess = createBearerOfAccess(options)

  return async function requireCaller(request, reply, needed) {
    const { scheme, token } = readBearer(request.headers.authorization)
    const { actor, sub, scopes } = isStaticToken(token)
      ? bearerOfStatic(request, token)
      : await bearerOfAccess(request, reply)
    if (!holdsScope(scopes, needed)) throw insufficientScope(needed, scheme)
    const endsInMs = windows.count(actor, settings.callerLimit())
    if (endsInMs !== undefined) {
      throw slowDown(Math.ceil(endsInMs / 1000), 'client_limit')
    }
    return { actor, sub }
  }
}

/** Makes the function that says whom an access token of ours is about. */
function createBearerOfAccess({ issuer, clients, tokenHolder, settings }: GuardOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Bearer> => {
    const { claims, user } = await tokenHolder(request, reply, {
      target: () => targetOf(request, settings.url()),
    })
    // Every other audience holds the token, too, and could send it on to here.
    if (audiencesOf(claims).some(audience => audience !== issuer)) {
      throw invalidToken('audience_wrong', claims.cnf === undefined ? 'Bearer' : 'DPoP')
    }
    const held = scopeTokens(claims.scope ?? '')
    return user === undefined
      ? ofClient(claims, held)
      : ofOperator(user, held, settings.roles())
  }

  // What the client may ask for now counts, too: a scope that was taken from it is gone at once.
  function ofClient(
    { client_id: clientId }: AccessTokenClaims,
    held: readonly string[],
  ): Bearer {
    const client = clients.find(clientId)
    const scopes = held.filter(scope => client?.scopes.includes(scope) === true)
    return { actor: `client:${clientId}`, sub: undefined, scopes }
  }
}

// The roles of now, as the store has just said them.
function ofOperator(
  { sub, roles }: User,
  held: readonly string[],
  scopesOf: Readonly<Record<string, readonly string[]>>,
): Bearer {
  const mapped = Object.entries(scopesOf).flatMap(([role, scopes]) =>
    roles.includes(role) ? scopes : [],
  )
  // A token of `scim` at a role of `scim.read` reads, and the other way round.
  const scopes = held.flatMap(scope => narrowest(scope, mapped))
  return { actor: `user:${sub}`, sub, scopes }
}

function narrowest(scope: string, mapped: readonly string[]): string[] {
  if (mapped.includes(scope)) return [scope]
  const read = scope.endsWith('.read') ? scope : `${scope}.read`
  const write = read.slice(0, -'.read'.length)
  return mapped.includes(read) || mapped.includes(write) ? [read] : []
}

/** @throws OAuthError where the configuration doesn't say how callers reach the listener */
function targetOf(
  { method, url }: FastifyRequest,
  base: string | undefined,
): ProofTarget {
  if (base === undefined) {
    throw asChallenge(invalidDpopProof('dpop_target_unknown'), JOSE_NAMES)
  }
  const [path = ''] = url.split('?', 1)
  return { method, url: `${base.replace(/\/$/, '')}${path}` }
}
