// Bodies in JSON, and no others, for the endpoints that take an object.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { malformedBody } from '../../oauth/account-errors.ts'
import { OAuthError } from '../../oauth/errors.ts'

/** The only content type; parameters such as a charset may follow. */
export const JSON_TYPE = 'application/json'

/** Lets this scope take bodies in JSON: anything else is answered 415. */
export function takeJson(app: FastifyInstance): void {
  // Documented only: the handler judges the body once the caller has proved who they are.
  app.setValidatorCompiler(() => () => true)
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  app.addContentTypeParser(
    JSON_TYPE,
    { parseAs: 'buffer' },
    async ({ headers }: FastifyRequest, body: Buffer): Promise<unknown> => {
      const coding = headers['content-encoding']
      if (coding !== undefined && !/^\s*(identity)?\s*$/i.test(coding)) throw notJson()
      // A client library may name the type of a body that isn't there.
      if (body.length === 0) return undefined
      try {
        return JSON.parse(utf8.decode(body))
      } catch {
        throw malformedBody('the body is no JSON')
      }
    },
  )
  // A DELETE without a body may name any type.
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, body: Buffer) => {
      if (body.length > 0) throw notJson()
    },
  )
}

/**
 * Makes what reads a body; members that the schema doesn't know are refused. `{}` stands for no body.
 *
 * @throws OAuthError invalid_request
 */
export function bodyReader<Schema extends TSchema>(
  schema: Schema,
): (body: unknown) => Static<Schema> {
  const check = Compile(schema)
  return function readBody(body) {
    const given: unknown = body ?? {}
    if (!check.Check(given)) {
      const [first] = check.Errors(given)
      throw malformedBody(
        `the body is not what is wanted: ${first?.instancePath} ${first?.message}`,
      )
    }
    return given
  }
}

function notJson(): OAuthError {
  return new OAuthError(415, 'invalid_request', {
    description: 'the content type must be application/json',
    reason: 'http_415',
    headers: { accept: JSON_TYPE, 'accept-encoding': 'identity' },
  })
}
