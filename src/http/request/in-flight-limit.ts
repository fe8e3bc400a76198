// What keeps a server from drowning: a bound on the requests that are worked on at once, and a limit to how
// long one may take.
import type { FastifyInstance } from 'fastify'
import { createDeadlines } from '../../base/deadlines.ts'
import { createRequestSlot } from './request-slot.ts'
import { clientClosedRequest, temporarilyUnavailable } from '../../oauth/errors.ts'

export interface InFlightLimits {
  /** How many requests may be worked on at once; more are refused at once. */
  readonly maxInFlight: number
  /** How long working on one may take, in milliseconds; then it is answered 503. */
  readonly answerTimeout: number
}

/**
 * Bounds the work of all routes that are registered here. It begins when a request has arrived as a whole:
 * who sends slowly takes nobody's place. It ends when the answer is there: who reads slowly takes none
 * either.
 * The listener cuts off both (listener/listener.ts).
 */
export function limitInFlight(
  app: FastifyInstance,
  { maxInFlight, answerTimeout }: InFlightLimits,
): void {
  const deadlines = createDeadlines(answerTimeout)
  /** Ends the work on a request: gives its place back and stops the clock. */
  const works = createRequestSlot<(() => void) | undefined>()
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
      works.set(request, undefined)
      inFlight -= 1
      deadlines.remove(deadline)
    }
    works.set(request, release)
    // Nobody waits any more.
    reply.raw.once('close', () => works.get(request)?.())
    done()
  })
  // Not when it was sent: how long that takes is the client's choice.
  app.addHook('onSend', (request, _reply, payload, done) => {
    works.get(request)?.()
    done(null, payload)
  })
}
