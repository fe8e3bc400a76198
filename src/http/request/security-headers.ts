// Headers that keep a browser from rendering an answer as a page, or in a frame. They are constants: a
// library that computes them for every request (helmet) costs a fifth of an introspection.
import type { FastifyInstance } from 'fastify'

/** The headers of every answer; /docs replaces the policy by its own. */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const

/** Sends them with every answer of this scope. */
export function sendSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(SECURITY_HEADERS)
    done()
  })
}
