// The audit log: one line of JSON per event that an auditor asks about, whatever the log's level. Nothing
// secret is in an event to begin with.
import { hostname } from 'node:os'
import { pid } from 'node:process'
import type { Clock } from '../../base/clock.ts'
import type { Emit, Event, Routine } from '../../base/events/events.ts'
import type { AuditEvent } from './audit-events.ts'
import type { AuditLine } from './audit-schema.ts'
import { SERVICE } from '../log-record.ts'
import { traceparentOf } from '../tracing/traceparent.ts'

const ROUTINE: ReadonlySet<Event['type']> = new Set<Routine['type']>([
  'introspected',
  'refresh.rotated',
  'refresh.replayed',
])

/** Whether it is told by metrics alone. */
export function isRoutine(event: Event): event is Routine {
  return ROUTINE.has(event.type)
}

/** Where audit lines go. */
export interface AuditStream {
  /** Writes a line at once. Never throws. */
  write(line: string): void
}

/** What its lines say beside the event. */
export interface AuditOptions {
  readonly clock: Clock
  /** As `log.service`; default: latchkey. */
  readonly service?: string | undefined
}

/** Makes the audit log. */
export function createAudit(
  stream: AuditStream,
  { clock, service = SERVICE }: AuditOptions,
): Emit {
  const host = hostname()
  return (event, origin) => {
    if (isRoutine(event)) return
    // The schema knows every event that gets here: else this is no AuditEvent, and nothing compiles.
    const audit: AuditEvent = event
    const traceparent = origin && traceparentOf(origin.headers)
    const line: AuditLine = {
      level: 30,
      time: clock(),
      pid,
      hostname: host,
      service,
      ...(origin !== undefined && { reqId: origin.id }),
      ...(traceparent !== undefined && { traceparent }),
      audit,
      msg: 'audit',
    }
    stream.write(`${JSON.stringify(line)}\n`)
  }
}
