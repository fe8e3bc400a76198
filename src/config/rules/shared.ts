// What several rules need.
import { formatPlace, type Fault, type Place } from '../faults.ts'
import { formatDuration } from '../values/duration.ts'
import type { Config } from '../schema.ts'

/** A fault at this place of the configuration, and what was expected there. */
export function fault(place: Place, expected: string): Fault {
  return { path: formatPlace(place), expected }
}

/** The indexes of items that stand earlier in the list, too. */
export function repeated(list: readonly string[]): number[] {
  return list.flatMap((item, index) => (list.indexOf(item) < index ? [index] : []))
}

/** The spans of a session and its tokens; milliseconds. */
export type Lifetimes = Pick<
  Config['tokens'],
  'accessTtl' | 'refreshIdle' | 'refreshAbsolute' | 'reuseGrace'
>

/** Checks the spans of a session against each other; those of a client override those of `tokens`. */
export function checkLifetimes(
  place: Place,
  { accessTtl, refreshIdle, refreshAbsolute, reuseGrace }: Lifetimes,
): Fault[] {
  return [
    // Claims count in seconds.
    ...(accessTtl < 1000 ? [fault([...place, 'accessTtl'], 'at least 1s')] : []),
    ...(accessTtl > refreshIdle
      ? [
          fault(
            [...place, 'accessTtl'],
            `at most refreshIdle (${formatDuration(refreshIdle)})`,
          ),
        ]
      : []),
    ...(refreshIdle > refreshAbsolute
      ? [
          fault(
            [...place, 'refreshIdle'],
            `at most refreshAbsolute (${formatDuration(refreshAbsolute)})`,
          ),
        ]
      : []),
    ...(reuseGrace >= refreshIdle
      ? [
          fault(
            [...place, 'refreshIdle'],
            `more than tokens.reuseGrace (${formatDuration(reuseGrace)})`,
          ),
        ]
      : []),
  ]
}
