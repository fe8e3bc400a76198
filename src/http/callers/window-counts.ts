// Counts per window, which each process keeps for itself: requests of what proved itself (a client, a
// session), and failures.
import { LRUCache } from 'lru-cache'
import { monotonicClock, type Monotonic } from '../../base/clock.ts'

/** How many are remembered, some 5 MB. One that was forgotten is taken for new. */
const REMEMBERED = 50_000

export interface WindowLimit {
  readonly max: number
  /** Milliseconds. */
  readonly window: number
}

export interface WindowCounts {
  /** Counts one more; undefined: it is within the limit, else how long the window goes on, in ms. */
  count(key: string, limit: WindowLimit): number | undefined
  /** How long the window goes on, in ms, when nothing is left of its limit; else undefined. */
  spent(key: string, limit: WindowLimit): number | undefined
}

/** Makes the counts. */
export function createWindowCounts(monotonic: Monotonic = monotonicClock): WindowCounts {
  const windows = new LRUCache<string, { count: number; readonly beganAt: number }>({
    max: REMEMBERED,
  })
  return {
    count(key, { max, window }) {
      const now = monotonic()
      const known = windows.get(key)
      const current =
        known !== undefined && now < known.beganAt + window
          ? known
          : { count: 0, beganAt: now }
      current.count += 1
      if (current !== known) windows.set(key, current)
      return current.count > max ? current.beganAt + window - now : undefined
    },
    spent(key, { max, window }) {
      const known = windows.get(key)
      if (known === undefined || known.count < max) return undefined
      const leftMs = known.beganAt + window - monotonic()
      return leftMs > 0 ? leftMs : undefined
    },
  }
}
