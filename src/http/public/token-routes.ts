// The endpoints that take tokens or give them, as one list.
import type { FastifyInstance } from 'fastify'
import type { Core } from '../../core/core.ts'
import type { Callers } from '../callers/callers.ts'
import type { Compat } from '../compat/compat.ts'
import { introspectRoute } from './introspect.ts'
import { revokeRoute } from './revoke.ts'
import { tokenRoute, type TokenRouteOptions } from './token.ts'
import { userinfoRoute } from './userinfo.ts'

/** What they are registered with. */
export interface TokenRoutesOptions extends Pick<TokenRouteOptions, 'count'> {
  readonly core: Core
  /** The issuer, without a slash at its end. */
  readonly base: string
  readonly callers: Callers
  /** Stands before each path; empty: nothing. */
  readonly prefix: string
  readonly old: Pick<Compat, 'takeOldRequests' | 'registerRoutes'>
}

/** Registers `/token`, `/introspect`, `/revoke` and `/userinfo`. */
export function registerTokenRoutes(
  pages: FastifyInstance,
  { core, base, callers, prefix, old, count }: TokenRoutesOptions,
): void {
  const { settings, store, status, readRefreshToken, emit } = core
  const { authenticatedOf, clientOf, introspectorOf } = callers
  const { refreshTokenOf, tokenHolder, limits } = callers
  const { provenKey, noteRefusedLogin, verify } = callers
  const token = {
    url: `${base}/token`,
    authenticatedOf,
    clientOf,
    grants: core.grants,
    refreshTokenOf,
    limit: limits.tokenRequests,
    provenKey,
    noteRefusedLogin,
    count,
  }
  pages.register(
    async scope => {
      old.takeOldRequests(scope)
      await tokenRoute(scope, token)
    },
    { prefix },
  )
  pages.register(introspectRoute, {
    prefix,
    issuer: settings.issuer,
    introspectorOf,
    limit: limits.unlessAuthenticated(introspectorOf),
    verify,
    check: core.check,
    readRefreshToken,
    families: store.families,
    policy: settings.tokenPolicy,
    sign: core.sign,
    algorithmOf: settings.algorithmOf,
    clock: core.clock,
    emit,
  })
  const revocation = {
    prefix,
    clientOf,
    limit: limits.unlessAuthenticated(clientOf),
    verify,
    readRefreshToken,
    sessions: core.sessions,
    accessTokens: store.accessTokens,
    status,
    emit,
  }
  pages.register(revokeRoute, revocation)
  old.registerRoutes(pages, revocation)
  pages.register(userinfoRoute, {
    prefix,
    issuer: settings.issuer,
    url: `${base}/userinfo`,
    tokenHolder,
    clients: core.clients,
    claimsFor: settings.claimsFor,
    isDeclared: attribute => settings.attributes().has(attribute),
    sign: core.sign,
    clock: core.clock,
  })
}
