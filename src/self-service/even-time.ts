// Makes work that depends on who exists take the same time, whoever exists: it ends with a span that is
// longer than the work usually takes, and where the work took longer, with one of the next spans.
import { setTimeout as waitFor } from 'node:timers/promises'

/** Longer than the calls of the store that are hidden behind it; milliseconds. */
export const EVEN_MS = 100

/** Gives what the work gives, and throws what it throws, both at the end of a span of EVEN_MS. */
export type EvenTime = <Result>(work: () => Promise<Result>) => Promise<Result>

/** Makes the function. `wait` resolves after so many milliseconds. */
export function createEvenTime(
  wait: (ms: number) => Promise<unknown> = waitFor,
): EvenTime {
  return async function inEvenTime(work) {
    // Begun before the work: a timer counts whole milliseconds, and one for what the work leaves of the span
    // would show the fraction that the work took.
    const first = wait(EVEN_MS)
    const working = work()
    const ended = working.then(yes, yes)
    await first
    // Work that took longer, as on a busy machine, shows how many spans it took, and no more.
    while (!(await Promise.race([ended, false]))) await wait(EVEN_MS)
    return working
  }
}

const yes = () => true
