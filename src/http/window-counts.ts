// Requests per window of what proved itself: a client, a session. Each process counts its own.
import { LRUCache } from 'lru-cache'

/** How many are remembered, some 5 MB. One that was forgotten is taken for new. */
const REMEMBERED = 50_000

export interface WindowLimit {
  readonly max: number
  /** Milliseconds. */
  readonly window: number
}

/** Counts one more request; undefined: it is within the limit, else how long the window goes on, in ms. */
export type CountInWindow = (key: string, limit: WindowLimit) => number | undefined

/** Makes the counts. */
export function createWindowCounts(
  monotonic: () => number = () => performance.now(),
): CountInWindow {
  const windows = new LRUCache<string, { count: number; readonly beganAt: number }>({
    max: REMEMBERED,
  })
  return (key, { max, window }) => {
    const now = monotonic()
    const known = windows.get(key)
    const current =
      known !== undefined && now < known.beganAt + window
        ? known
        : { count: 0, beganAt: now }
    current.count += 1
    if (current !== known) windows.set(key, current)
    return current.count > max ? current.beganAt + window - now : undefined
  }
}
