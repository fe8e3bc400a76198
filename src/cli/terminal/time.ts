// Times for people, and of people.
import { InvalidArgumentError } from 'commander'
import { DURATION_PATTERN, parseDuration } from '../../config/values/duration.ts'

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** An instant in UTC. */
export function iso(at: number): string {
  return new Date(at).toISOString()
}

/** A span in its largest unit, rounded down: 90d, 12h, 5m, 3s. */
export function span(ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ['s', 1_000]
  return `${Math.floor(ms / size)}${unit}`
}

/**
 * Reads a duration of the command line.
 *
 * @returns milliseconds
 * @throws InvalidArgumentError when it is none
 */
export function parseSpan(text: string): number {
  if (!new RegExp(DURATION_PATTERN).test(text)) {
    throw new InvalidArgumentError('A duration such as 250ms, 5m or 24h.')
  }
  return parseDuration(text)
}
