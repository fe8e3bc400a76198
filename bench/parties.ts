// Who takes part in every bench.
import { createHash } from 'node:crypto'
export { PASSWORD, USER } from '../test/support/server.ts'

export const CLIENT = 'mobile'
export const API_CLIENT = 'orders-api'
export const API_SECRET = 'Vb7-orders-api-of-the-bench-2kQ9xLm'
export const AUDIENCE = 'https://orders.example.com'

/** As the configuration lists them. */
export const CLIENTS = [
  {
    id: CLIENT,
    grants: ['password', 'refresh_token'],
    scopes: ['profile', 'orders:read'],
    audience: [AUDIENCE],
  },
  {
    id: API_CLIENT,
    secrets: [`sha256:${createHash('sha256').update(API_SECRET).digest('base64url')}`],
    audience: [AUDIENCE],
  },
]

/** Five attributes of the user, each of which a claim copies. */
export const KNOWN = {
  tenant: 'north',
  department: 'purchasing',
  email: 'alice@example.com',
  locale: 'de-CH',
  seats: '12',
}

/** Servers that do more, or less, for a token than the ordinary one. */
export const VARIANTS = {
  cache: { config: { introspection: { cache: true } } },
  claims: {
    config: {
      attributes: {
        tenant: { type: 'string' },
        department: { type: 'string' },
        email: { unique: true },
        locale: {},
        seats: { type: 'integer' },
      },
      claims: Object.fromEntries(Object.keys(KNOWN).map(name => [name, { from: name }])),
    },
    attributes: KNOWN,
  },
  openid: {
    config: {
      clients: CLIENTS.map(client =>
        'scopes' in client ? { ...client, scopes: [...client.scopes, 'openid'] } : client,
      ),
    },
  },
}
