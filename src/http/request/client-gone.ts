// Notices that the client has closed the connection, and knows its address until then.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { clientClosedRequest } from '../../oauth/errors.ts'

/**
 * A signal that is aborted when the connection ends before the answer was written. Fastify's own
 * `request.signal` won't do: it is aborted as soon as the request's body was read.
 */
export function clientGone({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController()
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort()
  })
  return controller.signal
}

/** An IPv4 caller of a listener that is IPv6, too. */
const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i

/**
 * The address of the sender, as `http.trustedProxies` lets proxies name it; undefined once the connection has
 * ended. Fastify's type doesn't know that case. An IPv4 address is written as one, whatever the listener.
 */
export function senderOf({ ip }: { readonly ip?: string }): string | undefined {
  return ip?.replace(MAPPED, '')
}

/**
 * The address of the sender of a request.
 *
 * @throws OAuthError client_gone when the connection has ended: nobody waits for what would follow
 */
export function presentSender(request: Pick<FastifyRequest, 'ip'>): string {
  const address = senderOf(request)
  if (address === undefined) throw clientClosedRequest()
  return address
}
