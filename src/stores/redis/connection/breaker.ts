// The circuit breaker of a connection to Redis. It trips when the connection ends, or when calls fail again
// and again; then it probes the store itself until the store is back, so that no request has to find out.
import type { Cluster, Redis } from 'ioredis'
import type { Monotonic } from '../../../base/clock.ts'
import type { Random } from '../../../base/random.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import type { LastReason } from './opening.ts'

export interface BreakerOptions {
  /** Connected. */
  readonly client: Redis | Cluster
  /** What a new connection has to pass before calls go through again. */
  readonly verify: () => Promise<unknown>
  /** Keeps the reason why the store is down. */
  readonly last: LastReason
  readonly monotonic: Monotonic
  readonly random: Random
}

export interface Breaker {
  /** Whether calls may go through. */
  isUp(): boolean
  /** Notes a reply. */
  replied(): void
  /** Notes a call that got no reply; trips after some of them. */
  failed(fault: StoreUnavailable): void
  /** Lets no call through until the store has passed a probe. */
  trip(): void
  /** Ends the probes. */
  stop(): void
}

/** Single calls fail now and then. So many in a row, over such a span, mean that the store is down. */
const TRIP_FAILURES = 3
const TRIP_MS = 700
/** How often a store that is down is probed, on average. */
const PROBE_MS = 100
/** How many probes in a row may find a connection that is open and doesn't get ready. */
const STUCK_PROBES = 5

/** Makes the breaker, and lets it trip when the connection ends. */
export function createBreaker({
  client,
  verify,
  last,
  monotonic,
  random,
}: BreakerOptions): Breaker {
  const reconnect = createReconnect(client)
  let [isUp, isStopped] = [true, false]
  let failures = 0
  let firstFailureAt = 0

  function failed({ reason }: StoreUnavailable): void {
    if (failures === 0) firstFailureAt = monotonic()
    failures += 1
    if (failures < TRIP_FAILURES || monotonic() - firstFailureAt < TRIP_MS) return
    if (isUp) last.hear(reason)
    trip()
  }

  function trip(): void {
    if (!isUp || isStopped) return
    isUp = false
    // Half of the connection may be dead without a sign: only a new one shows it.
    dropReady(client)
    reopen()
  }

  async function probe(): Promise<void> {
    if (!(await reconnect())) return
    await verify()
    isUp = !isStopped && client.status === 'ready'
    failures = 0
    last.clear()
  }

  async function tryProbe(): Promise<void> {
    if (isStopped) return
    try {
      await probe()
    } catch (error) {
      if (error instanceof StoreUnavailable) last.hear(error.reason)
      dropReady(client)
    }
    if (!isUp) reopen()
  }

  /** Probes a little later, again and again until the store is up. */
  function reopen(): void {
    setTimeout(tryProbe, PROBE_MS * (0.5 + random.fraction())).unref()
  }

  client.on('close', trip)

  return {
    isUp: () => isUp,
    replied() {
      failures = 0
    },
    failed,
    trip,
    stop() {
      isStopped = true
    },
  }
}

function dropReady(client: Redis | Cluster): void {
  if (client.status === 'ready') client.disconnect(true)
}

/** Helps the driver where it would wait for ever; resolves to whether the connection is ready. */
function createReconnect(client: Redis | Cluster): () => Promise<boolean> {
  let stuck = 0
  return async function reconnect() {
    const { status } = client
    stuck = status === 'connect' ? stuck + 1 : 0
    // The driver gives up when it hears of a failover while it asks the sentinels.
    if (status === 'end') await client.connect()
    // It waits without end for a server that accepts connections and doesn't speak.
    if (stuck >= STUCK_PROBES && !client.isCluster) client.disconnect(true)
    return status === 'ready'
  }
}
