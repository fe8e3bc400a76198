// Form-encoded bodies, and no others, for the endpoints that take parameters.
import type { FastifyInstance } from 'fastify'
import { parseForm } from '../oauth/form.ts'

/** The only content type; parameters such as a charset may follow. */
export const FORM = 'application/x-www-form-urlencoded'

/** Lets this scope take form-encoded bodies: anything else is answered 415. */
export function takeForms(app: FastifyInstance): void {
  app.addContentTypeParser(
    FORM,
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => parseForm(body),
  )
}
