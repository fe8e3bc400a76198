// Metrics in Prometheus' form, fed by events and by requests. No label ever names a user, a token or an address.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Emit, Event } from '../events.ts'
import { STORE_CHECKS, type StoreCheck } from '../stores/ports.ts'

export interface Metrics {
  readonly emit: Emit
  /** Counts a finished request: its route's pattern, its status, how long it took in seconds. */
  observeRequest (method: string, route: string, status: number, seconds: number): void
  /** Counts an answer to a fetch of the public keys, by its status. No more: this is the one route that must cost next to nothing. */
  countJwks (status: 200 | 304): void
  /** Notes whether the store took a write when it was last tried. */
  setStoreUp (up: boolean): void
  /** Notes what about the store's set-up puts its data at risk. */
  setStoreRisks (checks: readonly StoreCheck[]): void
  /** Notes how long a login waited for its turn to hash, in seconds. */
  observeHashWait (seconds: number): void
  /** Shows how many logins wait for their turn and how many have it, as `load` tells when asked. */
  showHashing (load: () => { readonly waiting: number, readonly working: number }): void
  /** Prometheus' text format. */
  render (): Promise<string>
}

/** Makes a registry of its own, so that two servers in one process don't share counts. */
export function createMetrics (): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const events = new Counter({ name: 'latchkey_events_total', help: 'What happened, by type and reason code.', labelNames: ['type', 'reason'], registers: [registry] })
  const requests = new Histogram({
    name: 'latchkey_http_request_duration_seconds',
    help: 'Requests by route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  })
  const jwks = { 200: 0, 304: 0 }
  registry.registerMetric(new Counter({
    name: 'latchkey_jwks_answers_total',
    help: 'Answers to fetches of the public keys: 200 with the keys, 304 when the copy is still good.',
    labelNames: ['status'],
    registers: [],
    collect () {
      this.reset()
      for (const [status, count] of Object.entries(jwks)) this.inc({ status }, count)
    },
  }))
  const store = new Gauge({ name: 'latchkey_store_up', help: '1 if the store took a write when it was last tried, else 0.', registers: [registry] })
  const risks = new Gauge({ name: 'latchkey_store_at_risk', help: '1 if something about the store puts its data at risk, by what it is.', labelNames: ['check'], registers: [registry] })
  const hashWait = new Histogram({
    name: 'latchkey_hash_wait_seconds',
    help: 'How long logins wait for their turn to hash, also those that give up.',
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5],
    registers: [registry],
  })
  return {
    emit: event => { events.inc({ type: event.type, reason: reasonOf(event) }) },
    observeRequest: (method, route, status, seconds) => { requests.observe({ method, route, status }, seconds) },
    countJwks: status => { jwks[status]++ },
    setStoreUp: up => { store.set(up ? 1 : 0) },
    setStoreRisks: checks => { for (const check of STORE_CHECKS) risks.set({ check }, checks.includes(check) ? 1 : 0) },
    observeHashWait: seconds => { hashWait.observe(seconds) },
    showHashing (load) {
      const names = { waiting: 'latchkey_hash_queue', working: 'latchkey_hash_working' }
      const help = { waiting: 'Logins that wait for their turn to hash.', working: 'Logins that have their turn.' }
      for (const which of ['waiting', 'working'] as const) {
        const gauge = new Gauge({ name: names[which], help: help[which], registers: [registry], collect: () => { gauge.set(load()[which]) } })
      }
    },
    render: () => registry.metrics(),
  }
}

function reasonOf (event: Event): string {
  if ('reason' in event) return event.reason
  if (event.type === 'user.changed') return event.change
  return ''
}
