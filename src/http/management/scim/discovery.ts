// What SCIM says of itself (RFC 7644 §4): what it can do, its kinds of resources, and their schemas.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { noResource } from '../../../scim/errors.ts'
import type { Resource, ResourceSchemas, ScimSchema } from '../../../scim/schema.ts'
import { SERVICE_PROVIDER_CONFIG } from '../../../scim/service-provider.ts'
import type { Guard } from '../callers/guard.ts'
import { createCalled } from './resource-routes.ts'

const SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Schema'
const RESOURCE_TYPE = 'urn:ietf:params:scim:schemas:core:2.0:ResourceType'
const LIST_RESPONSE = 'urn:ietf:params:scim:api:messages:2.0:ListResponse'

/** What discovery tells. */
export interface DiscoveryOptions {
  readonly guard: Guard
  /** Endpoint → the schemas of what is there, as configured now. */
  readonly types: () => ReadonlyArray<
    readonly [endpoint: string, schemas: ResourceSchemas]
  >
  readonly baseOf: (request: FastifyRequest) => string
}

interface ById {
  readonly Params: { readonly id: string }
}

/** The routes of discovery. */
export async function discoveryRoutes(
  app: FastifyInstance,
  { guard, types, baseOf }: DiscoveryOptions,
): Promise<void> {
  const called = createCalled(guard)
  app.get('/ServiceProviderConfig', async (request, reply) => {
    await called(request, reply, 'scim.read')
    return {
      ...SERVICE_PROVIDER_CONFIG,
      meta: {
        resourceType: 'ServiceProviderConfig',
        location: `${baseOf(request)}/ServiceProviderConfig`,
      },
    }
  })
  const lists = {
    '/Schemas': (base: string) =>
      types().flatMap(([, { core, extensions }]) =>
        [core, ...extensions].map(schema => schemaDocument(schema, base)),
      ),
    '/ResourceTypes': (base: string) =>
      types().map(([endpoint, schemas]) => typeDocument(endpoint, schemas, base)),
  }
  for (const [path, documents] of Object.entries(lists)) {
    app.get(path, async (request, reply) => {
      await called(request, reply, 'scim.read')
      return listOf(documents(baseOf(request)))
    })
    app.get<ById>(`${path}/:id`, async (request, reply) => {
      await called(request, reply, 'scim.read')
      const found = documents(baseOf(request)).find(({ id }) => id === request.params.id)
      if (found === undefined) throw noResource()
      return found
    })
  }
}

function listOf(resources: readonly Resource[]): Resource {
  return {
    schemas: [LIST_RESPONSE],
    totalResults: resources.length,
    startIndex: 1,
    itemsPerPage: resources.length,
    Resources: resources,
  }
}

function schemaDocument(schema: ScimSchema, base: string): Resource {
  return {
    schemas: [SCHEMA],
    ...schema,
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${schema.id}` },
  }
}

function typeDocument(
  endpoint: string,
  { core, extensions }: ResourceSchemas,
  base: string,
): Resource {
  return {
    schemas: [RESOURCE_TYPE],
    id: core.name,
    name: core.name,
    description: core.description,
    endpoint,
    schema: core.id,
    schemaExtensions: extensions.map(({ id }) => ({ schema: id, required: false })),
    meta: {
      resourceType: 'ResourceType',
      location: `${base}/ResourceTypes/${core.name}`,
    },
  }
}
