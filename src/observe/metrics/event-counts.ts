// What events add to the metrics.
import type { Registry } from 'prom-client'
import type { Event } from '../../base/events/events.ts'
import { isRoutine } from '../audit/audit.ts'
import { createTally } from './tally.ts'

/** What an event does to a session. */
const CHANGES: Partial<Record<Event['type'], string>> = {
  'login.succeeded': 'opened',
  'refresh.rotated': 'rotated',
  'refresh.replayed': 'replayed',
  'refresh.late': 'late',
  'refresh.healed': 'healed',
  'refresh.reused': 'reused',
}
const ENDED = 'ended'

/** Makes the counts of events in `registry`; the result counts one. */
export function createEventCounts(registry: Registry): (event: Event) => void {
  const families = createTally(registry, {
    name: 'latchkey_families_total',
    help:
      'What became of sessions: opened by a login, rotated by a refresh, replayed ' +
      'for a lost answer, ' +
      'late, healed after a failover, ended by reuse of a refresh token, ended by revocation.',
    labelNames: ['change'],
    labelsOf: change => ({ change }),
    known: [...Object.values(CHANGES), ENDED],
  })
  const introspections = createTally(registry, {
    name: 'latchkey_introspections_total',
    help: 'Introspections by answer, and why a token is not active.',
    labelNames: ['answer', 'reason'],
    labelsOf: reason => ({ answer: reason === 'active' ? 'active' : 'inactive', reason }),
    known: ['active'],
  })
  const throttled = createTally(registry, {
    name: 'latchkey_logins_throttled_total',
    help:
      'Logins that were refused without checking them because of earlier failures, by what had ' +
      'failed: the name in this network (pair), the network, or the password.',
    labelNames: ['by'],
    labelsOf: reason => ({ by: reason.replace('throttled_by_', '') }),
    known: ['throttled_by_pair', 'throttled_by_network', 'throttled_by_password'],
  })
  const audited = createTally(registry, {
    name: 'latchkey_audit_events_total',
    help: 'Audit events by type and reason code.',
    labelNames: ['type', 'reason'],
    labelsOf(key) {
      const [type = '', reason = ''] = key.split(' ')
      return { type, reason }
    },
  })
  return event => {
    const change = CHANGES[event.type]
    if (change !== undefined) families(change)
    else if (event.type === 'introspected') introspections(event.reason)
    else if (event.type === 'login.throttled') throttled(event.reason)
    else if (event.type === 'token.revoked' && event.kind === 'refresh_token') {
      families(ENDED)
    }
    if (!isRoutine(event)) audited(`${event.type} ${reasonOf(event)}`)
  }
}

function reasonOf(event: Event): string {
  if ('reason' in event) return event.reason
  return event.type === 'user.changed' ? event.change : ''
}
