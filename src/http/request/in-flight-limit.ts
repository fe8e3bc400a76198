// Protects the server from overload: limits how many requests are in flight at once, and how long one may
// take.
import type { FastifyInstance } from 'fastify'
import { createDeadlines } from '../../base/deadlines.ts'
import { createRequestSlot } from './request-slot.ts'
import { clientClosedRequest, temporarilyUnavailable } from '../../oauth/errors.ts'

export interface InFlightLimits {
  /** How many requests may be in flight; further ones are refused at once. */
  readonly maxInFlight: number
  /** How long one may take, in milliseconds; then it is answered 503. */
  readonly answerTimeout: number
}

/**
 * Limits the requests in flight of all routes that are registered here. A request is in flight from its last
 * byte until its answer is made: slow senders and slow readers take no place. The listener cuts off both
 * (listener/listener.ts).
 *
 * @returns how many there are, when asked
 */
export function limitInFlight(
  app: FastifyInstance,
  { maxInFlight, answerTimeout }: InFlightLimits,
): () => number {
  const deadlines = createDeadlines(answerTimeout)
  /** Releases the place of a request and stops its clock. */
  const releases = createRequestSlot<(() => void) | undefined>()
  let inFlight = 0
  app.addHook('preValidation', (request, reply, done) => {
    if (request.socket.destroyed) {
      done(clientClosedRequest())
      return
    }
    if (inFlight >= maxInFlight) {
      done(temporarilyUnavailable('overloaded'))
      return
    }
    inFlight += 1
    const deadline = deadlines.add(() => {
      reply.send(temporarilyUnavailable('answer_too_late'))
    })
    const release = () => {
      releases.set(request, undefined)
      inFlight -= 1
      deadlines.remove(deadline)
    }
    releases.set(request, release)
    // The client is gone.
    reply.raw.once('close', () => releases.get(request)?.())
    done()
  })
  // Not when it was sent: the client decides how long that takes.
  app.addHook('onSend', (request, _reply, payload, done) => {
    releases.get(request)?.()
    done(null, payload)
  })
  return () => inFlight
}
