// Clients that get tokens of their own, for tests with software that nobody here wrote.
import type { JWK } from 'jose'
import { API_SECRET, ORDERS, sha256Line } from './server.ts'

const SCOPES = ['orders:read', 'orders:write']

/** What a machine holds that asks for nothing. */
export const SCOPE = SCOPES.join(' ')

/** A machine with that secret, and one with that key, whose library names the token endpoint as audience. */
export function machines(secret: string, key: JWK) {
  const alone = { grants: ['client_credentials'], scopes: SCOPES, audience: [ORDERS] }
  return [
    { ...alone, id: 'machine', secrets: [sha256Line(secret)] },
    {
      ...alone,
      id: 'signing-machine',
      keys: [key],
      assertionAudience: 'endpoint',
      assertionMaxAge: '1h',
    },
    { id: 'orders-api', secrets: [sha256Line(API_SECRET)], audience: [ORDERS] },
  ]
}
