// Audit events: one log line per event that an auditor asks about. Nothing secret is in an event to begin with.
import type { FastifyBaseLogger } from 'fastify'
import type { Emit, Event } from '../events.ts'

// Told by metrics alone: they happen at every request and say nothing of security.
const ROUTINE: ReadonlySet<Event['type']> = new Set(['introspected', 'refresh.rotated', 'refresh.replayed'])

/** Writes events to the log, each under `audit`. */
export function createAudit (log: Pick<FastifyBaseLogger, 'info'>): Emit {
  return event => {
    if (!ROUTINE.has(event.type)) log.info({ audit: event }, 'audit')
  }
}
