// Counts per window that all replicas keep together where the store can, and else each process for itself.
import type { Monotonic } from '../clock.ts'
import { createWindowCounts, type WindowLimit } from './window-counts.ts'

/** What counts for all replicas: a store. */
export interface SharedCounts {
  add(
    requests: ReadonlyArray<{
      readonly address: string
      readonly requests: number
      readonly windowMs: number
    }>,
  ): Promise<ReadonlyArray<{ readonly count: number; readonly endsInMs: number }>>
}

/**
 * Counts one more. Resolves to the rest of the window in ms when that is over the limit, else undefined;
 * rejects as the store does.
 */
export type CountOne = (key: string, limit: WindowLimit) => Promise<number | undefined>

/**
 * Makes the function.
 *
 * @param counts where all replicas count together; undefined: in this process
 */
export function createCountOne(
  counts: SharedCounts | undefined,
  monotonic?: Monotonic,
): CountOne {
  const windows = createWindowCounts(monotonic)
  return async function countOne(key, limit) {
    if (counts === undefined) return windows.count(key, limit)
    const { max, window: windowMs } = limit
    const [counted] = await counts.add([{ address: key, requests: 1, windowMs }])
    return counted !== undefined && counted.count > max ? counted.endsInMs : undefined
  }
}
