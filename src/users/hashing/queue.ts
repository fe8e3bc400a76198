// The queue in front of password hashing: a bounded number of jobs runs at once, the others wait in a fair
// queue, and none waits beyond the deadline. A job that would wait too long, or finds the queue full, is
// refused at once and learns when to come again.
import { temporarilyUnavailable } from '../../oauth/errors.ts'
import type { Reason } from '../../base/events/reasons.ts'
import { createRankedQueue, type Place, type RankedQueue } from './ranked-queue.ts'

/** A request to hash, and its place in the queue: each client and each network gets its share. */
export interface QueueRequest extends Place {
  /**
   * Jobs of one key run at most `atOnce` at a time: parallel guesses of one password wait for each other.
   */
  readonly key?: { readonly id: string; readonly atOnce: number }
  /** Aborted when nobody waits for the outcome any more. */
  readonly signal?: AbortSignal
}

export interface HashQueueOptions {
  /** How many jobs run at once. */
  readonly concurrency: number
  /** How many may wait. */
  readonly queue: number
  /** No job waits longer; milliseconds. */
  readonly maxWaitMs: number
  /** A clock that never goes back; milliseconds. */
  readonly monotonic: () => number
  /** Called with the wait of each job, also of a job that was refused; milliseconds. */
  readonly onWaited?: (ms: number) => void
}

export interface HashQueue {
  /** Whether a job would start without waiting. */
  isFree(): boolean
  /** How many jobs wait, and how many run. */
  load(): { readonly waiting: number; readonly working: number }
  /**
   * Runs the job when its time comes. Rejects with OAuthError temporarily_unavailable when that can't be in
   * time.
   */
  enqueue<Result>(request: QueueRequest, job: () => Promise<Result>): Promise<Result>
}

interface Waiting {
  readonly request: QueueRequest
  readonly start: () => void
  readonly refuse: (reason: Reason) => void
}

// The weight of the latest job in the mean duration.
const LATEST = 0.1

/** Makes the queue. */
export function createHashQueue(options: HashQueueOptions): HashQueue {
  const { concurrency, maxWaitMs, monotonic } = options
  const queue = createRankedQueue<Waiting>()
  const running = createRunning()
  let meanMs = 0

  const expectedWaitMs = (position: number) => (position * meanMs) / concurrency
  const retryAfterSeconds = () =>
    Math.max(1, Math.ceil(expectedWaitMs(queue.size) / 1000))
  const refusal = (reason: Reason) => temporarilyUnavailable(reason, retryAfterSeconds())

  function startNext(): void {
    while (running.total() < concurrency) {
      const next = queue.take(({ request: { key } }) => running.mayStart(key))
      if (next === undefined) return
      running.count(next.request.key, 1)
      next.start()
    }
  }

  return {
    isFree: () => running.total() < concurrency && queue.size === 0,
    load: () => ({ waiting: queue.size, working: running.total() }),
    async enqueue(request, job) {
      const { key, signal } = request
      if (signal?.aborted === true) throw temporarilyUnavailable('client_gone')
      if (expectedWaitMs(queue.position(request)) > maxWaitMs) {
        throw refusal('hash_wait_too_long')
      }
      await waitIn(queue, request, { ...options, refusal, startNext })
      const startedAt = monotonic()
      try {
        return await job()
      } finally {
        meanMs += (monotonic() - startedAt - meanMs) * LATEST
        running.count(key, -1)
        startNext()
      }
    },
  }
}

/** Counts the jobs that run, in all and of each key. */
function createRunning() {
  const perKey = new Map<string, number>()
  let total = 0
  return {
    total: () => total,
    mayStart: (key: QueueRequest['key']) =>
      key === undefined || (perKey.get(key.id) ?? 0) < key.atOnce,
    count(key: QueueRequest['key'], step: 1 | -1): void {
      total += step
      if (key === undefined) return
      const left = (perKey.get(key.id) ?? 0) + step
      if (left === 0) perKey.delete(key.id)
      else perKey.set(key.id, left)
    },
  }
}

interface WaitOptions extends HashQueueOptions {
  /** The error of a job that is refused now. */
  readonly refusal: (reason: Reason) => Error
  readonly startNext: () => void
}

/** Puts the request into the queue; resolves when it may start, rejects when it is refused. */
function waitIn(
  queue: RankedQueue<Waiting>,
  request: QueueRequest,
  { queue: places, maxWaitMs, monotonic, onWaited, refusal, startNext }: WaitOptions,
): Promise<void> {
  const { signal } = request
  return new Promise((resolve, reject) => {
    const enqueuedAt = monotonic()
    const leave = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      onWaited?.(monotonic() - enqueuedAt)
    }
    const refuse = (reason: Reason) => {
      leave()
      reject(refusal(reason))
    }
    const start = () => {
      leave()
      resolve()
    }
    const waiting: Waiting = { request, start, refuse }
    const giveUp = (reason: Reason) => {
      queue.remove(request, waiting)
      refuse(reason)
    }
    const onAbort = () => {
      giveUp('client_gone')
    }
    const timer = setTimeout(giveUp, maxWaitMs, 'hash_wait_too_long')
    signal?.addEventListener('abort', onAbort)
    queue.push(request, waiting)
    startNext()
    // An overfull queue loses the latest of the strangers with most jobs in it, perhaps the newcomer itself.
    if (queue.size > places) queue.takeLeast()?.refuse('hash_queue_full')
  })
}
