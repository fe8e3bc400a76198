// The management listener serves probes (Kubernetes' names), metrics and, to callers with a token, the API
// for accounts. It never serves a route of the public port. src/server.ts builds it from the core and from
// what the metrics report.
import { setImmediate } from 'node:timers/promises'
import fastify, {
  LogController,
  type FastifyInstance,
  type FastifyRequest,
} from 'fastify'
import Negotiator from 'negotiator'
import { systemRandom } from '../../base/random.ts'
import { managementApi, type ApiOptions } from './api.ts'
import { scimForm } from './scim/scim-form.ts'
import { closeConnectionsWhenStopping, connectionOptions } from '../listener/listener.ts'
import type {
  ConnectionBounds,
  ConnectionObserver,
} from '../listener/connection-bounds.ts'
import { setErrorHandler, setNotFoundHandler } from '../request/error-handler.ts'
import { createRequestIds, sendRequestId } from '../request/request-id.ts'
import { answerLoopbackNamesOnly } from '../request/loopback-names.ts'
import { collectRoutes } from '../request/routes.ts'

const REQUEST_TIMEOUT_MS = 10_000
/** Collecting the metrics takes milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000
/** A group of ten thousand members, each by its id and a name, is 1 MB. */
const BODY_LIMIT = 4 * 1024 * 1024
/** A `sub` has up to 255 characters, each of which may be percent-encoded. */
const LONGEST_PARAM = 3 * 255

const METRICS_TYPES = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const

export interface ManagementOptions {
  /**
   * Whether the server may be sent requests: it has its configuration and keys, reached the store once and
   * isn't draining.
   */
  readonly isReady: () => boolean
  /** The state of the store; shown, but no reason to be unready: the keys are served without it. */
  readonly storeState: () => { readonly store: string; readonly advice?: string }
  /** The metrics, in a format that the scraper knows. */
  readonly metrics: (format: 'text' | 'openmetrics') => Promise<string>
  readonly bounds: ConnectionBounds
  /** Whether it answers to names of this machine only: development mode. */
  readonly loopbackNamesOnly: boolean
  readonly observer: ConnectionObserver
  /** Pino's options. */
  readonly logger: object
  /** What may be done to accounts. */
  readonly api: ApiOptions
}

/** Builds the management server; never listens. */
export function buildManagement({
  isReady,
  storeState,
  metrics,
  bounds,
  observer,
  loopbackNamesOnly,
  logger,
  api,
}: ManagementOptions): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: parent => parent,
    requestIdHeader: false,
    genReqId: createRequestIds(systemRandom),
    bodyLimit: BODY_LIMIT,
    routerOptions: { maxParamLength: LONGEST_PARAM },
    ...connectionOptions({
      requestTimeout: REQUEST_TIMEOUT_MS,
      answerTimeout: ANSWER_TIMEOUT_MS,
      bounds,
      observer,
    }),
  })
  sendRequestId(app)
  setErrorHandler(app)
  if (loopbackNamesOnly) answerLoopbackNamesOnly(app)
  setNotFoundHandler(app, { routes: collectRoutes(app), formOf: scimForm })
  closeConnectionsWhenStopping(app)
  app.get('/livez', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const ready = isReady()
    reply.code(ready ? 200 : 503)
    return { status: ready ? 'ready' : 'not ready', ...storeState() }
  })
  const render = {
    text: sharedPerTick(() => metrics('text')),
    openmetrics: sharedPerTick(() => metrics('openmetrics')),
  }
  app.get('/metrics', async (request, reply) => {
    const format = metricsFormat(request)
    reply.type(METRICS_TYPES[format]).header('vary', 'accept')
    return await render[format]()
  })
  app.register(managementApi, api)
  return app
}

const [TEXT, OPEN_METRICS] = [
  'text/plain; version=0.0.4',
  'application/openmetrics-text; version=1.0.0',
]

/** A parameter that says nothing of what is served, such as Prometheus' `escaping`. */
const OTHER_PARAMETER = /;\s*(?!q=|version=)[^;,]*/gi

// Text for a browser, which takes anything.
function metricsFormat({ headers: { accept = '*/*' } }: FastifyRequest) {
  const wanted = new Negotiator({
    headers: { accept: accept.replaceAll(OTHER_PARAMETER, '') },
  })
  return wanted.mediaType([TEXT, OPEN_METRICS]) === OPEN_METRICS ? 'openmetrics' : 'text'
}

/** Calls in the same turn of the event loop share one run: it takes milliseconds. */
function sharedPerTick<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let begun: Promise<Result> | undefined
  return () => {
    begun ??= setImmediate().then(() => {
      begun = undefined
      return work()
    })
    return begun
  }
}
