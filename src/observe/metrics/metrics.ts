// Metrics in Prometheus' form, fed by events, by requests and by the store. No label ever names a user, a
// token or an address.
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Event } from '../../base/events.ts'
import type { Reason } from '../../base/reasons.ts'
import { GRANTS } from '../../grants/all.ts'
import {
  STORE_CHECKS,
  type StoreCheck,
  type StoreCondition,
} from '../../stores/ports/health.ts'
import { isRoutine } from '../audit/audit.ts'
import {
  createConnectionCounts,
  type ConnectionCounts,
  type Listener,
} from '../connections.ts'
import {
  showHashing,
  showKeys,
  showProxy,
  showStatus,
  showStore,
  type HashingLoad,
  type ShownKey,
  type ShownStatus,
} from './gauges.ts'
import { createDurations, createTally } from './tally.ts'

export interface Metrics {
  readonly emit: (event: Event) => void
  /** Counts a finished request: its route's pattern, its status, how long it took in seconds. */
  observeRequest(method: string, route: string, status: number, seconds: number): void
  /**
   * Counts an answer to a fetch of the public keys, by its status. No more: this is the one route that must
   * cost next to nothing.
   */
  countJwks(status: 200 | 304): void
  /** Counts tokens that were issued for a grant, by the grant's label. */
  countIssued(grant: string): void
  /** Counts a request for tokens that was not granted; `grant`: undefined where there is no such grant. */
  countRefused(grant: string | undefined, status: number, reason: Reason): void
  /**
   * Gives the place where a command of the store tells how long it took, in seconds, and whether it failed.
   */
  storeCommand(command: string): (seconds: number, failed: boolean) => void
  /** Notes whether the store took a write when it was last tried. */
  setStoreUp(up: boolean): void
  /** Shows what is known of the store, as `condition` tells when asked. */
  showStore(condition: () => StoreCondition): void
  /** Notes what about the store's set-up puts its data at risk. */
  setStoreRisks(checks: readonly StoreCheck[]): void
  /** Counts an audit line that could not be written where it belongs. */
  countAuditFault(): void
  /** Notes how long a login waited for its turn to hash, in seconds. */
  observeHashWait(seconds: number): void
  /** Shows how many logins wait for their turn and how many have it, as `load` tells when asked. */
  showHashing(load: () => HashingLoad): void
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
  /** Prometheus' text format. */
  render(): Promise<string>
}

const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
const STORE_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
]
const HASH_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5]

// The library calls them totals, and they go down.
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

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

/** Makes a registry of its own, so that two servers in one process don't share counts. */
export function createMetrics(version = ''): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  const registers = [registry]
  new Gauge({
    name: 'latchkey_build_info',
    help: 'Always 1; the version that runs.',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1)
  const requests = createDurations({
    name: 'latchkey_http_request_duration_seconds',
    help: 'Requests by route and status, but fetches of the public keys.',
    buckets: REQUEST_BUCKETS,
  })
  const hashWait = createDurations({
    name: 'latchkey_hash_wait_seconds',
    help: 'How long logins wait for their turn to hash, also those that give up.',
    buckets: HASH_BUCKETS,
  })
  const store = new Gauge({
    name: 'latchkey_store_up',
    help: '1 if the store took a write when it was last tried, else 0.',
    registers,
  })
  const risks = new Gauge({
    name: 'latchkey_store_at_risk',
    help: '1 if something about the store puts its data at risk, by what it is.',
    labelNames: ['check'],
    registers,
  })
  const commands = createDurations({
    name: 'latchkey_store_command_duration_seconds',
    help: 'Calls of the store by command, also those that fail.',
    buckets: STORE_BUCKETS,
  })
  const storeErrors = createTally(registry, {
    name: 'latchkey_store_errors_total',
    help: 'Calls of the store that failed, by command.',
    labelNames: ['command'],
    labelsOf: command => ({ command }),
  })
  const auditFaults = createTally(registry, {
    name: 'latchkey_audit_faults_total',
    help: 'Audit lines that could not be written to audit.to, and went to standard output.',
    labelNames: [],
    labelsOf: () => ({}),
    known: [''],
  })
  const rebuilds = createDurations({
    name: 'latchkey_status_rebuild_seconds',
    help: 'How long it takes to make a status list anew: compressed and signed.',
    buckets: STORE_BUCKETS,
  })
  const leases = createTally(registry, {
    name: 'latchkey_status_leases_total',
    help: 'Blocks of 1,024 status indices that were leased.',
    labelNames: [],
    labelsOf: () => ({}),
    known: [''],
  })
  const jwks = createTally(registry, {
    name: 'latchkey_jwks_answers_total',
    help: 'Answers to fetches of the public keys: 200 with the keys, 304 when the copy is still good.',
    labelNames: ['status'],
    labelsOf: status => ({ status }),
    known: ['200', '304'],
  })
  return {
    emit: createEventCounts(registry),
    observeRequest: createRequestTimes(requests.series),
    countJwks: status => {
      jwks(status === 200 ? '200' : '304')
    },
    ...createGrantCounts(registry),
    storeCommand(command) {
      const took = commands.series({ command })
      return (seconds, failed) => {
        took(seconds)
        if (failed) storeErrors(command)
      }
    },
    setStoreUp: up => {
      store.set(up ? 1 : 0)
    },
    setStoreRisks: checks => {
      for (const check of STORE_CHECKS) {
        risks.set({ check }, checks.includes(check) ? 1 : 0)
      }
    },
    countAuditFault: () => {
      auditFaults('')
    },
    observeHashWait: hashWait.series({}),
    showStore: condition => {
      showStore(registry, condition)
    },
    showHashing: load => {
      showHashing(registry, load)
    },
    countStatusLease: () => {
      leases('')
    },
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
    render: async () =>
      [await registry.metrics(), requests, hashWait, commands, rebuilds]
        .map(part => (typeof part === 'string' ? part : part.render()))
        .join('\n'),
  }
}

function createEventCounts(registry: Registry): Metrics['emit'] {
  const families = createTally(registry, {
    name: 'latchkey_families_total',
    help:
      'What became of sessions: opened by a login, rotated by a refresh, replayed for a lost answer, ' +
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
      'Logins that were refused unseen because of failures before, by what had failed: the name in ' +
      'this network (pair), the network, or the password.',
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

/**
 * Method, route and status are looked up one by one: a key made of all three would cost more than the
 * counting.
 */
function createRequestTimes(
  series: ReturnType<typeof createDurations>['series'],
): Metrics['observeRequest'] {
  const routes = new Map<string, Map<string, Map<number, (seconds: number) => void>>>()
  return (method, route, status, seconds) => {
    const methods = within(routes, route, () => new Map())
    const statuses = within(methods, method, () => new Map())
    within(statuses, status, () => series({ method, route, status }))(seconds)
  }
}

function within<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

function createGrantCounts(
  registry: Registry,
): Pick<Metrics, 'countIssued' | 'countRefused'> {
  const grants = createTally(registry, {
    name: 'latchkey_grants_total',
    help:
      'Requests for tokens by grant type, outcome (issued, refused, or failed by a fault of ours) and ' +
      'reason code.',
    labelNames: ['grant', 'outcome', 'reason'],
    labelsOf(key) {
      const [grant = '', outcome = 'issued', reason = ''] = key.split(' ')
      return { grant, outcome, reason }
    },
    known: GRANTS.map(({ label }) => label),
  })
  return {
    countIssued: grants,
    countRefused(grant = 'none', status, reason) {
      grants(`${grant} ${status >= 500 ? 'failed' : 'refused'} ${reason}`)
    },
  }
}
