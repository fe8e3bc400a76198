// The client of a request: authenticated at most once per request, for the rate limit and for the endpoint.
import type { FastifyRequest } from 'fastify'
import {
  authenticateClient,
  type AuthenticationOptions,
  type PresentedClient,
} from '../../clients/client-auth.ts'
import { claimedClient } from '../../clients/claimed.ts'
import type { Authenticated } from '../../clients/credentials.ts'
import { createProvenHeaders } from '../../clients/proven-headers.ts'
import type { Client, ClientRegistry } from '../../clients/registry.ts'
import type { Emit } from '../../base/events/events.ts'
import { optional } from '../../grants/grant.ts'
import { OAuthError } from '../../oauth/errors.ts'
import type { Form } from '../../oauth/form.ts'
import { noteClient } from './known-client.ts'
import { ownNetworkOf } from './own-address.ts'
import { createRequestSlot } from '../request/request-slot.ts'

/**
 * The client of a request whose body was parsed.
 *
 * @throws OAuthError invalid_client, invalid_request or temporarily_unavailable, the same one at every call;
 * StoreUnavailable
 */
export type ClientOf = (request: FastifyRequest) => Promise<Client>

/** As ClientOf, with the credential by which it proved who it is. */
export type AuthenticatedOf = (request: FastifyRequest) => Promise<Authenticated>

export interface ClientOfOptions extends Pick<AuthenticationOptions, 'assertions'> {
  readonly clients: Pick<ClientRegistry, 'find' | 'isSecret' | 'generation'>
  readonly emit: Emit
}

/** Makes the function that authenticates the client of a request; it emits each refusal once. */
export function createAuthenticatedOf({
  emit,
  ...options
}: ClientOfOptions): AuthenticatedOf {
  const cached = createRequestSlot<Promise<Authenticated>>()
  const { assertions, clients } = options
  const provenHeaders = createProvenHeaders(clients)

  return request => {
    const client = cached.get(request) ?? identify(request)
    cached.set(request, client)
    return client
  }

  async function identify(request: FastifyRequest): Promise<Authenticated> {
    const presented = presentedBy(request)
    try {
      const authenticated = await authenticateClient(presented, {
        ...options,
        provenHeaders,
      })
      noteClient(request, authenticated.client.id)
      return authenticated
    } catch (error) {
      if (error instanceof OAuthError) {
        emit(
          {
            type: 'client.refused',
            reason: error.reason,
            network: ownNetworkOf(request),
            ...claimedClient(presented, assertions, clients),
          },
          request,
        )
      }
      throw error
    }
  }
}

/** How the client of a request means to prove who it is. */
export function presentedBy(request: FastifyRequest): PresentedClient {
  const form = formOf(request)
  return {
    authorization: request.headers.authorization,
    clientId: optional(form, 'client_id'),
    clientSecret: optional(form, 'client_secret'),
    assertion: optional(form, 'client_assertion'),
    assertionType: optional(form, 'client_assertion_type'),
  }
}

/** The form that http/request/form-body.ts parsed. */
export function formOf({ body }: FastifyRequest): Form {
  /* c8 ignore next -- a route's schema refuses a request without a body before anybody asks for its form */
  if (!isForm(body)) throw new TypeError('the body was not parsed')
  return body
}

/** Whether there is a body. Only forms are parsed on these routes, so a body is a form. */
export function isForm(body: unknown): body is Form {
  return Boolean(body)
}
