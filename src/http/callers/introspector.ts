// The caller of the introspection endpoint (RFC 7662 §2.1): a client with its credentials, or with an access
// token that was issued to it.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isConfidential } from '../../clients/client-auth.ts'
import type { Client, ClientRegistry } from '../../clients/registry.ts'
import { invalidClient, invalidRequest } from '../../oauth/errors.ts'
import { invalidToken } from '../../oauth/token-errors.ts'
import { formOf, type ClientOf } from './request-client.ts'
import { createRequestSlot } from '../request/request-slot.ts'
import type { TokenHolder } from './token-holder.ts'

/**
 * The confidential client that asks.
 *
 * @throws OAuthError invalid_client, invalid_request, or invalid_token where it came with a token (RFC 7662
 * §2.3); StoreUnavailable
 */
export type IntrospectorOf = (
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<Client>

export interface IntrospectorOptions {
  readonly url: string
  readonly clientOf: ClientOf
  readonly clients: Pick<ClientRegistry, 'find'>
  readonly tokenHolder: TokenHolder
}

/** Makes the function that authenticates the caller, once per request. */
export function createIntrospectorOf({
  url,
  clientOf,
  clients,
  tokenHolder,
}: IntrospectorOptions): IntrospectorOf {
  const cached = createRequestSlot<Promise<Client>>()

  async function byToken(request: FastifyRequest, reply: FastifyReply): Promise<Client> {
    const { client_secret: secret, client_assertion: assertion } = formOf(request)
    if (secret !== undefined || assertion !== undefined) {
      throw invalidRequest(
        'only one way of authentication may be used',
        'client_two_methods',
      )
    }
    const { claims } = await tokenHolder(request, reply, {
      target: () => ({ method: 'POST', url }),
    })
    const client = clients.find(claims.client_id)
    // A user of the client holds the token, too: it stands for the client only where the configuration says
    // so.
    if (client?.introspectByToken !== true) throw invalidToken('token_may_not_introspect')
    return client
  }

  async function byCredentials(request: FastifyRequest): Promise<Client> {
    const client = await clientOf(request)
    if (!isConfidential(client)) throw invalidClient('client_public')
    return client
  }

  return (request, reply) => {
    const known = cached.get(request)
    if (known !== undefined) return known
    const isByToken = /^(Bearer|DPoP) /i.test(request.headers.authorization ?? '')
    const client = isByToken ? byToken(request, reply) : byCredentials(request)
    cached.set(request, client)
    return client
  }
}
