// Makes work that depends on who exists take the same time, whoever exists: it ends no sooner than after a
// span that is longer than the work usually takes.
import { setTimeout as waitFor } from 'node:timers/promises'
import type { Monotonic } from '../base/clock.ts'

/** Longer than the few calls of the store that are hidden behind it; milliseconds. */
export const EVEN_MS = 50

/** Gives what the work gives, and throws what it throws, both no sooner than after EVEN_MS. */
export type EvenTime = <Result>(work: () => Promise<Result>) => Promise<Result>

/** Makes the function. `wait` resolves after so many milliseconds. */
export function createEvenTime(
  monotonic: Monotonic,
  wait: (ms: number) => Promise<unknown> = waitFor,
): EvenTime {
  return async function inEvenTime(work) {
    const startedAt = monotonic()
    try {
      return await work()
    } finally {
      await wait(Math.max(0, EVEN_MS - (monotonic() - startedAt)))
    }
  }
}
