// Pipelining (RFC 9112 §9.3.2). Node hands out all requests of a chunk of bytes at once; here each connection
// has one request in work, and the next one waits until the client has taken the answer before it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * How many requests of a connection may wait. Clients that pipeline send a handful; each waiting request
 * costs some 4 KB, and a request too many ends the connection.
 */
export const MAX_WAITING = 16

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Orders the requests of each connection. */
export interface Pipelining {
  /**
   * Wraps the handler of a server's requests. A request whose connection is still writing an earlier answer
   * is handed on once that one has gone out: a client that never reads gets one answer made, not thousands.
   *
   * @param tooMany is called with the connection of more than MAX_WAITING requests; it has to end it, and to
   * stop the parser: Node goes on with what it has read
   */
  oneAtATime(handle: Handler, tooMany: (socket: Socket) => void): Handler
  /** Whether a request of the connection has arrived as a whole and its answer hasn't left as a whole. */
  isAnswering(socket: Socket): boolean
}

/** Makes the order of one or several servers. */
export function createPipelining(): Pipelining {
  const queues = new WeakMap<Socket, { waiting: number }>()
  const latest = new WeakMap<Socket, ServerResponse>()

  return {
    isAnswering(socket) {
      const response = latest.get(socket)
      return (
        response !== undefined &&
        !response.writableFinished &&
        (response.req.complete || response.headersSent)
      )
    },
    oneAtATime: (handle, tooMany) => (request, response) => {
      const { socket } = request
      const start = () => {
        latest.set(socket, response)
        handle(request, response)
      }
      // Node gives a response its connection when all before it have been written.
      if (response.socket !== null) {
        start()
        return
      }
      const queue = queues.get(socket) ?? { waiting: 0 }
      if (queue.waiting >= MAX_WAITING) {
        tooMany(socket)
        return
      }
      queue.waiting += 1
      queues.set(socket, queue)
      response.once('socket', () => {
        // Node first finishes what it does with the connection.
        process.nextTick(() => {
          queue.waiting -= 1
          if (!socket.destroyed) start()
        })
      })
    },
  }
}
