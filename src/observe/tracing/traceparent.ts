// The caller's place in a trace (W3C Trace Context §3.2). Nothing that doesn't have its exact form gets into
// a line.

const FORM = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** The traceparent of a request; undefined when it has none, or none that is well-formed. */
export function traceparentOf(
  headers: Readonly<Record<string, unknown>>,
): string | undefined {
  const { traceparent } = headers
  return typeof traceparent === 'string' && FORM.test(traceparent)
    ? traceparent
    : undefined
}
