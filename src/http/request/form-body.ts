// Form-encoded bodies, and no others, for the endpoints that take parameters.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { OAuthError } from '../../oauth/errors.ts'
import { parseForm } from '../../oauth/form.ts'

/** The only content type; parameters such as a charset may follow. */
export const FORM = 'application/x-www-form-urlencoded'

/**
 * Lets this scope take form-encoded bodies: anything else is answered 415. `repeatable`: parameters that may
 * stand there more than once; default: as parseForm says.
 */
export function takeForms(app: FastifyInstance, repeatable?: readonly string[]): void {
  app.addContentTypeParser(
    FORM,
    { parseAs: 'buffer' },
    async ({ headers }: FastifyRequest, body: Buffer) => {
      const coding = headers['content-encoding']
      if (coding !== undefined && !/^\s*(identity)?\s*$/i.test(coding)) throw encoded()
      return parseForm(body, repeatable)
    },
  )
}

// RFC 9110 §8.4, §15.5.16; §12.5.3: Accept-Encoding says what would be taken.
function encoded(): OAuthError {
  return new OAuthError(
    415,
    'invalid_request',
    'the body must not have a content encoding',
    'http_415',
    { 'accept-encoding': 'identity' },
  )
}
