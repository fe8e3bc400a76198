// Whether anybody still waits for the answer.
import type { FastifyReply } from 'fastify'

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
