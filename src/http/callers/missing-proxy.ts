// Notices a proxy that http.trustedProxies doesn't name: all requests for tokens then seem to come from it,
// and all users share one rate limit.
import type { FastifyInstance } from 'fastify'
import { isLoopbackName } from '../../base/loopback.ts'
import { createTrust } from './trusted-proxies.ts'

/** How many requests in a row must look so. */
export const ENOUGH = 500

/** Where machines of one's own are: RFC 1918, RFC 4193, RFC 6598, loopback, link-local. */
const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '::1',
  'fc00::/7',
  'fe80::/10',
]

/** What is looked at of a request. */
export interface Sent {
  /** The address of the connection; undefined once it has ended. */
  readonly address: string | undefined
  readonly headers: Readonly<Record<string, unknown>>
}

export interface SenderWatch {
  note(sent: Sent): void
  /** Whether the latest requests look as if they came through a proxy that nobody named. */
  readonly isProxyMissing: () => boolean
}

/**
 * Makes the watch. A proxy is missing when ENOUGH requests in a row came from private addresses that aren't
 * trusted, all from one of them, or all with X-Forwarded-For as several proxies send it. A back end that
 * names its users' addresses itself (Latchkey-Forwarded-For) is no proxy.
 *
 * @param options.found is called with one of these addresses, once
 */
export function createSenderWatch({
  trustedProxies,
  found,
}: {
  trustedProxies: readonly string[]
  found: (address: string) => void
}): SenderWatch {
  const isTrusted = createTrust(trustedProxies)
  const isPrivate = createTrust(PRIVATE)
  const run = { length: 0, address: '', isOneAddress: true, isForwarded: true }
  let isMissing = false
  let isFound = false

  function begin(): void {
    isMissing = false
    Object.assign(run, { length: 0, isOneAddress: true, isForwarded: true })
  }

  function add(address: string, isForwarded: boolean): void {
    run.isOneAddress &&= run.length === 0 || run.address === address
    run.isForwarded &&= isForwarded
    run.address = address
    run.length += 1
  }

  return {
    note({ address, headers }) {
      if (address === undefined) return
      if (headers['latchkey-forwarded-for'] !== undefined) return
      if (isTrusted(address) || !isPrivate(address)) {
        begin()
        return
      }
      const isForwarded = headers['x-forwarded-for'] !== undefined
      add(address, isForwarded)
      if (!run.isOneAddress && !run.isForwarded) {
        begin()
        add(address, isForwarded)
      }
      if (run.length < ENOUGH) return
      isMissing = true
      if (!isFound) found(address)
      isFound = true
    },
    isProxyMissing: () => isMissing,
  }
}

export interface WatchOptions {
  readonly issuer: string
  readonly http: { readonly trustedProxies: readonly string[] }
  readonly metrics: { showProxy(isMissing: () => boolean): void }
}

/**
 * Watches the requests for tokens, shows the verdict and logs the first one. Where the issuer is this machine
 * itself all of them come from here.
 */
export function watchSenders(
  app: FastifyInstance,
  { issuer, http: { trustedProxies }, metrics }: WatchOptions,
): void {
  const watch = createSenderWatch({
    trustedProxies,
    found(address) {
      app.log.warn(
        { address },
        `the latest ${ENOUGH} requests for tokens came from private addresses, as through a proxy that is ` +
          'not in http.trustedProxies: all users share one rate limit; add its own address there',
      )
    },
  })
  metrics.showProxy(watch.isProxyMissing)
  if (isLoopbackName(new URL(issuer).hostname)) return
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.url?.endsWith('/token') === true) {
      watch.note({ address: request.socket.remoteAddress, headers: request.headers })
    }
    done()
  })
}
