// Traces as the rest of the house sees them: something around a call. Only observe/tracing/otel.ts knows
// OpenTelemetry, and it is read by who traces alone.
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** What a span says beside its name and its time. */
export type SpanAttributes = Readonly<Record<string, string>>

/**
 * Ends a span; once, whatever comes later. With an error the span is a failed one, and the error's class is
 * all that it tells of it.
 */
export type EndSpan = (error?: unknown) => void

/**
 * Spans within the request that runs now; outside of a request, and in one that isn't traced, nothing
 * happens.
 */
export interface Spans {
  /** Begins a span. */
  begin(name: string, attributes?: SpanAttributes): EndSpan
  /**
   * Gives a call in the place of another, with a span around it. What answers at once still answers at once.
   */
  around<Args extends unknown[], Result>(
    name: string,
    call: (...args: Args) => Result,
    attributes?: SpanAttributes,
  ): (...args: Args) => Result
}

/** Traces of one server. */
export interface Tracing extends Spans {
  /** Makes each request of these routes a span, below the caller's where it sends a traceparent. */
  observeRequests(app: FastifyInstance): void
  /** The id of the trace that a request is in and that is sent; undefined: in none. */
  traceIdOf(request: FastifyRequest): string | undefined
  /** Sends what is left, for a second at most. Never rejects. */
  close(): Promise<void>
}

/** No traces: every call stays what it is. */
export const NO_TRACING: Tracing = {
  begin: () => () => {},
  around: (_name, call) => call,
  observeRequests() {},
  traceIdOf: () => undefined,
  close: async () => {},
}
