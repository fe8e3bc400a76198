// A login that the token endpoint refuses, for the record of refusals: whatever refused it, the client's
// secret, a limit, the password or a fault.
import type { FastifyRequest } from 'fastify'
import type { Assertions } from '../../clients/assertion.ts'
import { claimedClient } from '../../clients/claimed.ts'
import type { ClientRegistry } from '../../clients/registry.ts'
import { optional } from '../../grants/grant.ts'
import type { OAuthError } from '../../oauth/errors.ts'
import { networkOf } from '../../users/failed-logins/network.ts'
import type { LoginRefusals } from '../../users/refusals/login-refusals.ts'
import { addressOf } from './limits/rate-limit.ts'
import { ownNetworkOf } from './own-address.ts'
import { isForm, presentedBy, type ClientOf } from './request-client.ts'

/** Notes that a request was refused, if it was a login. Never rejects. */
export type NoteRefusedLogin = (
  request: FastifyRequest,
  refusal: OAuthError,
) => Promise<void>

export interface RefusedLoginOptions {
  readonly refusals: Pick<LoginRefusals, 'note'>
  readonly assertions: Pick<Assertions, 'claimant'>
  readonly clients: Pick<ClientRegistry, 'find' | 'isSecret'>
  readonly clientOf: ClientOf
}

/** Makes the function. */
export function createNoteRefusedLogin({
  refusals,
  assertions,
  clients,
  clientOf,
}: RefusedLoginOptions): NoteRefusedLogin {
  /** The user's network, where a client that is trusted with it says so. */
  async function networkFor(request: FastifyRequest, reason: string): Promise<string> {
    // What was refused before the client was looked at must not make us look.
    if (reason === 'address_limit') return ownNetworkOf(request)
    try {
      return networkOf(await addressOf(request, clientOf))
    } catch {
      return ownNetworkOf(request)
    }
  }

  return async function noteRefusedLogin(request, { reason, headers, sub }) {
    const { body } = request
    if (!isForm(body) || optional(body, 'grant_type') !== 'password') return
    const name = optional(body, 'username')
    if (name === undefined || reason === 'client_gone') return
    const seconds = headers['retry-after']
    refusals.note({
      name,
      sub,
      reason,
      clientId: claimedClient(presentedBy(request), assertions, clients).clientId,
      network: await networkFor(request, reason),
      retryAfterMs: seconds === undefined ? undefined : Number(seconds) * 1000,
    })
  }
}
