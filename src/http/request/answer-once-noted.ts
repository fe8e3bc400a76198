// An answer waits until what its request has to tell people and apps is in the outbox: whoever was answered
// can count on it, even if the server dies in the next moment.
import type { FastifyInstance } from 'fastify'
import type { Announcer } from '../../outbox/announce.ts'

/** Has the answers of the routes that are registered from here on wait. */
export function answerOnceNoted(
  app: FastifyInstance,
  { isBusyFor, settled }: Pick<Announcer, 'isBusyFor' | 'settled'>,
): void {
  // Without a promise where there is nothing to wait for, as nearly always.
  app.addHook('onSend', (request, _reply, payload, done) => {
    const send = () => {
      done(null, payload)
    }
    if (!isBusyFor(request)) send()
    // It never rejects, but an answer that can't be sent throws: that is an error of this request alone.
    else settled(request).then(send).catch(done)
  })
}
