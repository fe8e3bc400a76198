// Detects a proxy that http.trustedProxies doesn't name: all requests for tokens then seem to come from it,
// and all users share one rate limit.
import type { FastifyInstance } from 'fastify'
import { isLoopbackName } from '../../base/loopback.ts'
import { createTrust } from './trusted-proxies.ts'

/** How many requests in a row must look like that. */
export const ENOUGH = 500

/** Private networks: RFC 1918, RFC 4193, RFC 6598, loopback, link-local. */
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

/** What the detector reads of a request. */
export interface Sent {
  /** The address of the connection; undefined once it has ended. */
  readonly address: string | undefined
  readonly headers: Readonly<Record<string, unknown>>
}

export interface ProxyDetector {
  note(sent: Sent): void
  /** Whether the latest requests look as if they came through a proxy that isn't configured. */
  readonly isProxyMissing: () => boolean
}

/**
 * Makes the detector. A proxy is missing when ENOUGH requests in a row came from private addresses that
 * aren't trusted, all from one of them, or all with X-Forwarded-For as several proxies send it. A back end
 * that names its users' addresses itself (Latchkey-Forwarded-For) is no proxy.
 *
 * @param options.report is called with one of these addresses, once
 */
export function createProxyDetector({
  trustedProxies,
  report,
}: {
  trustedProxies: readonly string[]
  report: (address: string) => void
}): ProxyDetector {
  const isTrusted = createTrust(trustedProxies)
  const isPrivate = createTrust(PRIVATE)
  const run = {
    length: 0,
    address: '',
    isOneAddress: true,
    isForwarded: true,
  }
  let isMissing = false
  let isReported = false

  function begin(): void {
    isMissing = false
    Object.assign(run, {
      length: 0,
      isOneAddress: true,
      isForwarded: true,
    })
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
      if (!isReported) report(address)
      isReported = true
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
 * Watches the requests for tokens, shows the verdict as a metric and logs the first one. An issuer on this
 * machine itself is left out: all requests come from here.
 */
export function detectMissingProxy(
  app: FastifyInstance,
  { issuer, http: { trustedProxies }, metrics }: WatchOptions,
): void {
  const detector = createProxyDetector({
    trustedProxies,
    report(address) {
      app.log.warn(
        { address },
        `the latest ${ENOUGH} requests for tokens came from private addresses, as through a proxy that is ` +
          'not in http.trustedProxies: all users share one rate limit; add its own address there',
      )
    },
  })
  metrics.showProxy(detector.isProxyMissing)
  if (isLoopbackName(new URL(issuer).hostname)) return
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.url?.endsWith('/token') === true) {
      detector.note({ address: request.socket.remoteAddress, headers: request.headers })
    }
    done()
  })
}
