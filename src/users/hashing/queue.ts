// Turns for hashing: so many at once, the others wait in a fair queue, never longer than the deadline. Who
// would wait longer, or finds no place, is told at once when to come again.
import { temporarilyUnavailable } from '../../oauth/errors.ts'
import type { Reason } from '../../base/reasons.ts'
import { createRankedQueue, type Place } from './ranked-queue.ts'

/** Who asks for a turn, and their place in the queue: each client and each network gets its share. */
export interface TurnRequest extends Place {
  /**
   * What must not take more than `atOnce` turns at a time: who guesses in parallel waits for his own
   * verdicts.
   */
  readonly key?: { readonly id: string; readonly atOnce: number }
  /** Aborted when nobody waits for the outcome any more. */
  readonly signal?: AbortSignal
}

export interface TurnsOptions {
  /** Turns at once. */
  readonly turns: number
  /** How many may wait. */
  readonly queue: number
  /** Nobody waits longer; milliseconds. */
  readonly maxWaitMs: number
  /** A clock that never goes back; milliseconds. */
  readonly monotonic: () => number
  /** Told how long each one has waited, also who waited in vain. */
  readonly onWaited?: (ms: number) => void
}

export interface Turns {
  /** Whether a turn is to be had without waiting. */
  isFree(): boolean
  /** How many wait, and how many have their turn. */
  load(): { readonly waiting: number; readonly working: number }
  /**
   * Does the work when it is its turn. Rejects with OAuthError temporarily_unavailable when that can't be in
   * time.
   */
  take<Result>(request: TurnRequest, work: () => Promise<Result>): Promise<Result>
}

interface Waiting {
  readonly request: TurnRequest
  readonly start: () => void
  readonly refuse: (reason: Reason) => void
}

// How much the latest turn counts in the mean length of a turn.
const LATEST = 0.1

/** Makes the turns. */
export function createTurns(options: TurnsOptions): Turns {
  const { turns, queue: places, maxWaitMs, monotonic, onWaited = () => {} } = options
  const queue = createRankedQueue<Waiting>()
  const atWork = new Map<string, number>()
  let working = 0
  let meanMs = 0

  const expectedWaitMs = (position: number) => (position * meanMs) / turns
  const retryAfterSeconds = () =>
    Math.max(1, Math.ceil(expectedWaitMs(queue.size) / 1000))
  const isReady = ({ request: { key } }: Waiting) =>
    key === undefined || (atWork.get(key.id) ?? 0) < key.atOnce

  function count(key: TurnRequest['key'], step: 1 | -1): void {
    working += step
    if (key === undefined) return
    const left = (atWork.get(key.id) ?? 0) + step
    if (left === 0) atWork.delete(key.id)
    else atWork.set(key.id, left)
  }

  function startNext(): void {
    while (working < turns) {
      const next = queue.take(isReady)
      if (next === undefined) return
      count(next.request.key, 1)
      next.start()
    }
  }

  /** Resolves when it is the request's turn. */
  function turnOf(request: TurnRequest): Promise<void> {
    const { signal } = request
    return new Promise((resolve, reject) => {
      const askedAt = monotonic()
      const leave = (settle: () => void) => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        onWaited(monotonic() - askedAt)
        settle()
      }
      const refuse = (reason: Reason) => {
        leave(() => {
          reject(temporarilyUnavailable(reason, retryAfterSeconds()))
        })
      }
      const waiting: Waiting = {
        request,
        refuse,
        start: () => {
          leave(resolve)
        },
      }
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
      // What is more than the queue holds is taken from the strangers who have most in it; that may be the
      // newcomer.
      if (queue.size > places) queue.takeLeast()?.refuse('hash_queue_full')
    })
  }

  return {
    isFree: () => working < turns && queue.size === 0,
    load: () => ({ waiting: queue.size, working }),
    async take(request, work) {
      const { key, signal } = request
      if (signal?.aborted === true) throw temporarilyUnavailable('client_gone')
      if (expectedWaitMs(queue.position(request)) > maxWaitMs) {
        throw temporarilyUnavailable('hash_wait_too_long', retryAfterSeconds())
      }
      await turnOf(request)
      const startedAt = monotonic()
      try {
        return await work()
      } finally {
        meanMs += (monotonic() - startedAt - meanMs) * LATEST
        count(key, -1)
        startNext()
      }
    },
  }
}
