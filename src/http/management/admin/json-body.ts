// Bodies of /admin/v1: JSON, or none.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { invalidRequest } from '../../../oauth/errors.ts'

/** Takes JSON alone; no body, or an empty one, is an object without members. */
export function takeJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: FastifyRequest, body: string) => parse(body),
  )
  app.addHook('preValidation', async request => {
    request.body ??= {}
  })
}

function parse(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch {
    throw invalidRequest('the body is no JSON')
  }
}
