// What a bench may say: a ratio with the interval in which it lies, held against what the same server gives
// beside itself. Where both can't be told apart there is no number, only "not resolved".
import type { Starts } from './trial.ts'

/** A figure, and where it lies with 95 %. */
export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** What a ratio has to keep to. */
export interface Goal {
  readonly atMost?: number
  readonly atLeast?: number
}

export const NOT_RESOLVED = 'not resolved'

const RESAMPLES = 400

/**
 * A statistic of all rounds with its interval: by a bootstrap of whole starts and of the rounds in each, as
 * what differs from one start to the next says more than how often a start was measured.
 */
export function intervalOf<Round>(
  starts: Starts<Round>,
  statistic: (rounds: readonly Round[]) => number,
  random: () => number = Math.random,
): Interval {
  const some = <Each>(all: readonly Each[]) =>
    all.map(each => all[Math.floor(random() * all.length)] ?? each)
  const drawn = Array.from({ length: RESAMPLES }, () =>
    statistic(some(starts).flatMap(some)),
  )
  return {
    value: statistic(starts.flat()),
    low: quantile(drawn, 0.025),
    high: quantile(drawn, 0.975),
  }
}

/** The factor that chance alone can make of a ratio, by what a server gives beside itself. */
export function noiseOf({ low, high }: Interval): number {
  return Math.max(high, 1 / low, 1)
}

/** A ratio as a report shows it; no number where chance alone could give it. */
export function ratioText({ value, low, high }: Interval, noise: number): string {
  const isResolved = low / noise > 1 || high * noise < 1
  return isResolved ? value.toFixed(2) : NOT_RESOLVED
}

/** Whether a goal is met. */
export function goalText(
  { low, high }: Interval,
  noise: number,
  { atMost, atLeast }: Goal,
): string {
  const [least, most] = [low / noise, high * noise]
  if (atMost !== undefined) {
    return `≤ ${atMost.toFixed(2)} ${verdict(most <= atMost, least > atMost)}`
  }
  if (atLeast === undefined) return ''
  return `≥ ${atLeast.toFixed(2)} ${verdict(least >= atLeast, most < atLeast)}`
}

function verdict(isMet: boolean, isMissed: boolean): string {
  if (isMet) return 'met'
  return isMissed ? 'MISSED' : NOT_RESOLVED
}

/** An interval as text. */
export function span({ low, high }: Interval): string {
  return `${low.toFixed(2)} to ${high.toFixed(2)}`
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (
    ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle) - 1] ?? NaN)) / 2
  )
}

/** The value below which that share of all values lies. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? NaN
}
