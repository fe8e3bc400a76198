// /authorize: what stands where OpenID Connect Discovery §3 requires an authorization endpoint. Nobody logs
// in here, and no response type is supported: the answer says so, to a browser in a page and to a client in
// an error.
import type { FastifyInstance } from 'fastify'
import { unsupportedResponseType } from '../../oauth/errors.ts'

/** The endpoint, by GET and POST (OIDC Core §3.1.2.1). It reads nothing of a request and never redirects. */
export async function authorizeRoute(app: FastifyInstance): Promise<void> {
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume()
    done(null)
  })
  app.route({
    method: ['GET', 'POST'],
    url: '/authorize',
    schema: { hide: true },
    async handler() {
      throw unsupportedResponseType()
    },
  })
}
