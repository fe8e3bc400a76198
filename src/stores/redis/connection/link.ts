// A connection to Redis, and what is known of it. Every call goes through `run`: it answers in time or
// rejects, and while the store is known to be down it rejects at once. Nobody's request is used to find out
// whether the store is back: `verify` asks, again and again.
import type { Cluster, Redis } from 'ioredis'
import { createDeadlines } from '../../../base/deadlines.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import { createLastReason, type LastReason } from './opening.ts'
import { addressOf, isReply, RedisFault, unavailable } from './reasons.ts'

type Work<T> = (client: Redis | Cluster) => Promise<T>
type Recover<T> = (error: unknown) => Promise<T> | undefined

/** A way to call Redis. */
export interface Caller {
  readonly client: Redis | Cluster
  /**
   * Runs something against Redis.
   *
   * @param recover what to do instead of failing, where an error can be made good
   * @throws StoreUnavailable, and nothing else
   */
  run<T>(work: Work<T>, recover?: Recover<T>): Promise<T>
}

/** What is known of a connection. */
export interface Link extends Caller {
  /** The same connection for who looks after the store: with a deadline, but never refused. */
  readonly bare: Caller
  /** Whether the connection is good. */
  isUp(): boolean
  /** Refuses all calls from now on for this reason; undefined: no more. */
  refuse(reason: StoreUnavailable | undefined): void
  /** Ends the connection; calls that are in flight fail. */
  close(): void
}

export interface LinkOptions {
  /** Connected. */
  readonly client: Redis | Cluster
  /** What a new connection has to pass before calls go through again. */
  readonly verify: (bare: Caller) => Promise<unknown>
  /** How long a call may take; default 300 ms. */
  readonly deadlineMs?: number
  /** Why its connection was lost or can't be opened; of watchOpening. */
  readonly last?: LastReason
}

const DEADLINE_MS = 300
/**
 * Calls fail now and then; so many in a row, over such a span and none that succeeds between them, tell that
 * the store is down.
 */
const TRIP_FAILURES = 3
const TRIP_MS = 700
/** How often a store that is down is looked at. */
const LOOK_MS = 100
/** How often in a row a connection may be found half made. */
const PATIENCE = 5

/** Makes the link. */
export function createLink({
  client,
  verify,
  deadlineMs = DEADLINE_MS,
  last = createLastReason(),
}: LinkOptions): Link {
  const deadlines = createDeadlines(deadlineMs)
  const failure = (error: unknown) => unavailable(error, addressOf(client), last.reason())
  let [up, closed] = [true, false]
  let failures = 0
  let firstFailureAt = 0

  // An answer that tells of an error is a sign of life, too.
  const failed = ({ reason }: StoreUnavailable) => {
    if (failures === 0) firstFailureAt = performance.now()
    failures += 1
    if (failures < TRIP_FAILURES || performance.now() - firstFailureAt < TRIP_MS) return
    if (up) last.hear(reason)
    goDown()
  }

  const run: Caller['run'] = <T>(work: Work<T>, recover?: Recover<T>) =>
    new Promise<T>((resolve, reject) => {
      const deadline = deadlines.add(() => {
        const fault = failure(noAnswer(deadlineMs, client))
        failed(fault)
        reject(fault)
      })
      const succeed = (value: T) => {
        if (!deadlines.remove(deadline)) return
        failures = 0
        resolve(value)
      }
      const fail = (error: unknown) => {
        if (!deadlines.remove(deadline)) return
        const fault = failure(error)
        if (isReply(error)) failures = 0
        else failed(fault)
        reject(fault)
      }
      work(client).then(succeed, error => {
        const again = recover?.(error)
        if (again === undefined) fail(error)
        else again.then(succeed, fail)
      })
    })

  const bare: Caller = { client, run }
  let refusal: StoreUnavailable | undefined
  function goDown(): void {
    if (!up || closed) return
    up = false
    // Half of the connection may be gone without a trace: only a new one tells.
    if (client.status === 'ready') client.disconnect(true)
    comeBack()
  }

  let halfMade = 0

  /** One look at a store that is down. */
  async function look(): Promise<void> {
    const { status } = client
    halfMade = status === 'connect' ? halfMade + 1 : 0
    // The driver gives up where a failover is told of while it asks the sentinels.
    if (status === 'end') await client.connect()
    // It waits for ever for a server that takes connections and doesn't speak.
    if (halfMade >= PATIENCE && !client.isCluster) client.disconnect(true)
    if (status !== 'ready') return
    await verify(bare)
    up = !closed && client.status === 'ready'
    failures = 0
    last.clear()
  }

  function comeBack(): void {
    setTimeout(
      () => {
        if (closed) return
        look()
          .catch((error: unknown) => {
            if (error instanceof StoreUnavailable) last.hear(error.reason)
            if (client.status === 'ready') client.disconnect(true)
          })
          .finally(() => {
            if (!up) comeBack()
          })
      },
      LOOK_MS * (0.5 + Math.random()),
    ).unref()
  }

  client.on('close', goDown)

  return {
    client,
    bare,
    run(work, recover) {
      if (!up) return Promise.reject(failure(new Error('the store is known to be down')))
      return refusal === undefined ? run(work, recover) : Promise.reject(refusal)
    },
    isUp: () => up,
    refuse(reason) {
      refusal = reason
    },
    close() {
      closed = true
      client.disconnect()
    },
  }
}

/** A server that lets us wait. */
export function noAnswer(ms: number, client: Redis | Cluster): RedisFault {
  return new RedisFault(`no answer within ${ms} ms from ${addressOf(client)}`)
}
