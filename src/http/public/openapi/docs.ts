// GET /openapi.json and GET /docs: generated from the route schemas, so that they can't disagree with the
// server.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { isConfidential } from '../../../clients/client-auth.ts'
import type { Client, ClientRegistry } from '../../../clients/registry.ts'
import { keepFilesInMemory } from '../../request/files-in-memory.ts'
import { drawnDocument } from './drawn-document.ts'
import { withComponents, withUsedTags } from './openapi-document.ts'
import { documentSchema } from './schemas.ts'

const SCHEMA = documentSchema({
  title: 'OpenAPI',
  summary: 'This document',
  operationId: 'openapi',
  members: { openapi: { type: 'string', description: 'The version of the format.' } },
  example: { openapi: '3.1.0' },
})

export interface OpenApiOptions {
  readonly version: string
  /** The issuer's path, without a slash at its end; empty where it has none. */
  readonly path: string
  /** What the page offers to ask for. */
  readonly scopes: readonly string[]
}

/**
 * Collects the routes that are registered after it; those below the issuer's path are duplicates and stay
 * hidden.
 */
export async function registerOpenApi(
  app: FastifyInstance,
  { version, path, scopes }: OpenApiOptions,
): Promise<void> {
  await app.register(swagger, {
    transform: ({ schema, url }) => ({
      schema:
        path !== '' && url.startsWith(`${path}/`) ? { ...schema, hide: true } : schema,
      url,
    }),
    transformObject: given => withUsedTags(withComponents(Object(given).openapiObject)),
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Latchkey',
        description: 'An OAuth 2.0 token server for first-party apps.',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: path === '' ? '/' : path }],
      tags: [
        { name: 'OAuth 2.0', description: 'Get tokens, ask about them, end them.' },
        { name: 'Account', description: 'What users do to their own account.' },
        { name: 'Discovery', description: 'What verifiers fetch, unasked for a token.' },
      ],
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
                scopes: Object.fromEntries(scopes.map(scope => [scope, ''])),
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

/** The client to log in with, where there is no choice: the only public one that may use passwords. */
function usualClient(clients: readonly Client[]): Client | undefined {
  const found = clients.filter(
    client => !isConfidential(client) && client.grants.includes('password'),
  )
  return found.length === 1 ? found[0] : undefined
}

/** A request as Swagger UI is about to send it. */
export interface PageRequest {
  credentials?: string
  body?: unknown
}

/**
 * Runs in the page, which gets its text: sends what was filled in and no empty parameter. Without credentials
 * of the browser's own, the browser doesn't cover a 401 with a prompt.
 */
export function sendFilledIn(request: PageRequest): PageRequest {
  request.credentials = 'omit'
  if (typeof request.body === 'string') {
    request.body = request.body
      .split('&')
      .filter(pair => !pair.endsWith('='))
      .join('&')
  }
  return request
}

export interface DocsRoutesOptions extends Pick<OpenApiOptions, 'path'> {
  readonly clients: Pick<ClientRegistry, 'all'>
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
 * Serves the document and the page, which finds its scripts below the issuer's path: a proxy may publish no
 * other path.
 */
export async function docsRoutes(
  app: FastifyInstance,
  { path, clients }: DocsRoutesOptions,
): Promise<void> {
  keepFilesInMemory(app)
  const client = usualClient(clients.all())
  let drawn: object | undefined
  app.get('/openapi.json', { schema: SCHEMA }, async () => app.swagger())
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    indexPrefix: path,
    theme: { title: 'Latchkey' },
    initOAuth: { clientId: client?.id ?? '' },
    uiConfig: {
      validatorUrl: null,
      persistAuthorization: false,
      layout: 'BaseLayout',
      requestInterceptor: sendFilledIn,
    },
    staticCSP: PAGE_POLICY,
    transformSpecification: document =>
      (drawn ??= drawnDocument(Object(document), client)),
  })
}
