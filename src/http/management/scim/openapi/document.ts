// GET /scim/v2/openapi.json: the OpenAPI document of SCIM as it is served here. It is made when it is asked
// for, as what users have is configured and may change.
import type { FastifyInstance } from 'fastify'
import type { ResourceSchemas } from '../../../../scim/schema.ts'
import type { Guard } from '../../callers/guard.ts'
import { securitySchemesOf } from '../../callers/security-schemes.ts'
import { SCIM_PATH } from '../scim-form.ts'
import { listModel, MODELS, resourceModel } from './models.ts'
import { OTHER_PATHS, reference, resourcePaths } from './operations.ts'

/** What the document is made from. */
export interface ScimDocumentOptions {
  readonly guard: Guard
  /** Of Latchkey. */
  readonly version: string
  /** Who gives tokens. */
  readonly issuer: string
  /** Endpoint → the schemas of what is there, as configured now. */
  readonly types: () => ReadonlyArray<
    readonly [endpoint: string, schemas: ResourceSchemas]
  >
}

/** Serves it, to whoever may read. */
export async function scimDocumentRoute(
  app: FastifyInstance,
  { guard, ...options }: ScimDocumentOptions,
): Promise<void> {
  app.get('/openapi.json', async (request, reply) => {
    await guard(request, reply, 'scim.read')
    reply.type('application/json; charset=utf-8').header('cache-control', 'no-store')
    return documentOf(options)
  })
}

function documentOf({ version, issuer, types }: Omit<ScimDocumentOptions, 'guard'>) {
  const kinds = types().map(([endpoint, schemas]) => {
    const { name } = schemas.core
    return { endpoint, name, model: resourceModel(schemas) }
  })
  return {
    openapi: '3.1.0',
    info: {
      title: 'Latchkey, accounts by SCIM',
      description:
        'SCIM 2.0 (RFC 7643, RFC 7644, RFC 9865). Every request bears a token: an access token for the ' +
        'issuer with the scope that the route names, or one of `scim.tokens`.',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: SCIM_PATH, description: 'SCIM at the management listener.' }],
    tags: [
      { name: 'Users', description: 'Accounts.' },
      { name: 'Groups', description: 'Roles, and who has them.' },
      { name: 'Discovery', description: 'What SCIM says of itself, and of everything.' },
    ],
    paths: {
      ...Object.assign(
        {},
        ...kinds.map(({ endpoint, name }) => resourcePaths(endpoint, name)),
      ),
      ...OTHER_PATHS,
    },
    components: {
      securitySchemes: securitySchemesOf({
        issuer,
        scopes: { scim: 'Read and change.', 'scim.read': 'Read.' },
        bearer: {
          description:
            'One of `scim.tokens`, or the token of an operator, whose role `admin.roles` maps.',
        },
      }),
      schemas: {
        ...Object.fromEntries(
          kinds.flatMap(({ name, model }) => [
            [name, model],
            [`${name}List`, listModel(reference(name))],
          ]),
        ),
        AnyList: listModel({ anyOf: kinds.map(({ name }) => reference(name)) }),
        ...MODELS,
      },
    },
  }
}
