// This folder treats every request alike: forms, CORS, headers, limits, errors; it knows no route. Here
// errors become answers: a refusal becomes an RFC 6749 §5.2 object, a fault of ours a 500 or 503 without
// details. src/app.ts registers all of it, for both listeners.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'
import { SignerUnavailable } from '../../keys/external/key-source.ts'
import {
  clientClosedRequest,
  OAuthError,
  temporarilyUnavailable,
} from '../../oauth/errors.ts'
import { StoreUnavailable } from '../../stores/ports/unavailable.ts'
import { REQUEST_ID } from './request-id.ts'
import type { RouteTable } from './routes.ts'

/** Descriptions for what Fastify itself refuses. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'the request is malformed',
  404: 'there is nothing at this path',
  405: 'the method is not allowed at this path',
  408: 'the request took too long',
  413: 'the request is too large',
  415: 'the content type must be application/x-www-form-urlencoded',
  417: 'the expectation is not supported',
  431: 'the headers are too large',
  501: 'the transfer coding is not supported',
}

/** The body of a refusal, and its media type. */
export interface RefusalBody {
  readonly type: string
  readonly body: string
}

/** How a refusal is said to a request that wants no object of RFC 6749; undefined: it wants that. */
export type RefusalForm = (
  error: OAuthError,
  request: FastifyRequest,
) => RefusalBody | undefined

const asOAuth: RefusalForm = () => undefined

/** Sets the handler for errors. `formOf`: other forms than that of RFC 6749; default: none. */
export function setErrorHandler(
  app: FastifyInstance,
  formOf: RefusalForm = asOAuth,
): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    send(toOAuthError(error, request), { request, reply, formOf })
  })
}

export interface NotFoundOptions {
  readonly routes: RouteTable
  /** Other forms than that of RFC 6749; default: none. */
  readonly formOf?: RefusalForm
  /** Whether CORS answers OPTIONS at this URL. Default: nowhere. */
  readonly answersOptions?: (url: string) => boolean
}

/**
 * Answers unknown paths with 404 and methods that a path doesn't take with 405 and Allow (RFC 9110 §15.5.6),
 * before the body or its type is looked at.
 */
export function setNotFoundHandler(
  app: FastifyInstance,
  { routes, answersOptions = () => false, formOf = asOAuth }: NotFoundOptions,
): void {
  function refusalFor({ method, url }: FastifyRequest): OAuthError {
    const [path = ''] = url.split('?', 1)
    const allowed = routes.methodsAt(path)
    // A route that takes the method found nothing itself.
    if (allowed.length === 0 || allowed.includes(method)) return refused(404)
    const options = answersOptions(url) ? ['OPTIONS'] : []
    const allow = [...new Set([...allowed, ...options])].sort().join(', ')
    return refused(405, { allow })
  }

  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) send(refusalFor(request), { request, reply, formOf })
    else done()
  })
  // A route that finds nothing may ask for this answer.
  app.setNotFoundHandler((request, reply) => {
    send(refusalFor(request), { request, reply, formOf })
  })
}

/**
 * Answers an error that arose before routing, such as a URL that can't be decoded.
 */
export function sendFrameworkError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  send(toOAuthError(error, request), { request, reply, formOf: asOAuth })
}

/** The body of a refusal by status, for a request that never reached a route. */
export function refusalBody(status: number): string {
  return bodyOf(refused(status))
}

/** The refusal that answers an error. */
export function refusalOf(error: FastifyError): OAuthError {
  // The work was given up because nobody waited for it: that is no fault.
  if (error instanceof OAuthError) {
    return error.reason === 'client_gone' ? clientClosedRequest() : error
  }
  if (error instanceof StoreUnavailable) {
    return temporarilyUnavailable('store_unavailable')
  }
  if (error instanceof SignerUnavailable) {
    return temporarilyUnavailable('signer_unavailable')
  }
  const { statusCode } = error
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return refused(statusCode)
  }
  return new OAuthError(500, 'server_error', {
    description: 'the server met an unexpected condition',
    reason: 'fault',
  })
}

function toOAuthError(error: FastifyError, request: FastifyRequest): OAuthError {
  const refusal = refusalOf(error)
  // The messages of a store and a signer are made for the log; the driver's error is their cause.
  if (error instanceof StoreUnavailable || error instanceof SignerUnavailable) {
    request.log.error({ reqId: request.id, err: error.cause }, error.message)
  } else if (refusal.reason === 'fault') {
    request.log.error({ reqId: request.id, err: error }, 'a fault of ours')
  }
  return refusal
}

function refused(status: number, headers: Record<string, string> = {}): OAuthError {
  const code = status === 404 ? 'not_found' : 'invalid_request'
  return new OAuthError(status, code, {
    description: REFUSALS[status] ?? 'the request is refused',
    reason: `http_${status}`,
    headers,
  })
}

/** Where an answer goes. */
interface Answer {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly formOf: RefusalForm
}

function send(error: OAuthError, { request, reply, formOf }: Answer): void {
  request.log.info(
    { reqId: request.id, reason: error.reason, status: error.status },
    'refused',
  )
  const { type, body } =
    formOf(error, request) ??
    (error.page && pageFor(request, error.page)) ??
    ({ type: 'application/json; charset=utf-8', body: bodyOf(error) } as const)
  reply
    .code(error.status)
    // An error before routing has passed no hook that sets the last two.
    .headers({
      ...error.headers,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      [REQUEST_ID]: request.id,
    })
    .type(type)
    .send(body)
}

// RFC 9110 §12.5.1: unless a page is preferred, the object.
function pageFor(
  { headers }: FastifyRequest,
  paragraphs: readonly string[],
): RefusalBody | undefined {
  const types = ['application/json', 'text/html']
  if (new Negotiator({ headers }).mediaType(types) !== 'text/html') return undefined
  const body = [
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Latchkey</title>\n',
    '<h1>Latchkey</h1>\n',
    ...paragraphs.map(text => `<p>${text}\n`),
    '</html>\n',
  ].join('')
  return { type: 'text/html; charset=utf-8', body }
}

function bodyOf(error: OAuthError): string {
  return JSON.stringify({ error: error.code, error_description: error.message })
}
