// A line of the log in the names of the Elastic Common Schema (ECS 8.17). What has no name there stands below
// `latchkey`, under its own.
import { isRecord, levelWord, recordOf, timeText, type LogRecord } from './log-record.ts'

const ECS_VERSION = '8.17.0'
const NANOSECONDS = 1_000_000

/** Names of ours and theirs. */
const NAMES = namesOf({
  msg: 'message',
  pid: 'process.pid',
  hostname: 'host.hostname',
  service: 'service.name',
  reqId: 'http.request.id',
  method: 'http.request.method',
  status: 'http.response.status_code',
  network: 'source.address',
  reason: 'event.reason',
})

/** Those of the members of an audit event. */
const EVENT_NAMES = namesOf({
  type: 'event.action',
  network: 'source.address',
  reason: 'event.reason',
  sub: 'user.id',
})

const ERROR_NAMES = namesOf({
  type: 'error.type',
  message: 'error.message',
  stack: 'error.stack_trace',
  code: 'error.code',
})

/** What refused somebody. */
const FAILURE = /\.(failed|throttled|refused|reused|abandoned)$/

/** A line of JSON in those names; what is no JSON object stays as it is. */
export function ecsLine(line: string): string {
  const record = recordOf(line)
  if (record === undefined) return line
  const { level, time, ms, traceparent, err, audit, ...rest } = record
  const { known, own } = renamed(rest, NAMES)
  const event = isRecord(audit) ? eventOf(audit) : { known: {}, own: {} }
  const error = isRecord(err) ? renamed(err, ERROR_NAMES) : { known: {}, own: {} }
  const ours = { ...own, ...event.own, ...below('error', error.own) }
  return `${JSON.stringify({
    '@timestamp': timeText(time),
    'log.level': levelWord(level),
    'ecs.version': ECS_VERSION,
    ...known,
    ...event.known,
    ...(typeof ms === 'number' && { 'event.duration': Math.round(ms * NANOSECONDS) }),
    ...(typeof traceparent === 'string' && placeIn(traceparent)),
    ...error.known,
    ...below('latchkey', ours),
  })}\n`
}

/** Its members below a name, unless it has none. */
function below(name: string, members: LogRecord): LogRecord {
  return Object.keys(members).length > 0 ? { [name]: members } : {}
}

function eventOf(audit: LogRecord) {
  const { known, own } = renamed(audit, EVENT_NAMES)
  const outcome = FAILURE.test(String(audit['type'])) ? 'failure' : 'success'
  return { known: { 'event.kind': 'event', 'event.outcome': outcome, ...known }, own }
}

// Version, trace, span and flags (W3C Trace Context §3.2): its form was looked at when the line was made.
function placeIn(traceparent: string) {
  const [, trace, parent] = traceparent.split('-')
  return { 'trace.id': trace, 'parent.id': parent }
}

function renamed(record: LogRecord, names: ReadonlyMap<string, string>) {
  const known: Record<string, unknown> = {}
  const own: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(record)) {
    const theirs = names.get(name)
    if (theirs === undefined) own[name] = value
    else known[theirs] = value
  }
  return { known, own }
}

function namesOf(names: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(names))
}
