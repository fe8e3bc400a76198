// GET /clients: the registered applications, without what they prove who they are with.
import type { FastifyInstance } from 'fastify'
import { isConfidential } from '../../../clients/client-auth.ts'
import type { Client } from '../../../clients/registry.ts'
import type { AdminParts } from './parts.ts'
import { answer, described, refusals } from './documentation.ts'
import { ClientsModel } from './models.ts'

const CLIENTS = {
  clients: [
    {
      id: 'mobile',
      confidential: false,
      secrets: 0,
      keys: false,
      grants: ['password', 'refresh_token'],
      scopes: ['orders:read'],
      audience: ['https://orders.example.com'],
      introspect: 'own',
      dpop: 'allowed',
    },
  ],
}

/** Adds the route. */
export function clientRoutes(app: FastifyInstance, { core, letIn }: AdminParts): void {
  app.get(
    '/clients',
    {
      ...letIn('admin.read'),
      schema: {
        ...described({
          summary: 'The registered clients',
          operationId: 'listClients',
          tag: 'Clients',
          scope: 'admin.read',
        }),
        response: { ...answer(ClientsModel, CLIENTS), ...refusals() },
      },
    },
    async () => ({ clients: core.clients.all().map(describeClient) }),
  )
}

function describeClient(client: Client) {
  const { id, grants, scopes, audience, introspect, dpop } = client
  return {
    id,
    confidential: isConfidential(client),
    secrets: client.secretHashes.length,
    keys: client.keys.length > 0 || client.jwksUri !== undefined,
    grants,
    scopes,
    audience,
    introspect,
    dpop,
  }
}
