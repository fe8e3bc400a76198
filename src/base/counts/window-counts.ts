// Counts per window that each process keeps for itself: requests of authenticated clients and of sessions,
// failures, and what is sent.
import { LRUCache } from 'lru-cache'
import { monotonicClock, type Monotonic } from '../clock.ts'

/** How many windows are remembered, some 5 MB. A forgotten one counts as new. */
const REMEMBERED = 50_000

export interface WindowLimit {
  readonly max: number
  /** Milliseconds. */
  readonly window: number
}

export interface WindowCounts {
  /** Counts one more. Returns the rest of the window in ms when that is over the limit, else undefined. */
  count(key: string, limit: WindowLimit): number | undefined
  /** The rest of the window in ms when its limit is used up, else undefined. */
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
