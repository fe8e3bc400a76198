// This folder guards the connections of a listener: how many are open, how long a request may take to arrive
// and its answer to leave, and how they end at a stop. It reads no parameter and knows no route. Both
// servers, public and management, are built with it.
import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import process from 'node:process'
import type { FastifyInstance, FastifyServerFactoryHandler } from 'fastify'
import type { ConnectionReason } from '../../base/events/reasons.ts'
import { refusalBody } from '../request/error-handler.ts'
import {
  createConnectionBounds,
  type ConnectionBounds,
  type ConnectionObserver,
} from './connection-bounds.ts'
import { framingFault } from './framing.ts'
import { createPipelining, type Pipelining } from './pipelining.ts'

// An import would read every export of it, and that of WebSocket loads a whole HTTP client.
const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http')

const HEADERS_TIMEOUT_MS = 10_000
/** How late a time-out may be; Node's own 30 s would make one of 10 s last 40. */
const CHECK_MS = 1_000
/** Longer than the idle time-outs of common load balancers, which then are the ones to close. */
const KEEP_ALIVE_MS = 72_000

/**
 * What Node calls the faults of a request that never reached a route, and the status of the answer; others:
 * 400.
 */
const STATUSES: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
}

export interface ListenerOptions {
  /**
   * Milliseconds from the first byte of a request to its last; its headers get no more, and 10 s at most.
   */
  readonly requestTimeout: number
  /** Milliseconds that the server itself may take to answer. */
  readonly answerTimeout: number
  readonly bounds: ConnectionBounds
  readonly observer: ConnectionObserver
}

/** Fastify's options for a listener. */
export function connectionOptions({
  requestTimeout,
  answerTimeout,
  bounds,
  observer,
}: ListenerOptions) {
  const bound = createConnectionBounds(bounds, observer)
  const pipelining = createPipelining()
  // A client may take as long to move on with its answer as with its request, and the server needs its own
  // time between the two, in which the connection stands still as well.
  const stallTimeout = requestTimeout + answerTimeout

  function serverFactory(handler: FastifyServerFactoryHandler): Server {
    const cut = (socket: Socket, reason: ConnectionReason) => {
      // Its address is known only while it is open.
      observer.cut(reason, String(socket.remoteAddress))
      socket.destroy()
    }
    const tooMany = (socket: Socket) => {
      stopParsing(socket)
      cut(socket, 'pipelined_too_many')
    }
    const server = createServer(
      {
        // framingFault looks for it, and its refusal says why.
        requireHostHeader: false,
        requestTimeout,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: CHECK_MS,
        // Were the second longer than the first, Node would swap the two in silence.
        headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeout),
      },
      pipelining.oneAtATime((request, response) => {
        const fault = framingFault(request)
        if (fault === undefined) handler(request, response)
        else refuse(response, fault)
      }, tooMany),
    )
    // RFC 9110 §10.1.1: an expectation other than 100-continue, which Node itself meets.
    server.on(
      'checkExpectation',
      pipelining.oneAtATime((_request, response) => refuse(response, 417), tooMany),
    )
    server.timeout = stallTimeout
    server.on('timeout', socket => {
      if (socket.writableLength > 0) cut(socket, 'write_stalled')
      else socket.destroy()
    })
    bound(server)
    return server
  }

  return {
    serverFactory,
    clientErrorHandler: createRefusal(pipelining, stallTimeout),
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

/**
 * Makes what answers requests that no route ever saw: no HTTP, headers that are too large, a request that
 * took too long.
 */
function createRefusal({ isAnswering }: Pipelining, withinMs: number) {
  return ({ code = '' }: Error & { readonly code?: string }, socket: Socket): void => {
    // The bytes would land within the answer before.
    if (isAnswering(socket)) {
      destroy(socket)
      return
    }
    if (!socket.writable) return
    socket.write(rawAnswer(STATUSES[code] ?? 400))
    socket.destroySoon()
    // Whoever takes nothing but goes on sending would otherwise keep the connection.
    const timer = setTimeout(destroy, withinMs, socket).unref()
    socket.once('close', () => clearTimeout(timer))
  }
}

/**
 * Node parses all of what it has read, also of a connection that was ended, and keeps each request until the
 * connection closes at the end of the event loop's turn: some 2,000 in 64 KB, times all connections that were
 * read from in that turn. A parser that is answered 2, as before another protocol (Upgrade), stops there. No
 * documented way leads to it; test/faults/unread.faults.ts shows the memory that it saves.
 */
function stopParsing({ parser }: Socket & { readonly parser?: Parser | null }): void {
  if (parser) parser.onIncoming = () => 2
}

interface Parser {
  onIncoming: () => number
}

function destroy(socket: Socket): void {
  socket.destroy()
}

function rawAnswer(status: number): string {
  const body = refusalBody(status)
  const headers = Object.entries(refusalHeaders(body))
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    '',
    body,
  ].join('\r\n')
}

function refuse(response: ServerResponse, status: number): void {
  const body = refusalBody(status)
  response.writeHead(status, refusalHeaders(body)).end(body)
}

// Nothing more is read of a connection whose requests may be read in two ways.
function refusalHeaders(body: string): Record<string, string> {
  return {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(body.length),
    'cache-control': 'no-store',
    connection: 'close',
  }
}
