// What is measured of the outbox: what waits, and what became of each try.
import { Gauge, type Registry } from 'prom-client'
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

/** Makes the metrics of the outbox. */
export function createOutboxMetrics(registry: Registry): OutboxMetrics {
  const length = new Gauge({
    name: 'latchkey_outbox_length',
    help: 'Messages that wait for a way out, those on their way included.',
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
      'Tries to send a message: delivered, dropped as there is nobody to send it to, failed and to be ' +
      'tried again, abandoned after notify.giveUp or for good.',
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
    setBacklog(way, backlog) {
      length.set({ way }, backlog.length)
      oldest.set({ way }, backlog.oldestMs / 1000)
    },
  }
}
