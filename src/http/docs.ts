// GET /openapi.json and GET /docs: generated from the route schemas, so that they can't disagree with the
// server.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { keepFilesInMemory } from './files-in-memory.ts'
import { documentSchema } from './schemas.ts'

export interface OpenApiOptions {
  readonly version: string
  /** The issuer's path, without a slash at its end; empty where it has none. */
  readonly path: string
}

/**
 * Collects the routes that are registered after it; those below the issuer's path are the same ones again.
 */
export async function registerOpenApi(
  app: FastifyInstance,
  { version, path }: OpenApiOptions,
): Promise<void> {
  await app.register(swagger, {
    transform: ({ schema, url }) => ({
      schema:
        path !== '' && url.startsWith(`${path}/`) ? { ...schema, hide: true } : schema,
      url,
    }),
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Latchkey',
        description: 'An OAuth 2.0 token server for first-party apps.',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: path === '' ? '/' : path }],
      components: {
        securitySchemes: {
          user: {
            type: 'oauth2',
            description:
              "A user's access token, for one of your clients; a public client has no client_secret.",
            flows: {
              password: {
                tokenUrl: `${path}/token`,
                refreshUrl: `${path}/token`,
                scopes: {},
              },
            },
          },
          client: {
            type: 'http',
            scheme: 'basic',
            description: "A client's id and secret.",
          },
        },
      },
    },
  })
}

// The page takes passwords: it runs its own scripts only and speaks to this server only. It draws icons from
// data: URLs.
const PAGE_POLICY = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'form-action': ["'self'"],
  'base-uri': ["'none'"],
  'frame-ancestors': ["'none'"],
}

/**
 * Serves the document and the page, which finds its scripts below the issuer's path: a proxy may show nothing
 * else of us.
 */
export async function docsRoutes(
  app: FastifyInstance,
  { path }: Pick<OpenApiOptions, 'path'>,
): Promise<void> {
  keepFilesInMemory(app)
  app.get(
    '/openapi.json',
    { schema: documentSchema('OpenAPI', 'This document', 'openapi') },
    async () => app.swagger(),
  )
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    indexPrefix: path,
    theme: { title: 'Latchkey' },
    uiConfig: { validatorUrl: null, persistAuthorization: false, layout: 'BaseLayout' },
    staticCSP: PAGE_POLICY,
  })
}
