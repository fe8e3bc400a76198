// GET /openapi.json below /admin/v1: the OpenAPI document of what is served there, made from the routes
// themselves.
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { withComponents } from '../../public/openapi/openapi-document.ts'
import { securitySchemesOf } from '../callers/security-schemes.ts'
import type { AdminParts } from './parts.ts'

/** Collects the routes that are registered after it. `version`: of Latchkey; `issuer`: who gives tokens. */
export async function describeAdmin(
  app: FastifyInstance,
  { version, issuer }: { readonly version: string; readonly issuer: string },
): Promise<void> {
  await app.register(swagger, {
    transformObject: given => withComponents(Object(given).openapiObject),
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Latchkey, management listener',
        description:
          'What operators and machines do beside SCIM. Every request bears a token: an access token for ' +
          'the issuer with the scope that the route names.',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'The management listener, as it is reached.' }],
      tags: [
        { name: 'Sessions', description: 'List sessions, and end them.' },
        { name: 'Logins', description: "Why somebody can't log in." },
        { name: 'Keys', description: 'The signing keys.' },
        { name: 'Clients', description: 'The registered applications.' },
      ],
      components: {
        securitySchemes: securitySchemesOf({
          issuer,
          scopes: { admin: 'Read and change.', 'admin.read': 'Read.' },
          bearer: {
            bearerFormat: 'JWT',
            description: 'The token of an operator, whose role `admin.roles` maps.',
          },
        }),
      },
    },
  })
}

/** Serves the document, to whoever may read. */
export function documentRoute(app: FastifyInstance, { letIn }: AdminParts): void {
  app.get('/openapi.json', { ...letIn('admin.read'), schema: { hide: true } }, async () =>
    app.swagger(),
  )
}
