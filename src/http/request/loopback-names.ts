// Prevents DNS rebinding in development mode. Any web site may point a name of its own to 127.0.0.1; the
// browser then takes a server there for the page's own origin and lets the page read its answers. Such a page
// can't choose the Host header: it holds the page's name.
import type { FastifyInstance } from 'fastify'
import { isLoopbackName } from '../../base/loopback.ts'
import { misdirectedRequest } from '../../oauth/errors.ts'
import { sendFrameworkError } from './error-handler.ts'

/**
 * Refuses with 421 (RFC 9110 §15.5.20) every request whose Host is no loopback name; for all routes that are
 * registered after it, in all scopes.
 */
export function answerLoopbackNamesOnly(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    const name = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase()
    if (isLoopbackName(name)) done()
    // The keys' scope has no error handler, as they never fail.
    else sendFrameworkError(misdirectedRequest(), request, reply)
  })
}
