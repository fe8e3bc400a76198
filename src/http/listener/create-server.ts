// The public server without a route: Fastify with our connections, limits and validator.
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { IncomingMessage } from 'node:http'
import fastify, { LogController, type FastifyInstance } from 'fastify'
import { systemRandom } from '../../base/random.ts'
import { createTrust } from '../callers/trusted-proxies.ts'
import { createRequestIds } from '../request/request-id.ts'
import { sendFrameworkError } from '../request/error-handler.ts'
import type { ConnectionObserver } from './connection-bounds.ts'
import { connectionOptions } from './listener.ts'

const BODY_LIMIT = 16 * 1024

/** What the configuration says of the listener. */
export interface HttpSettings {
  /** Milliseconds. */
  readonly requestTimeout: number
  /** Milliseconds. */
  readonly answerTimeout: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  /** Addresses and CIDRs of the proxies. */
  readonly trustedProxies: readonly string[]
}

/** What the server is made with. */
export interface CreateServerOptions {
  readonly http: HttpSettings
  /** Notified of the connections. */
  readonly observer: ConnectionObserver
  /** Pino's options. */
  readonly logger: object
  /** Gives the URL that a request is answered at; default: its own. */
  readonly rewrite?: ((url: string) => string) | undefined
}

/** Makes the server, which has no route and doesn't listen. */
export function createServer({
  http,
  observer,
  logger,
  rewrite,
}: CreateServerOptions): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger,
    logController: new LogController({ disableRequestLogging: true }),
    // A child logger per request costs as much as writing a log line; the few lines about a request name it
    // themselves.
    childLoggerFactory: parent => parent,
    requestIdHeader: false,
    genReqId: createRequestIds(systemRandom),
    trustProxy: http.trustedProxies.length > 0 ? [...http.trustedProxies] : false,
    bodyLimit: BODY_LIMIT,
    ...connectionOptions({
      ...http,
      bounds: { ...http, isExempt: createTrust(http.trustedProxies) },
      observer,
    }),
    frameworkErrors: sendFrameworkError,
    ...(rewrite !== undefined && {
      rewriteUrl: ({ url }: IncomingMessage) => rewrite(String(url)),
    }),
  })
  // Bodies are read where an endpoint says how; elsewhere, what is wrong is the path or the method and not
  // the body.
  app.removeAllContentTypeParsers()
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  return app
}
