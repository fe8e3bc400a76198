// How Redis is called: each call gets an answer in time, or rejects. Nothing is refused here; link.ts does
// that.
import type { Cluster, Redis } from 'ioredis'
import type { Monotonic } from '../../../base/clock.ts'
import { createDeadlines } from '../../../base/deadlines.ts'
import type { StoreUnavailable } from '../../ports/unavailable.ts'
import { addressOf, isReply, RedisFault } from './reasons.ts'

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

export interface CallerOptions {
  readonly client: Redis | Cluster
  /** How long a call may take, in milliseconds. */
  readonly deadlineMs: number
  /** Puts the reason to what a call failed with. */
  readonly toFault: (error: unknown) => StoreUnavailable
  /** Called with each reply, an error reply included: it also proves that the server is alive. */
  readonly replied: () => void
  /** Called with each call that got no reply. */
  readonly failed: (fault: StoreUnavailable) => void
  readonly monotonic: Monotonic
}

/** Makes the caller. */
export function createCaller({
  client,
  deadlineMs,
  toFault,
  replied,
  failed,
  monotonic,
}: CallerOptions): Caller {
  const deadlines = createDeadlines(deadlineMs, monotonic)

  function run<T>(work: Work<T>, recover?: Recover<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const deadline = deadlines.add(() => {
        const fault = toFault(noAnswer(deadlineMs, client))
        failed(fault)
        reject(fault)
      })
      const succeed = (value: T) => {
        if (!deadlines.remove(deadline)) return
        replied()
        resolve(value)
      }
      const fail = (error: unknown) => {
        if (!deadlines.remove(deadline)) return
        const fault = toFault(error)
        if (isReply(error)) replied()
        else failed(fault)
        reject(fault)
      }
      work(client).then(succeed, error => {
        const again = recover?.(error)
        if (again === undefined) fail(error)
        else again.then(succeed, fail)
      })
    })
  }

  return { client, run }
}

/** The fault of a server that doesn't answer within so many milliseconds. */
export function noAnswer(ms: number, client: Redis | Cluster): RedisFault {
  return new RedisFault(`no answer within ${ms} ms from ${addressOf(client)}`)
}
