// Reads which request a proxy asks about at /verify, as a DPoP proof must name it (RFC 9449 §4.3).
import type { FastifyRequest } from 'fastify'
import { invalidDpopProof } from '../../oauth/token-errors.ts'
import type { ProofTarget } from './dpop.ts'
import { createTrust } from './trusted-proxies.ts'

/**
 * Which headers the proxies set: `original` are X-Original-Method and -URL, `forwarded` are
 * X-Forwarded-Method, -Proto, -Host and -Uri.
 */
export type ProxyHeaders = 'original' | 'forwarded'

export interface ProxiedRequestOptions {
  /** Addresses and CIDRs of the proxies. */
  readonly trustedProxies: readonly string[]
  /** As in `http.proxyHeaders`; undefined: no header is trusted. */
  readonly proxyHeaders?: ProxyHeaders | undefined
}

/**
 * Makes the function that reads method and URL of the request behind a proxy's question. It trusts a header
 * only from a trusted proxy, and only of the kind that the proxies set: a proxy passes the other kind on as
 * its caller sent it, and the caller could choose what a proof was made for.
 *
 * @throws OAuthError invalid_dpop_proof when no trusted header names the request; calls `onUnset` first when
 * `proxyHeaders` is missing
 */
export function createProxiedRequest(
  { trustedProxies, proxyHeaders }: ProxiedRequestOptions,
  onUnset: (request: FastifyRequest) => void,
): (request: FastifyRequest) => ProofTarget {
  const isTrusted = createTrust(trustedProxies)
  return request => {
    if (!isTrusted(String(request.socket.remoteAddress))) {
      throw invalidDpopProof('dpop_target_unknown')
    }
    if (proxyHeaders === undefined) onUnset(request)
    const target = proxyHeaders && READERS[proxyHeaders](request)
    if (target === undefined) throw invalidDpopProof('dpop_target_unknown')
    return target
  }
}

const READERS: Readonly<
  Record<ProxyHeaders, (request: FastifyRequest) => ProofTarget | undefined>
> = {
  original(request) {
    const method = headerOf(request, 'x-original-method')
    const url = headerOf(request, 'x-original-url')
    return method === undefined || url === undefined ? undefined : { method, url }
  },
  forwarded(request) {
    const has = (name: string) => headerOf(request, name) !== undefined
    const method = headerOf(request, 'x-forwarded-method')
    const path = headerOf(request, 'x-forwarded-uri')
    if (method === undefined || !has('x-forwarded-proto') || !has('x-forwarded-host')) {
      return undefined
    }
    // Anything else would go on with the host's name, or end it: `@`, `.example.net`.
    if (path?.startsWith('/') !== true) return undefined
    // Of several proxies in a row, the nearest one decides.
    return { method, url: `${request.protocol}://${request.host}${path}` }
  },
}

/** The header's value; undefined where it is missing or empty. */
export function headerOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
