// What is looked at only when somebody asks for the metrics: the queue for hashing, the store, the key ring.
import { Gauge, type Registry } from 'prom-client'
import type { StoreCondition } from '../../stores/ports/health.ts'

export interface HashingLoad {
  readonly waiting: number
  readonly working: number
}

/** Shows how many logins wait for their turn and how many have it. */
export function showHashing(registry: Registry, load: () => HashingLoad): void {
  const registers = [registry]
  const waiting = new Gauge({
    name: 'latchkey_hash_queue',
    help: 'Logins that wait for their turn to hash.',
    registers,
    collect: () => {
      waiting.set(load().waiting)
    },
  })
  const working = new Gauge({
    name: 'latchkey_hash_working',
    help: 'Logins that are being hashed.',
    registers,
    collect: () => {
      working.set(load().working)
    },
  })
}

/** Shows what is known of the store without asking it. */
export function showStore(registry: Registry, condition: () => StoreCondition): void {
  const show = (name: string, help: string, valueOf: (now: StoreCondition) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(valueOf(condition()))
      },
    })
  show(
    'latchkey_store_reached',
    '1 while requests are let through to the store, 0 while it is known to be down.',
    ({ isReached }) => Number(isReached),
  )
  show(
    'latchkey_store_lost',
    '1 while the store has lost its data and everything is refused, else 0.',
    ({ isLost }) => Number(isLost),
  )
  show(
    'latchkey_store_revocations_kept',
    'Revocations in memory, to be written back if the store loses them.',
    ({ revocations }) => revocations.kept,
  )
  show(
    'latchkey_store_revocations_repeated',
    'How often a revocation was written back.',
    ({ revocations }) => revocations.repeated,
  )
}

/** Shows how many requests are in flight. */
export function showInFlight(registry: Registry, count: () => number): void {
  const gauge = new Gauge({
    name: 'latchkey_http_requests_in_flight',
    help: 'Requests that have arrived and are not answered yet; http.maxInFlight bounds them.',
    registers: [registry],
    collect: () => {
      gauge.set(count())
    },
  })
}

/** Shows whether a proxy seems to stand in front that http.trustedProxies doesn't name. */
export function showProxy(registry: Registry, isMissing: () => boolean): void {
  const gauge = new Gauge({
    name: 'latchkey_proxy_untrusted',
    help:
      '1 while requests for tokens come from private addresses only, as through a ' +
      'proxy that is not in ' +
      'http.trustedProxies, else 0.',
    registers: [registry],
    collect: () => {
      gauge.set(Number(isMissing()))
    },
  })
}

export interface ShownStatus {
  readonly lists: number
  readonly revoked: number
}

/** Shows how many status lists there are, and how many tokens are revoked in them. */
export function showStatus(registry: Registry, count: () => ShownStatus): void {
  const registers = [registry]
  const lists = new Gauge({
    name: 'latchkey_status_lists',
    help: 'Status lists whose tokens may live.',
    registers,
    collect: () => {
      lists.set(count().lists)
    },
  })
  const revoked = new Gauge({
    name: 'latchkey_status_revoked',
    help: 'Revoked tokens in them.',
    registers,
    collect: () => {
      revoked.set(count().revoked)
    },
  })
}

/** What is told of a key; instants in milliseconds since the epoch. */
export interface ShownKey {
  readonly kid: string
  readonly alg: string
  readonly line: string
  readonly state: 'published' | 'signing' | 'retiring'
  readonly publishAt: number
  readonly signFrom: number
  readonly signUntil: number
  readonly removeAt: number
}

const STATES = { published: 1, signing: 2, retiring: 3 }

/** The metric of each instant of a key. */
const INSTANTS = [
  [
    'publishAt',
    'latchkey_key_publish_timestamp_seconds',
    'When the key was, or is to be, published.',
  ],
  ['signFrom', 'latchkey_key_sign_from_timestamp_seconds', 'From when on the key signs.'],
  [
    'signUntil',
    'latchkey_key_sign_until_timestamp_seconds',
    'When the next key is to take over. If that time is past and the key still ' +
      'signs, its successor is overdue.',
  ],
  [
    'removeAt',
    'latchkey_key_remove_timestamp_seconds',
    'When the key is removed: by then, the last token that it signed has expired.',
  ],
] as const

/** A gauge that is filled when it is scraped. */
interface ShownGauge {
  readonly name: string
  readonly help: string
  /** Those of a key when left out. */
  readonly labels?: string[]
  readonly fill: (gauge: Gauge) => void
}

/** Shows the keys of the ring: their state, their instants, and when each line turns next. */
export function showKeys(registry: Registry, describe: () => readonly ShownKey[]): void {
  const labelNames = ['line', 'kid', 'alg']
  const labelsOf = ({ line, kid, alg }: ShownKey) => ({ line, kid, alg })
  const show = (shown: ShownGauge) => {
    const { name, help, labels = labelNames, fill } = shown
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: labels,
        registers: [],
        collect() {
          this.reset()
          fill(this)
        },
      }),
    )
  }
  show({
    name: 'latchkey_key_state',
    help:
      'The keys of the ring: 1 published but not signing yet, 2 signing, 3 ' +
      'retiring.',
    fill: gauge => {
      for (const key of describe()) gauge.set(labelsOf(key), STATES[key.state])
    },
  })
  for (const [instant, name, help] of INSTANTS) {
    show({
      name,
      help,
      fill: gauge => {
        for (const key of describe()) gauge.set(labelsOf(key), key[instant] / 1000)
      },
    })
  }
  show({
    name: 'latchkey_key_next_turn_timestamp_seconds',
    help: 'When the next key of a line takes over; absent while there is none.',
    labels: ['line'],
    fill: gauge => {
      // In the order in which they sign, so that the next one is written last.
      for (const { line, state, signFrom } of describe().toReversed()) {
        if (state === 'published') gauge.set({ line }, signFrom / 1000)
      }
    },
  })
}
