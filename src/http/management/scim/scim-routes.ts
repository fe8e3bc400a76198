// This folder serves SCIM 2.0 (RFC 7644): each route reads the request, calls the services of the core and
// says what came of it. It knows no store. ../api.ts registers it at the management listener.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Core } from '../../../core/core.ts'
import { GROUP_SCHEMAS } from '../../../scim/group/group-schema.ts'
import { setErrorHandler } from '../../request/error-handler.ts'
import type { Guard } from '../callers/guard.ts'
import type { Cursors } from './cursor.ts'
import { discoveryRoutes } from './discovery.ts'
import { scimDocumentRoute } from './openapi/document.ts'
import { SCIM_PATH, scimForm, takeScim } from './scim-form.ts'
import { createScimGroups } from './groups/groups.ts'
import { meRoute, resourceRoutes, searchRoute } from './resource-routes.ts'
import { createUsers } from './users/users.ts'

/** What SCIM goes by; each function gives the value of now. */
export interface ScimSettings {
  /** Whether passwords may be set. */
  readonly passwords: () => boolean
  /** Whether what the RFCs don't say is refused. */
  readonly strict: () => boolean
  /** The listener's URL as callers know it; undefined: as each request names it. */
  readonly url: () => string | undefined
}

/** What SCIM is served with. */
export interface ScimRoutesOptions {
  readonly core: Core
  readonly guard: Guard
  readonly cursors: Cursors
  readonly settings: ScimSettings
  /** Of Latchkey. */
  readonly version: string
}

/** All of SCIM, at its own path. */
export async function scimRoutes(
  app: FastifyInstance,
  { core, guard, cursors, settings, version }: ScimRoutesOptions,
): Promise<void> {
  setErrorHandler(app, scimForm)
  takeScim(app)
  const baseOf = (request: FastifyRequest) => {
    const url = settings.url() ?? `${request.protocol}://${request.host}`
    return `${url.replace(/\/$/, '')}${SCIM_PATH}`
  }
  const parts = { core, cursors, baseOf, ...settings }
  const users = createUsers(parts)
  const groups = createScimGroups(parts)
  const types = () =>
    [
      ['/Users', users.schemas()],
      ['/Groups', GROUP_SCHEMAS],
    ] as const
  app.register(discoveryRoutes, { guard, baseOf, types })
  app.register(scimDocumentRoute, {
    guard,
    version,
    issuer: core.settings.issuer,
    types,
  })
  app.register(resourceRoutes, {
    guard,
    path: '/Users',
    resources: users,
  })
  app.register(resourceRoutes, {
    guard,
    path: '/Groups',
    resources: groups,
  })
  app.register(searchRoute, { guard, kinds: [users, groups] })
  app.register(meRoute, { guard, users })
}
