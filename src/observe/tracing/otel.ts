// Traces by OpenTelemetry, sent over OTLP/HTTP. Nothing is registered globally, and no span holds more than
// is written here: no name, no token, no address, no path, no text of an error.
import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { OAuthError } from '../../oauth/errors.ts'
import { endInTime, reportFailures, resourceOf } from './resource.ts'
import type { EndSpan, Spans, Tracing } from './tracing.ts'

export interface OpenTracingOptions {
  /** The collector's URL for traces. */
  readonly url: string
  readonly sampling: { readonly followsCaller: boolean; readonly share: number }
  /** Of Latchkey. */
  readonly version: string
  /** Told when spans could not be sent and are lost; of several failures in a row only the first is told. */
  readonly failed: (error: unknown) => void
}

/** Starts tracing. The exporter reads the rest of its settings from OTEL_EXPORTER_OTLP_… itself. */
export function openTracing({
  url,
  sampling,
  version,
  failed,
}: OpenTracingOptions): Tracing {
  const exporter = new OTLPTraceExporter({ url })
  reportFailures(exporter, failed)
  const provider = new TracerProvider({
    resource: resourceOf(version),
    sampler: samplerOf(sampling),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  })
  const tracer = provider.getTracer('latchkey', version)
  const current = new AsyncLocalStorage<Context>()
  const contexts: RequestContexts = new WeakMap()
  return {
    ...createSpans(tracer, current),
    observeRequests(app) {
      observeRequests(app, { tracer, current, contexts })
    },
    traceIdOf(request) {
      const context = contexts.get(request)
      return context && trace.getSpan(context)?.spanContext().traceId
    },
    close: () => endInTime([provider.shutdown()]),
  }
}

function samplerOf({ followsCaller, share }: OpenTracingOptions['sampling']): Sampler {
  const root = new TraceIdRatioBasedSampler(share)
  // Spans within a request follow it either way.
  return new ParentBasedSampler(
    followsCaller
      ? { root }
      : { root, remoteParentSampled: root, remoteParentNotSampled: root },
  )
}

function createSpans(tracer: Tracer, current: AsyncLocalStorage<Context>): Spans {
  const begin: Spans['begin'] = (name, attributes = {}) => {
    const parent = current.getStore()
    return parent === undefined
      ? () => {}
      : endOf(tracer.startSpan(name, { kind: kindOf(attributes), attributes }, parent))
  }
  return {
    begin,
    around:
      (name, call, attributes) =>
      (...args) => {
        const end = begin(name, attributes)
        try {
          const result = call(...args)
          if (result instanceof Promise) {
            result.then(() => {
              end()
            }, end)
          } else end()
          return result
        } catch (error) {
          end(error)
          throw error
        }
      },
  }
}

// Semantic conventions: a call of a database is the client's side of it.
function kindOf(attributes: Readonly<Record<string, string>>): SpanKind {
  return 'db.system.name' in attributes ? SpanKind.CLIENT : SpanKind.INTERNAL
}

function endOf(span: Span): EndSpan {
  return error => {
    if (!span.isRecording()) return
    if (error !== undefined) {
      fail(
        span,
        error instanceof OAuthError
          ? error.reason
          : error instanceof Error
            ? error.name
            : typeof error,
      )
    }
    span.end()
  }
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR })
}

const propagator = new W3CTraceContextPropagator()

// Of the caller only its place in its trace: a tracestate is free text.
function callerOf({ headers: { traceparent } }: FastifyRequest): Context {
  return propagator.extract(ROOT_CONTEXT, { traceparent }, defaultTextMapGetter)
}

/** Of the requests that are recorded. */
type RequestContexts = WeakMap<FastifyRequest, Context>

interface RequestTraces {
  readonly tracer: Tracer
  readonly current: AsyncLocalStorage<Context>
  readonly contexts: RequestContexts
}

function observeRequests(
  app: FastifyInstance,
  { tracer, current, contexts }: RequestTraces,
): void {
  app.addHook('onRequest', (request, reply, done) => {
    const {
      id,
      method,
      routeOptions: { url: route = 'unknown' },
    } = request
    const caller = callerOf(request)
    const attributes = {
      'http.request.method': method,
      'http.route': route,
      'latchkey.request_id': id,
    }
    const span = tracer.startSpan(
      `${method} ${route}`,
      { kind: SpanKind.SERVER, attributes },
      caller,
    )
    if (span.isRecording()) contexts.set(request, trace.setSpan(caller, span))
    // Also when the caller went away before the answer.
    reply.raw.once('close', () => {
      endRequest(span, reply.raw)
    })
    done()
  })
  // Not earlier: a body arrives in the context of its connection, and takes the request along there.
  app.addHook('preValidation', (request, _reply, done) => {
    const context = contexts.get(request)
    if (context === undefined) done()
    else current.run(context, done)
  })
  app.addHook('onError', async (request, _reply, error) => {
    const context = contexts.get(request)
    if (context !== undefined && error instanceof OAuthError) {
      trace.getSpan(context)?.setAttribute('latchkey.reason', error.reason)
    }
  })
}

function endRequest(
  span: Span,
  {
    statusCode,
    writableFinished,
  }: { readonly statusCode: number; readonly writableFinished: boolean },
): void {
  if (!writableFinished) fail(span, 'client_gone')
  else {
    span.setAttribute('http.response.status_code', statusCode)
    if (statusCode >= 500) fail(span, String(statusCode))
  }
  span.end()
}
