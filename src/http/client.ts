// Who sends a request: authenticated at most once per request, for the rate limit and for the endpoint.
import type { FastifyRequest } from 'fastify'
import { authenticateClient } from '../clients/authenticate.ts'
import type { Client, ClientRegistry } from '../clients/registry.ts'
import type { Emit } from '../events.ts'
import { optional } from '../grants/grant.ts'
import { OAuthError } from '../oauth/errors.ts'
import type { Form } from '../oauth/form.ts'

/**
 * The client of a request whose body was parsed.
 *
 * @throws OAuthError invalid_client or invalid_request, the same one at every call
 */
export type ClientOf = (request: FastifyRequest) => Client

/** Makes the function that tells a request's client; each refusal is told once. */
export function createClientOf ({ clients, emit }: { clients: ClientRegistry, emit: Emit }): ClientOf {
  const known = new WeakMap<FastifyRequest, Client | OAuthError>()

  return request => {
    const found = known.get(request) ?? identify(request)
    known.set(request, found)
    if (found instanceof OAuthError) throw found
    return found
  }

  function identify (request: FastifyRequest): Client | OAuthError {
    try {
      return authenticateClient(presentedBy(request), clients)
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error
      emit({ type: 'client.refused', reason: error.reason })
      return error
    }
  }
}

function presentedBy (request: FastifyRequest) {
  const form = formOf(request)
  return {
    authorization: request.headers.authorization,
    clientId: optional(form, 'client_id'),
    clientSecret: optional(form, 'client_secret'),
  }
}

/** The form that http/form-body.ts made of the request's body; no body: an empty form. */
export function formOf (request: FastifyRequest): Form {
  const { body } = request
  return typeof body === 'object' && body !== null ? { ...body } : {}
}
