// The address, and the network, that a request comes from.
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { networkOf } from '../../users/failed-logins/network.ts'
import { knownClientOf } from './known-client.ts'
import { presentSender, senderOf } from '../request/client-gone.ts'

/**
 * The address of the sender, as the trusted proxies report it.
 *
 * @throws OAuthError client_gone when the connection has ended
 */
export function ownAddressOf(request: FastifyRequest): string {
  return withoutPort(presentSender(request))
}

/** The network of the sender, for the audit log; `unknown` once the connection has ended. */
export function ownNetworkOf(request: FastifyRequest): string {
  return networkOf(withoutPort(senderOf(request) ?? 'unknown'))
}

/** Who sent a request, as far as it is known once it has been answered: for the log's line about it. */
export function knownSenderOf(request: FastifyRequest): {
  readonly network: string
  readonly clientId: string | undefined
} {
  return { network: ownNetworkOf(request), clientId: knownClientOf(request) }
}

// Some proxies (Azure's) append the port: with it, every connection would count as an address of its own.
function withoutPort(address: string): string {
  return isIP(address) === 0 ? address.replace(/^\[?(.+?)\]?:\d+$/, '$1') : address
}
