// A line of the log as OpenTelemetry's log record: the message is its body, all else its attributes.
import {
  type Attributes,
  type LogRecord,
  ROOT_CONTEXT,
  SeverityNumber,
  trace,
} from '@opentelemetry/api'
import { isRecord, levelWord, recordOf, type LogRecord as Line } from '../log-record.ts'

const SEVERITIES: ReadonlyMap<unknown, SeverityNumber> = new Map([
  [10, SeverityNumber.TRACE],
  [20, SeverityNumber.DEBUG],
  [30, SeverityNumber.INFO],
  [40, SeverityNumber.WARN],
  [50, SeverityNumber.ERROR],
  [60, SeverityNumber.FATAL],
])

/** The record of a line; undefined: it is no line of the log. What the resource says is left out. */
export function logRecordOf(line: string): LogRecord | undefined {
  const record = recordOf(line)
  if (record === undefined) return undefined
  const { level, time, msg, traceparent, ...more } = record
  const { pid: _pid, hostname: _hostname, service: _service, ...attributes } = more
  return {
    timestamp: Number(time),
    severityNumber: SEVERITIES.get(level) ?? SeverityNumber.UNSPECIFIED,
    severityText: levelWord(level).toUpperCase(),
    body: String(msg),
    attributes: flat(attributes),
    ...(typeof traceparent === 'string' && { context: contextOf(traceparent) }),
  }
}

/** Members of members by their path; what is a list by its JSON. */
function flat(record: Line, prefix = ''): Attributes {
  const attributes: Attributes = {}
  for (const [name, value] of Object.entries(record)) {
    const path = `${prefix}${name}`
    if (typeof value === 'string' || typeof value === 'number') attributes[path] = value
    else if (typeof value === 'boolean') attributes[path] = value
    else if (isRecord(value) && !Array.isArray(value)) {
      Object.assign(attributes, flat(value, `${path}.`))
    } else attributes[path] = JSON.stringify(value)
  }
  return attributes
}

// Its form was looked at when the line was made (traceparent.ts).
function contextOf(traceparent: string) {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-')
  const traceFlags = Number.parseInt(flags, 16)
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags })
}
