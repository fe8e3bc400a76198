// This folder serves SCIM 2.0 (RFC 7644): each route reads the request, calls the services of the core and
// says what came of it. It knows no store. ../api.ts registers it at the management listener, src/app.ts at
// the public one where the configuration says so.
import type { FastifyInstance } from 'fastify'
import { SERVICE_PROVIDER_CONFIG } from '../../../scim/service-provider.ts'
import { setErrorHandler } from '../../request/error-handler.ts'
import type { Guard } from '../callers/guard.ts'
import { scimForm, takeScim, typeAnswer } from './scim-form.ts'

/** What SCIM is served with. */
export interface ScimRoutesOptions {
  readonly guard: Guard
  /** Where `meta.location` begins: the URL of SCIM as callers know it; undefined: as each names it. */
  readonly base: () => string | undefined
}

/** All of SCIM, at its own path. */
export async function scimRoutes(
  app: FastifyInstance,
  { guard }: ScimRoutesOptions,
): Promise<void> {
  setErrorHandler(app, scimForm)
  takeScim(app)
  app.get('/ServiceProviderConfig', async (request, reply) => {
    await guard(request, reply, 'scim.read')
    typeAnswer(request, reply)
    return {
      ...SERVICE_PROVIDER_CONFIG,
      meta: { resourceType: 'ServiceProviderConfig' },
    }
  })
}
