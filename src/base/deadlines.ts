// Deadlines of one length for many things at once: one timer for all of them, next to nothing for each that
// ends in time.
import { monotonicClock, type Monotonic } from './clock.ts'

/** Something that is waited for, and its place in the list of all; only that list changes it. */
export interface Deadline {
  readonly at: number
  /** Undefined once it isn't waited for any more. */
  expire: (() => void) | undefined
  before: Deadline | undefined
  after: Deadline | undefined
}

export interface Deadlines {
  /** Starts to wait; calls `expire` when it isn't removed in time. */
  add(expire: () => void): Deadline
  /** Ends the wait. False when it had ended before. */
  remove(deadline: Deadline): boolean
}

/**
 * A timer that comes so many milliseconds late shows that this process stood still, as it does when its
 * machine is paused. Whoever was to answer has stood still, too, and gets so long again.
 */
const STOOD_STILL_MS = 100

/** Makes deadlines after so many milliseconds. They don't keep the process alive. */
export function createDeadlines(
  ms: number,
  monotonic: Monotonic = monotonicClock,
): Deadlines {
  const waiting = createList()
  let timer: NodeJS.Timeout | undefined

  function expireUntil(now: number): void {
    timer = undefined
    for (let first = waiting.first(); first !== undefined; first = waiting.first()) {
      if (first.at > now) return arm(first.at - now)
      const { expire } = first
      waiting.remove(first)
      expire?.()
    }
  }

  function arm(inMs: number, mayBeLate = false): void {
    const due = monotonic() + inMs
    timer = setTimeout(() => {
      const now = monotonic()
      if (!mayBeLate && now - due > STOOD_STILL_MS) return arm(STOOD_STILL_MS, true)
      // A busy event loop comes to its timers before it reads answers that have arrived: let it read them
      // first.
      setImmediate(expireUntil, now)
    }, Math.ceil(inMs)).unref()
  }

  return {
    add(expire) {
      const deadline = waiting.add(monotonic() + ms, expire)
      if (timer === undefined) arm(ms)
      return deadline
    },
    remove: deadline => waiting.remove(deadline),
  }
}

/**
 * A list in the order in which deadlines expire, as all have the same length. No Set: one that
 * changes all the time is copied again and again, and each copy points to the next. V8's quick collections
 * follow such a chain from a dead copy that has grown old, and keep whatever was waited for.
 */
function createList() {
  const ends: { first: Deadline | undefined; last: Deadline | undefined } = {
    first: undefined,
    last: undefined,
  }
  return {
    first: () => ends.first,

    add(at: number, expire: () => void): Deadline {
      const deadline: Deadline = {
        at,
        expire,
        before: ends.last,
        after: undefined,
      }
      if (ends.last === undefined) ends.first = deadline
      else ends.last.after = deadline
      ends.last = deadline
      return deadline
    },

    /** False when it was removed before. Nothing that is removed points to anything else. */
    remove(deadline: Deadline): boolean {
      if (deadline.expire === undefined) return false
      const { before, after } = deadline
      if (before === undefined) ends.first = after
      else before.after = after
      if (after === undefined) ends.last = before
      else after.before = before
      deadline.expire = undefined
      deadline.before = undefined
      deadline.after = undefined
      return true
    },
  }
}
