// Evens out how long a refusal takes while some stored hashes take another time than ours: foreign ones, and
// those of an older cost. An unknown name is checked at today's cost; without this, a slow refusal would tell
// that the name exists.
import { setTimeout as sleep } from 'node:timers/promises'

// A machine that was asleep must not make every refusal slow.
const LONGEST_MS = 2_000
const REMEMBERED_MS = 3_600_000

export interface EvenTime {
  /** Takes note of how long a check took; `odd`: of a hash that isn't of today's cost. */
  observe(ms: number, odd: boolean): void
  /**
   * Waits until a check that took so long has lasted as long as the longest does. Resolves at once as long as
   * no hash was odd.
   */
  fill(ms: number): Promise<void>
}

/**
 * Makes it; what is longer than an hour ago is forgotten.
 *
 * @param monotonic a clock that never goes back; milliseconds
 * @param wait resolves after so many milliseconds
 */
export function createEvenTime(
  monotonic: () => number,
  wait: (ms: number) => Promise<unknown> = sleep,
): EvenTime {
  let period = 0
  let [longest, longestBefore] = [0, 0]
  let [odd, oddBefore] = [false, false]

  function turnOver(): void {
    const now = Math.floor(monotonic() / REMEMBERED_MS)
    if (now === period) return
    const last = now === period + 1
    ;[longestBefore, oddBefore] = last ? [longest, odd] : [0, false]
    ;[period, longest, odd] = [now, 0, false]
  }

  return {
    observe(ms, isOdd) {
      turnOver()
      longest = Math.max(longest, Math.min(ms, LONGEST_MS))
      odd ||= isOdd
    },
    async fill(ms) {
      turnOver()
      const missing = Math.max(longest, longestBefore) - ms
      if ((odd || oddBefore) && missing > 0) await wait(missing)
    },
  }
}
