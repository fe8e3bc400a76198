// This folder serves /admin/v1: what operators and machines do that SCIM has no words for. Each route reads
// the request, calls a service of the core and says what came of it; it decides nothing. ../api.ts registers
// it, and nothing of it is served without a token.
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { createParts, type PartsOptions } from './parts.ts'
import { accountRoutes } from './accounts.ts'
import { clientRoutes } from './clients.ts'
import { keyRoutes } from './keys.ts'
import { describeAdmin, documentRoute } from './document.ts'
import { takeJson } from './json-body.ts'
import { revocationRoute } from './revocations.ts'
import { sessionRoutes } from './sessions.ts'
import { ticketRoute } from './tickets.ts'

/** Where it is, below the listener's root. */
export const ADMIN_PATH = '/admin/v1'

/** What /admin/v1 is served with. */
export interface AdminRoutesOptions extends PartsOptions {
  /** Of Latchkey. */
  readonly version: string
}

/** All of /admin/v1. */
export async function adminRoutes(
  app: FastifyInstance,
  { version, ...given }: AdminRoutesOptions,
): Promise<void> {
  const parts = createParts(given)
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  takeJson(app)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })
  await describeAdmin(app, { version, issuer: given.core.settings.issuer })
  sessionRoutes(app, parts)
  accountRoutes(app, parts)
  ticketRoute(app, parts)
  revocationRoute(app, parts)
  keyRoutes(app, parts)
  clientRoutes(app, parts)
  documentRoute(app, parts)
}
