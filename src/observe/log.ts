// The log: JSON lines on standard output. It writes route patterns, never URLs, headers or bodies, so no
// secret can get in.
import { hostname } from 'node:os'
import { pid } from 'node:process'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { StoreUnavailable } from '../stores/ports/unavailable.ts'
import { ANSWERED } from './log-output.ts'
import { SERVICE } from './log-record.ts'
import type { Metrics } from './metrics/metrics.ts'
import { traceparentOf } from './tracing/traceparent.ts'
import type { Tracing } from './tracing/tracing.ts'

/** Paths that are blanked should a later line ever carry them. */
const SECRET_PATHS = [
  'authorization',
  'password',
  'client_secret',
  'refresh_token',
  'access_token',
  'token',
  'secret',
]

/** The levels of the log that have the lines of requests. */
const WITH_INFO = ['trace', 'debug', 'info']

/** A share of 1, in the parts that shares are counted in. */
const WHOLE = 1_000_000_000

/** Options for Fastify's logger (pino). */
export function logOptions(level: string, service = SERVICE) {
  return {
    level,
    base: { pid, hostname: hostname(), service },
    redact: {
      paths: SECRET_PATHS.flatMap(path => [path, `*.${path}`, `*.*.${path}`]),
      censor: '[redacted]',
    },
    serializers: { req: () => ({}), err: describeError },
  }
}

/** Who sent a request. */
export interface Sender {
  /** The /24 or /64. */
  readonly network: string
  /** Undefined: nobody proved to be one, or claimed to be a public one, which has nothing to prove it by. */
  readonly clientId: string | undefined
}

/** What requests are observed with. */
export interface RequestObserver {
  readonly metrics: Metrics
  /** Asked when the request has been answered. */
  readonly senderOf: (request: FastifyRequest) => Sender
  /** Which share of the requests that succeeded is logged, 0 to 1; the value of now. */
  readonly successes: () => number
  /** The trace of a request; undefined: it isn't traced. */
  readonly traceIdOf: Tracing['traceIdOf']
}

/** Logs and counts every request when it is answered, in one line. */
export function observeRequests(
  app: FastifyInstance,
  { metrics, senderOf, successes, traceIdOf }: RequestObserver,
): void {
  const isSampled = createSampling(successes)
  // The line is flat: looking for secrets at every depth, as other lines have it, costs more than the line.
  // A child keeps its level, and that of the log may change.
  const log = app.log.child({}, { redact: SECRET_PATHS, level: 'info' })
  app.addHook('onResponse', (request, reply, done) => {
    const {
      id: reqId,
      method,
      routeOptions: { url: route = 'unknown' },
    } = request
    const { statusCode: status, elapsedTime: ms } = reply
    metrics.observeRequest({
      method,
      route,
      status,
      seconds: ms / 1000,
      traceId: traceIdOf(request),
    })
    if (WITH_INFO.includes(app.log.level) && (status >= 400 || isSampled())) {
      const { network, clientId } = senderOf(request)
      const line = {
        reqId,
        method,
        route,
        status,
        ms,
        network,
        clientId,
      }
      // A caller that is traced is found again; others cost nothing.
      log.info(
        request.headers['traceparent'] === undefined
          ? line
          : { ...line, traceparent: traceparentOf(request.headers) },
        ANSWERED,
      )
    }
    done()
  })
}

/**
 * Takes a share of all that it is asked for, evenly and without chance. In whole numbers: ten times 0.1 is
 * not quite 1.
 */
function createSampling(share: () => number): () => boolean {
  let sum = 0
  return () => {
    sum += Math.round(share() * WHOLE)
    if (sum < WHOLE) return false
    sum -= WHOLE
    return true
  }
}

interface LoggedError {
  readonly [key: string]: unknown
  readonly type: string
  readonly message: string
  readonly stack: string
}

// The stack's first line repeats the message, which a driver may have filled with what it was given; the type
// and the frames are enough. What a store says of its failure is made for the log.
function describeError(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: '', stack: '' }
  const code = 'code' in error ? { code: String(error.code) } : {}
  const frames = (error.stack ?? '').split('\n').filter(line => /^\s+at /.test(line))
  return {
    type: error.name,
    message: error instanceof StoreUnavailable ? error.message : '',
    stack: frames.slice(0, 8).join('\n'),
    ...code,
  }
}
