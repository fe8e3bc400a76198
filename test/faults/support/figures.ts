// What a faults suite found: a row of the table that `npm run test:faults` prints, and an assertion, from one
// call.
import { appendFileSync } from 'node:fs'
import type { Test } from 'tap'

/** Whether this is the full form, whose figures docs/reliability.md shows; CI runs the short one. */
export const FULL = process.env['LATCHKEY_FAULTS'] === 'full'

/** A row of the table. */
export interface Figure {
  /** The fault, and what went on meanwhile. */
  readonly fault: string
  /** What was counted or measured. */
  readonly figure: string
  readonly mustShow: string
  /** Whether the figure shows it. */
  readonly holds: boolean
}

/** Takes down a row, and fails the test where it doesn't hold. */
export function figure(t: Test, { fault, figure, mustShow, holds }: Figure): void {
  const { LATCHKEY_FIGURES: file } = process.env
  if (file !== undefined) {
    appendFileSync(
      file,
      `${JSON.stringify({
        fault,
        figure,
        mustShow,
        holds,
      })}\n`,
    )
  }
  t.ok(holds, `${fault}: ${figure} (must show: ${mustShow})`)
}

/** The value below which so many of a hundred lie. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return (
    sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ??
    Number.NaN
  )
}

/** Times each value: `200 ×12, 503 ×3`. */
export function tally(values: Iterable<number | string>): string {
  const counts = Map.groupBy(values, value => String(value))
  return (
    [...counts]
      .map(([value, { length }]) => `${value} ×${length}`)
      .sort()
      .join(', ') || 'none'
  )
}
