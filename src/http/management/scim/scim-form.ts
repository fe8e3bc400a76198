// How SCIM is spoken over HTTP (RFC 7644 §3.1, §8.1): its media type beside plain JSON, both ways, and its
// form of errors.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'
import { OAuthError } from '../../../oauth/errors.ts'
import type { RefusalForm } from '../../request/error-handler.ts'
import { errorBody, scimError } from '../../../scim/errors.ts'

/** Where SCIM is, below a listener's root or the issuer's path. */
export const SCIM_PATH = '/scim/v2'

const SCIM_TYPE = 'application/scim+json'
const JSON_TYPE = 'application/json'

/** Errors below SCIM's path, also of unknown paths there, have SCIM's form. */
export const scimForm: RefusalForm = (error, request) => {
  const [path = ''] = request.url.split('?', 1)
  return `${path}/`.includes(`${SCIM_PATH}/`)
    ? { type: answerType(request), body: errorBody(error) }
    : undefined
}

/** Takes both media types, where no parser is set. */
export function takeScim(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    [SCIM_TYPE, JSON_TYPE],
    { parseAs: 'string' },
    async (_request: FastifyRequest, body: string) => parseJson(body),
  )
  // A DELETE without a body may name any type.
  app.addContentTypeParser(
    '*',
    { parseAs: 'string' },
    async (_request: FastifyRequest, body: string) => {
      if (body !== '') throw notScim()
    },
  )
}

function notScim(): OAuthError {
  return new OAuthError(415, 'invalid_request', {
    description: `the content type must be ${SCIM_TYPE} or ${JSON_TYPE}`,
    reason: 'http_415',
    headers: { accept: `${SCIM_TYPE}, ${JSON_TYPE}` },
  })
}

/** Sets the type of an answer: SCIM's own, unless the caller wants plain JSON. */
export function typeAnswer(request: FastifyRequest, reply: FastifyReply): void {
  reply.type(answerType(request)).header('cache-control', 'no-store')
}

function answerType({ headers }: FastifyRequest): string {
  const wanted = new Negotiator({ headers }).mediaType([SCIM_TYPE, JSON_TYPE])
  return `${wanted === JSON_TYPE ? JSON_TYPE : SCIM_TYPE}; charset=utf-8`
}

function parseJson(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text, withoutPrototype)
  } catch {
    throw scimError('invalidSyntax', 'the body is no JSON')
  }
}

// `__proto__` would be no member of what is built from it.
function withoutPrototype(this: unknown, key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}
