// Client authentication (RFC 6749 §2.3): client_secret_basic, client_secret_post, or none for a public client.
import { createHash, timingSafeEqual } from 'node:crypto'
import { parseBasic } from '../oauth/basic.ts'
import { invalidClient, invalidRequest } from '../oauth/errors.ts'
import type { Client, ClientRegistry } from './registry.ts'

/** What a request says about who sends it. */
export interface PresentedClient {
  /** The Authorization header. */
  readonly authorization: string | undefined
  /** `client_id` and `client_secret` of the body. */
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
}

interface Claim {
  readonly id: string
  /** The empty string: none. */
  readonly secret: string
  readonly basic: boolean
}

/**
 * Finds out which client sent a request.
 *
 * @throws OAuthError invalid_client when it is unknown or its secret is wrong or missing; invalid_request when two methods are used at once
 */
export function authenticateClient (presented: PresentedClient, registry: ClientRegistry): Client {
  const claim = readClaim(presented)
  const client = registry.find(claim.id)
  if (client === undefined) throw invalidClient('client_unknown', claim.basic)
  if (!provesIdentity(client, claim.secret)) throw invalidClient('client_secret_wrong', claim.basic)
  return client
}

/** Whether the client has a secret to prove who it is. */
export function isConfidential (client: Client): boolean {
  return client.secretHashes.length > 0
}

function readClaim ({ authorization, clientId, clientSecret }: PresentedClient): Claim {
  const basic = parseBasic(authorization)
  if (basic === undefined) {
    if (clientId === undefined) throw invalidClient('client_missing', true)
    return { id: clientId, secret: clientSecret ?? '', basic: false }
  }
  if (clientSecret !== undefined) throw invalidRequest('only one way of client authentication may be used', 'client_two_methods')
  if (clientId !== undefined && clientId !== basic.clientId) throw invalidRequest('client_id and the Authorization header differ', 'client_two_ids')
  return { id: basic.clientId, secret: basic.clientSecret, basic: true }
}

// A public client may send an empty secret (Swagger UI does), but never one that would have to be checked.
function provesIdentity (client: Client, secret: string): boolean {
  if (!isConfidential(client)) return secret === ''
  const presented = createHash('sha256').update(secret).digest()
  return client.secretHashes.reduce((found, hash) => timingSafeEqual(hash, presented) || found, false)
}
