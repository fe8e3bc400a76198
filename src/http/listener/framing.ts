// Faults of a request that Node's parser lets pass: which host it is for, and where its body ends.
import type { IncomingMessage } from 'node:http'

// RFC 3986 §3.2.2 and §3.2.3; empty where the URI has no host.
const HOST = /^[A-Za-z0-9._~!$&'()*+,;=:%[\]-]*$/

/**
 * The status by which a request is refused before anything else of it is looked at: 400 unless it names
 * exactly one host (RFC 9112 §3.2), 501 for a transfer coding that isn't known here (§6.1). Undefined: none
 * of these.
 */
export function framingFault({
  httpVersionMinor,
  headers,
  rawHeaders,
}: Pick<IncomingMessage, 'httpVersionMinor' | 'headers' | 'rawHeaders'>):
  400 | 501 | undefined {
  const { host } = headers
  // HTTP/1.0 knew no Host.
  const isHostRight = host === undefined ? httpVersionMinor === 0 : HOST.test(host)
  // Node keeps the first of several; a proxy in front may have gone by the last.
  if (!isHostRight || countOf('host', rawHeaders) > 1) return 400
  const coding = headers['transfer-encoding']
  return coding === undefined || /^[ \t]*chunked[ \t]*$/i.test(coding) ? undefined : 501
}

// Names and values in turn.
function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const header = rawHeaders[at]
    if (header?.length === name.length && header.toLowerCase() === name) count += 1
  }
  return count
}
