// The id of a request, by which it is found in the log: the caller's own, from its header X-Request-Id, or
// one that is made here. Every answer bears it.
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Random } from '../../base/random.ts'

export const REQUEST_ID = 'x-request-id'

/**
 * So short that no access token, refresh token or ticket fits in, and nothing that a log or a shell would act
 * upon. Shorter secrets (a client's, SCIM's) would: whoever sends one here has it logged.
 */
const SAFE = /^[A-Za-z0-9_.:=+/-]{1,64}$/

const PREFIX_BYTES = 5

/**
 * Makes what names a request. An id that is made here is one of its kind: it begins with a text that is drawn
 * once for each server. That of a caller need not be.
 */
export function createRequestIds(
  random: Random,
): (request: Pick<IncomingMessage, 'headers'>) => string {
  const prefix = random.bytes(PREFIX_BYTES).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers[REQUEST_ID]
    if (typeof given === 'string' && SAFE.test(given)) return given
    count += 1
    return `${prefix}-${count.toString(36)}`
  }
}

/** Sends it with the answers of this scope; with a refusal it is sent everywhere (error-handler.ts). */
export function sendRequestId(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(REQUEST_ID, request.id)
    done()
  })
}
