// Pads refusals to the same length while some stored hashes take longer or shorter than ours: foreign ones,
// and those of an older cost. An unknown name is checked at today's cost; without the padding, a slow refusal
// would show that the name exists.
import { setTimeout as sleep } from 'node:timers/promises'

/** A machine that was asleep must not make every refusal slow: no check counts as longer. */
export const LONGEST_MS = 2_000
const REMEMBERED_MS = 3_600_000

export interface TimePadding {
  /** Notes how long a check took; `odd`: its hash isn't of today's cost. */
  observe(ms: number, odd: boolean): void
  /**
   * Waits until a check that took `ms` has lasted as long as the longest one. Resolves at once while no odd
   * hash was seen.
   */
  pad(ms: number): Promise<void>
}

export interface TimePaddingOptions {
  /** Resolves after so many milliseconds; default: the system's. */
  readonly wait?: (ms: number) => Promise<unknown>
  /** No check counts as longer; milliseconds. */
  readonly longestMs?: number
}

/**
 * Makes the padding; it forgets what is older than an hour or two.
 *
 * @param monotonic a clock that never goes back; milliseconds
 */
export function createTimePadding(
  monotonic: () => number,
  { wait = sleep, longestMs = LONGEST_MS }: TimePaddingOptions = {},
): TimePadding {
  let period = 0
  let [longest, longestBefore] = [0, 0]
  let [odd, oddBefore] = [false, false]

  function startPeriod(): void {
    const now = Math.floor(monotonic() / REMEMBERED_MS)
    if (now === period) return
    const isNext = now === period + 1
    ;[longestBefore, oddBefore] = isNext ? [longest, odd] : [0, false]
    ;[period, longest, odd] = [now, 0, false]
  }

  return {
    observe(ms, isOdd) {
      startPeriod()
      longest = Math.max(longest, Math.min(ms, longestMs))
      odd ||= isOdd
    },
    async pad(ms) {
      startPeriod()
      const missing = Math.max(longest, longestBefore) - ms
      if ((odd || oddBefore) && missing > 0) await wait(missing)
    },
  }
}
