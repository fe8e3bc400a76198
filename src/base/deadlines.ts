// Deadlines of one length for many things at once: one timer for all of them, next to nothing for each that
// ends in time.
import { monotonicClock, type Monotonic } from './clock.ts'

/** Something that is waited for. */
export interface Deadline {
  readonly at: number
  readonly expire: () => void
}

export interface Deadlines {
  /** Starts to wait; calls `expire` when it isn't removed in time. */
  add(expire: () => void): Deadline
  /** Ends the wait. False when it had ended before. */
  remove(deadline: Deadline): boolean
}

/** Makes deadlines after so many milliseconds. They don't keep the process alive. */
export function createDeadlines(
  ms: number,
  monotonic: Monotonic = monotonicClock,
): Deadlines {
  // All have the same length: they stand in the order in which they expire.
  const waiting = new Set<Deadline>()
  let timer: NodeJS.Timeout | undefined

  function expireUntil(now: number): void {
    timer = undefined
    for (const deadline of waiting) {
      if (deadline.at > now) return arm(deadline.at - now)
      waiting.delete(deadline)
      deadline.expire()
    }
  }

  function arm(inMs: number): void {
    timer = setTimeout(() => {
      const now = monotonic()
      // A busy event loop comes to its timers before it reads answers that have arrived: let it read them
      // first.
      setImmediate(expireUntil, now)
    }, Math.ceil(inMs)).unref()
  }

  return {
    add(expire) {
      const deadline = { at: monotonic() + ms, expire }
      waiting.add(deadline)
      if (timer === undefined) arm(ms)
      return deadline
    },
    remove: deadline => waiting.delete(deadline),
  }
}
