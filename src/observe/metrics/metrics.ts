// Metrics in Prometheus' form, fed by events, by requests and by the store. No label ever names a user, a
// token or an address.
import { Gauge, Registry } from 'prom-client'
import type { Event } from '../../base/events/events.ts'
import {
  createAccountsStoreMetrics,
  type AccountsStoreCounts,
} from './accounts-store-metrics.ts'
import {
  createConnectionCounts,
  type ConnectionCounts,
  type Listener,
} from '../connections.ts'
import { createDirectoryMetrics, type DirectoryCounts } from './directory-metrics.ts'
import { createEventCounts } from './event-counts.ts'
import {
  showHashing,
  showInFlight,
  showKeys,
  showProxy,
  showStatus,
  type HashingLoad,
  type ShownKey,
  type ShownStatus,
} from './gauges.ts'
import { createGrantCounts, type GrantCounts } from './grant-counts.ts'
import { toOpenMetrics, type MetricsFormat } from './open-metrics.ts'
import { createOutboxMetrics, type OutboxMetrics } from './outbox-metrics.ts'
import { createReplacedCount, showProcess, showServing } from './process-metrics.ts'
import { createRequestTimes, type FinishedRequest } from './request-times.ts'
import { createReloadCount, type ReloadResult } from './reload-count.ts'
import { createStoreMetrics, STORE_BUCKETS, type StoreCounts } from './store-metrics.ts'
import { createDurations, createTally } from './tally.ts'

export interface Metrics
  extends GrantCounts, StoreCounts, AccountsStoreCounts, DirectoryCounts, OutboxMetrics {
  readonly emit: (event: Event) => void
  /** Counts a finished request. */
  observeRequest(request: FinishedRequest): void
  /**
   * Counts an answer to a fetch of the public keys, by its status. No more: this is the one route that must
   * cost next to nothing.
   */
  countJwks(status: 200 | 304): void
  /** Counts a request that needed a switch of `compat`, by the switch. */
  countCompat(name: string): void
  /** Counts an audit line that could not be written where it belongs. */
  countAuditFault(): void
  /** Counts a configuration that was read anew, and shows whether the newest one was refused. */
  countReload(result: ReloadResult): void
  /** Notes how long a login waited for its turn to hash, in seconds. */
  observeHashWait(seconds: number): void
  /** Shows how many logins wait for their turn and how many have it, as `load` tells when asked. */
  showHashing(load: () => HashingLoad): void
  /** Shows how many requests are in flight, as `count` tells when asked. */
  showInFlight(count: () => number): void
  /** Counts a block of status indices that was leased. */
  countStatusLease(): void
  /** Notes how long it took to make a status list anew, in seconds. */
  observeStatusRebuild(seconds: number): void
  /** Shows the status lists, as `count` tells when asked. */
  showStatus(count: () => ShownStatus): void
  /** Shows whether http.trustedProxies seems to lack a proxy, as `isMissing` tells when asked. */
  showProxy(isMissing: () => boolean): void
  /** Shows the key ring, as `describe` tells when asked. */
  showKeys(describe: () => readonly ShownKey[]): void
  /** The place where a listener notes its connections. */
  connections(listener: Listener): ConnectionCounts
  /** All of them; default: in Prometheus' text format. */
  render(format?: MetricsFormat): Promise<string>
}

// Beyond what http.answerTimeout may sensibly be: a request that came so far is told from one that was cut.
const REQUEST_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]
const HASH_BUCKETS = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30,
]

