// What is measured of the outbox: what waits, and what became of each try.
import { Gauge, type Registry } from 'prom-client'
import type { Event } from '../../base/events/events.ts'
import { WAYS, type Backlog, type Way } from '../../stores/ports/outbox.ts'
import { createTally } from './tally.ts'

const RESULTS = ['delivered', 'dropped', 'failed', 'abandoned'] as const

/** What may be noted of it. */
export interface OutboxMetrics {
  /** Counts a try to send something. */
  countDelivery(way: Way, result: (typeof RESULTS)[number]): void
  /** Notes what waits for a way. */
  setBacklog(way: Way, backlog: Backlog): void
}

/** And of what the outbox never had. */
export interface AllOutboxMetrics extends OutboxMetrics {
  /** Counts a message that was lost before it was noted: no try of it is ever counted. */
  countLost(event: Event): void
}

/** Makes the metrics of the outbox. */
export function createOutboxMetrics(registry: Registry): AllOutboxMetrics {
  const length = new Gauge({
    name: 'latchkey_outbox_length',
    help: 'Messages that wait for a channel, including those being sent.',
    labelNames: ['way'],
    registers: [registry],
  })
  const oldest = new Gauge({
    name: 'latchkey_outbox_oldest_seconds',
    help: 'How long the oldest of them waits; 0 when there is none.',
    labelNames: ['way'],
    registers: [registry],
  })
  const deliveries = createTally(registry, {
    name: 'latchkey_outbox_deliveries_total',
    help:
      'Attempts to send a message, by result: delivered; dropped (there is ' +
      'nobody to send it to); failed (will be tried again); abandoned ' +
      '(notify.giveUp is over, it was refused for good, or it could not be ' +
      'recorded).',
    labelNames: ['way', 'result'],
    labelsOf(key) {
      const [way = '', result = ''] = key.split(' ')
      return { way, result }
    },
    known: WAYS.flatMap(way => RESULTS.map(result => `${way} ${result}`)),
  })
  return {
    countDelivery(way, result) {
      deliveries(`${way} ${result}`)
    },
    countLost(event) {
      if (event.type !== 'message.abandoned' || event.tries > 0) return
      deliveries(`${event.way} abandoned`)
    },
    setBacklog(way, backlog) {
      length.set({ way }, backlog.length)
      oldest.set({ way }, backlog.oldestMs / 1000)
    },
  }
}
