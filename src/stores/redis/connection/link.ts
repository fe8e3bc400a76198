// A connection to Redis, and what is known of it. A call through it gets an answer in time or rejects; while
// the store is known to be down, or is refused, it rejects at once.
import type { Cluster, Redis } from 'ioredis'
import { monotonicClock, type Monotonic } from '../../../base/clock.ts'
import { systemRandom, type Random } from '../../../base/random.ts'
import type { StoreUnavailable } from '../../ports/unavailable.ts'
import { createBreaker } from './breaker.ts'
import { createCaller, type Caller } from './caller.ts'
import { createLastReason, type LastReason } from './opening.ts'
import { addressOf, unavailable } from './reasons.ts'

export interface Link extends Caller {
  /** The same connection for the store's own maintenance: with a deadline, but never refused. */
  readonly bare: Caller
  /** Whether the connection is good. */
  isUp(): boolean
  /** Whether calls go through: the connection is good, and the store isn't refused. */
  isOpen(): boolean
  /** Refuses all calls from now on for this reason; undefined: no longer. */
  refuse(reason: StoreUnavailable | undefined): void
  /** Ends the connection; calls that are in flight fail. */
  close(): void
}

export interface LinkOptions {
  /** Connected. */
  readonly client: Redis | Cluster
  /** What a new connection has to pass before calls go through again. */
  readonly verify: (bare: Caller) => Promise<unknown>
  /** How long a call may take, in milliseconds; default 300. */
  readonly deadlineMs?: number | undefined
  /** Why its connection was lost or can't be opened; of watchOpening. */
  readonly last?: LastReason
  /** Default: the system's. */
  readonly monotonic?: Monotonic
  /** Default: the system's. */
  readonly random?: Random
}

/** How long a call may take where the settings say nothing. */
export const DEADLINE_MS = 300

/** Makes the link. */
export function createLink({
  client,
  verify,
  deadlineMs = DEADLINE_MS,
  last = createLastReason(),
  monotonic = monotonicClock,
  random = systemRandom,
}: LinkOptions): Link {
  const toFault = (error: unknown) => unavailable(error, addressOf(client), last.reason())
  const breaker = createBreaker({
    client,
    last,
    verify: () => verify(bare),
    monotonic,
    random,
  })
  const { replied, failed } = breaker
  const bare = createCaller({
    client,
    deadlineMs,
    toFault,
    replied,
    failed,
    monotonic,
  })
  let refusal: StoreUnavailable | undefined

  return {
    client,
    bare,
    run(work, recover) {
      if (!breaker.isUp()) {
        return Promise.reject(toFault(new Error('the store is known to be down')))
      }
      return refusal === undefined ? bare.run(work, recover) : Promise.reject(refusal)
    },
    isUp: breaker.isUp,
    isOpen: () => breaker.isUp() && refusal === undefined,
    refuse(reason) {
      refusal = reason
    },
    close() {
      breaker.stop()
      client.disconnect()
    },
  }
}
