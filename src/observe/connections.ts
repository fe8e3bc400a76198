// The connections of both listeners: how many there are, and which were refused or cut off.
import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../base/clock.ts'
import { CONNECTION_REASONS, type ConnectionReason } from '../base/events/reasons.ts'
import { createTally } from './metrics/tally.ts'

const LISTENERS = ['public', 'management'] as const

export type Listener = (typeof LISTENERS)[number]

/** What may be noted of a listener's connections. */
export interface ConnectionCounts {
  opened(): void
  closed(): void
  cut(reason: ConnectionReason): void
}

/** Makes the metrics; gives the place where each listener notes its connections. */
export function createConnectionCounts(
  registry: Registry,
): (listener: Listener) => ConnectionCounts {
  const open = new Gauge({
    name: 'latchkey_connections',
    help: 'Connections that are open, by listener.',
    labelNames: ['listener'],
    registers: [registry],
  })
  const cuts = createTally(registry, {
    name: 'latchkey_connections_cut_total',
    help:
      'Connections by listener that were refused, because too many were open in ' +
      'all or from one address, or cut off, because they sent too many ' +
      'requests at once or did not read an answer.',
    labelNames: ['listener', 'reason'],
    labelsOf(key) {
      const [listener = '', reason = ''] = key.split(' ')
      return { listener, reason }
    },
    known: LISTENERS.flatMap(listener =>
      CONNECTION_REASONS.map(reason => `${listener} ${reason}`),
    ),
  })
  for (const listener of LISTENERS) open.set({ listener }, 0)
  return listener => ({
    opened: () => {
      open.inc({ listener })
    },
    closed: () => {
      open.dec({ listener })
    },
    cut: reason => {
      cuts(`${listener} ${reason}`)
    },
  })
}

/** What a log line says of each, and which key sets the bound. */
const MESSAGES: Readonly<Record<ConnectionReason, string>> = {
  connections_full: 'connections are refused: maxConnections of this listener are open',
  connections_of_address_full:
    'connections of an address are refused: it has maxConnectionsPerAddress of this listener open; if it ' +
    'is a proxy of yours, name it in http.trustedProxies',
  pipelined_too_many: 'a connection was cut off: too many requests at once',
  write_stalled: 'a connection was cut off: nobody takes its answer',
}
const QUIET_MS = 60_000

export interface ConnectionWatchOptions {
  readonly listener: Listener
  readonly counts: ConnectionCounts
  readonly log: () => { warn(fields: object, message: string): void } | undefined
  readonly clock: Clock
}

/** Notes a listener's connections, and logs each reason for which one is cut once a minute at most. */
export function createConnectionWatch({
  listener,
  counts,
  log,
  clock,
}: ConnectionWatchOptions) {
  const logged = new Map<ConnectionReason, number>()
  return {
    opened: counts.opened,
    closed: counts.closed,
    cut(reason: ConnectionReason, address: string): void {
      counts.cut(reason)
      const now = clock()
      if (now - (logged.get(reason) ?? -Infinity) < QUIET_MS) return
      logged.set(reason, now)
      log()?.warn({ listener, reason, address }, MESSAGES[reason])
    },
  }
}
