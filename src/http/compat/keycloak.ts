// The paths of a realm of Keycloak, for clients that have them built in. All but logout are our own endpoints
// under another name; a logout with a refresh token is a revocation that answers 204.
import type { FastifyInstance } from 'fastify'
import { required } from '../../grants/grant.ts'
import { formOf } from '../callers/request-client.ts'
import { revokeRefreshToken, type RevokeRouteOptions } from '../public/revoke.ts'
import { takeForms } from '../request/form-body.ts'

/** Path below a realm → our own. */
const PATHS: Readonly<Record<string, string>> = {
  '/protocol/openid-connect/token': '/token',
  '/protocol/openid-connect/userinfo': '/userinfo',
  '/protocol/openid-connect/token/introspect': '/introspect',
  '/protocol/openid-connect/revoke': '/revoke',
  '/protocol/openid-connect/certs': '/.well-known/jwks.json',
  '/protocol/openid-connect/auth': '/authorize',
  '/.well-known/openid-configuration': '/.well-known/openid-configuration',
}

/** The path of a realm, where every path of Keycloak for it begins. */
export function realmPath(realm: string): string {
  return `/realms/${realm}`
}

/** Old path → our own, for a realm; none without one. */
export function keycloakPaths(realm: string | undefined): Record<string, string> {
  if (realm === undefined) return {}
  return Object.fromEntries(
    Object.entries(PATHS).map(([old, own]) => [`${realmPath(realm)}${old}`, own]),
  )
}

export interface KeycloakLogoutOptions extends RevokeRouteOptions {
  readonly realm: string
  /** Where the compatible paths stand below, as routes have it. */
  readonly prefix: string
}

/** POST logout with `refresh_token`: ends its session, as /revoke does, by the same rules and limits. */
export async function keycloakLogoutRoute(
  app: FastifyInstance,
  { realm, ...options }: KeycloakLogoutOptions,
): Promise<void> {
  takeForms(app)
  app.post(
    `${realmPath(realm)}/protocol/openid-connect/logout`,
    { preHandler: options.limit, schema: { hide: true } },
    async (request, reply) => {
      const client = await options.clientOf(request)
      const token = required(formOf(request), 'refresh_token')
      await revokeRefreshToken({ request, token, client }, options)
      return reply.code(204).header('cache-control', 'no-store').send()
    },
  )
}
