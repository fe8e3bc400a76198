// Form-encoded bodies, and no others, for the endpoints that take parameters.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { invalidRequest, OAuthError } from '../../oauth/errors.ts'
import { parseForm } from '../../oauth/form.ts'

/** The only content type; parameters such as a charset may follow. */
export const FORM = 'application/x-www-form-urlencoded'

/**
 * Lets this scope take form-encoded bodies: anything else is answered 415. `repeatable`: parameters that may
 * stand there more than once; default: as parseForm says.
 */
export function takeForms(app: FastifyInstance, repeatable?: readonly string[]): void {
  // Documented only: which parameters there must be is judged by the endpoint, once the client has proved who
  // it is.
  app.setValidatorCompiler(
    ({ httpPart }) =>
      value =>
        httpPart === 'body' && value === null ? { error: withoutBody() } : true,
  )
  app.addContentTypeParser(
    FORM,
    { parseAs: 'buffer' },
    // Fastify takes what is thrown as an error of the body, as it would a rejection.
    (request: FastifyRequest, body: Buffer, done) => {
      refuseEncoded(request)
      done(null, parseForm(body, repeatable))
    },
  )
}

/** Refuses a body with a content encoding: 415. */
export function refuseEncoded({ headers }: FastifyRequest): void {
  const coding = headers['content-encoding']
  if (coding !== undefined && !/^\s*(identity)?\s*$/i.test(coding)) throw encoded()
}

function withoutBody(): OAuthError {
  return invalidRequest('the request has no body')
}

// RFC 9110 §8.4, §15.5.16; §12.5.3: Accept-Encoding says what would be taken.
function encoded(): OAuthError {
  return new OAuthError(415, 'invalid_request', {
    description: 'the body must not have a content encoding',
    reason: 'http_415',
    headers: { 'accept-encoding': 'identity' },
  })
}