/** Makes a registry of its own, so that two servers in one process don't share counts. */
export function createMetrics(version = ''): Metrics {
  const registry = new Registry()
  showProcess(registry)
  showServing(registry)
  // Counted by whoever replaces them; here it is there for sums and alerts.
  createReplacedCount(registry)
  showVersion(registry, version)
  const requests = createDurations({
    name: 'latchkey_http_request_duration_seconds',
    help: 'Requests by route and status, except fetches of the public keys.',
    buckets: REQUEST_BUCKETS,
  })
  const hashWait = createDurations({
    name: 'latchkey_hash_wait_seconds',
    help: 'How long logins wait for their turn to hash, including those that give up.',
    buckets: HASH_BUCKETS,
  })
  const countAuditFault = createCount(registry, {
    name: 'latchkey_audit_faults_total',
    help: 'Audit lines that could not be written to audit.to, and went to standard output.',
  })
  const rebuilds = createDurations({
    name: 'latchkey_status_rebuild_seconds',
    help: 'How long it takes to make a status list anew: compressed and signed.',
    buckets: STORE_BUCKETS,
  })
  const countStatusLease = createCount(registry, {
    name: 'latchkey_status_leases_total',
    help: 'Blocks of 1,024 status indices that were leased.',
  })
  const compat = createTally(registry, {
    name: 'latchkey_compat_requests_total',
    help: 'Requests of old clients, by the switch of compat that they needed.',
    labelNames: ['switch'],
    labelsOf: name => ({ switch: name }),
    known: ['default_client', 'grant_type', 'json', 'path', 'keycloak'],
  })
  const { commands, ...store } = createStoreMetrics(registry)
  const accounts = createAccountsStoreMetrics(registry, STORE_BUCKETS)
  const { accountsDurations, ...accountsCounts } = accounts
  const { directoryDurations, ...directories } = createDirectoryMetrics(registry)
  const { countLost, ...outbox } = createOutboxMetrics(registry)
  const countEvent = createEventCounts(registry)
  return {
    ...store,
    ...accountsCounts,
    ...directories,
    emit(event) {
      countEvent(event)
      countLost(event)
    },
    observeRequest: createRequestTimes(requests.series),
    countJwks: createJwksCount(registry),
    ...createGrantCounts(registry),
    countCompat: compat,
    ...outbox,
    countAuditFault,
    countReload: createReloadCount(registry),
    observeHashWait: hashWait.series({}),
    showHashing: load => {
      showHashing(registry, load)
    },
    showInFlight: count => {
      showInFlight(registry, count)
    },
    countStatusLease,
    observeStatusRebuild: rebuilds.series({}),
    showProxy: isMissing => {
      showProxy(registry, isMissing)
    },
    showStatus: count => {
      showStatus(registry, count)
    },
    showKeys: describe => {
      showKeys(registry, describe)
    },
    connections: createConnectionCounts(registry),
    async render(format = 'text') {
      const durations = [
        ...[requests, hashWait, commands, rebuilds],
        ...[accountsDurations, directoryDurations],
      ]
      const rendered = durations.map(each => each.render(format))
      const text = [await registry.metrics(), ...rendered].join('\n')
      return format === 'text' ? text : toOpenMetrics(text)
    },
  }
}

function createJwksCount(registry: Registry): Metrics['countJwks'] {
  const jwks = createTally(registry, {
    name: 'latchkey_jwks_answers_total',
    help:
      'Answers to fetches of the public keys: 200 with the keys, 304 when the copy ' +
      'is still good.',
    labelNames: ['status'],
    labelsOf: status => ({ status }),
    known: ['200', '304'],
  })
  return status => {
    jwks(status === 200 ? '200' : '304')
  }
}

/** Counts one thing, of no kinds. */
function createCount(
  registry: Registry,
  { name, help }: { readonly name: string; readonly help: string },
): () => void {
  const labels = { labelNames: [], labelsOf: () => ({}), known: [''] }
  const count = createTally(registry, { name, help, ...labels })
  return () => {
    count('')
  }
}

function showVersion(registry: Registry, version: string): void {
  const gauge = new Gauge({
    name: 'latchkey_build_info',
    help: 'Always 1; the version that runs.',
    labelNames: ['version'],
    registers: [registry],
  })
  gauge.set({ version }, 1)
}
