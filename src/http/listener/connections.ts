// How a listener treats its connections: how long a request may take to arrive, what one that can't be read
// is told, and how they end at a stop.
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { refusalBody } from '../error-handler.ts'

const HEADERS_TIMEOUT_MS = 10_000
/** How late a time-out may be; Node's own 30 s would make one of 10 s last 40. */
const CHECK_MS = 1_000

/**
 * What Node calls the faults of a request that never reached a route, and the status of the answer; others:
 * 400.
 */
const STATUSES: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
}

/**
 * Fastify's options for a listener.
 *
 * @param requestTimeout milliseconds from the first byte of a request to its last; its headers get no more,
 * and 10 s at most
 */
export function connectionOptions(requestTimeout: number) {
  return {
    requestTimeout,
    // Were the second longer than the first, Node would swap the two in silence.
    http: {
      connectionsCheckingInterval: CHECK_MS,
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeout),
    },
    clientErrorHandler: refuseUnreadable,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
  } as const
}

/**
 * Lets a stop wait for requests and for nothing else: kept-alive connections end with their answer, silent
 * ones at once.
 *
 * @param isDraining whether a stop is near: connections end with their answers already, so that no request
 * comes upon one that is about to close
 */
export function closeConnectionsWhenStopping(
  app: FastifyInstance,
  isDraining: () => boolean = () => false,
): void {
  const sockets = new Set<Socket>()
  let stopping = false
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
    })
  })
  app.addHook('preClose', async () => {
    stopping = true
    // Node takes a connection that never sent a byte, as browsers open them ahead, for a busy one.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping || isDraining()) reply.header('connection', 'close')
    done(null, payload)
  })
}

/**
 * Closes a listener: requests in flight are answered. What is still busy after `graceMs` is cut off: a client
 * that sends a request byte by byte must not hold up the stop, and Node stops looking at time-outs once a
 * listener closes.
 */
export async function closeWithin(app: FastifyInstance, graceMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), graceMs)
  try {
    await app.close()
  } finally {
    clearTimeout(timer)
  }
}

/** Answers what no route ever saw: no HTTP, headers that are too large, a request that took too long. */
function refuseUnreadable(
  { code = '' }: Error & { readonly code?: string },
  socket: Socket,
): void {
  if (socket.writable) socket.write(rawAnswer(STATUSES[code] ?? 400))
  socket.destroySoon()
}

function rawAnswer(status: number): string {
  const body = refusalBody(status)
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${body.length}`,
    'cache-control: no-store',
    'connection: close',
    '',
    body,
  ].join('\r\n')
}
