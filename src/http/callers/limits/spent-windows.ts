// Remembers which addresses have spent their rate limit, so that they are refused without asking anything.
import { LRUCache } from 'lru-cache'
import type { WindowLimit } from '../../../base/counts/window-counts.ts'

const REMEMBERED = 10_000

/** The addresses whose window has no request left. */
export interface SpentWindows {
  add(address: string, max: number, endsInMs: number): void
  /** When the address may ask again, in milliseconds; undefined: its window isn't spent. */
  endsInMs(address: string): number | undefined
}

/**
 * Makes the memory.
 *
 * @param limit as configured now: a limit that was raised lets the address ask again
 * @param monotonic milliseconds of a clock that never goes back
 */
export function createSpentWindows(
  limit: () => WindowLimit,
  monotonic: () => number,
): SpentWindows {
  const windows = new LRUCache<string, { readonly max: number; readonly endsAt: number }>(
    { max: REMEMBERED },
  )
  return {
    add(address, max, endsInMs) {
      windows.set(address, { max, endsAt: monotonic() + endsInMs })
    },
    endsInMs(address) {
      const window = windows.get(address)
      if (window === undefined || limit().max > window.max) return undefined
      const leftMs = window.endsAt - monotonic()
      return leftMs > 0 ? leftMs : undefined
    },
  }
}
