// Durations as people write them: 10s, 15m, 14d.

/** Milliseconds per unit. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** What a duration looks like, for the schema. */
export const DURATION_PATTERN = '^[1-9][0-9]{0,8}(ms|s|m|h|d)$'

/**
 * Reads a duration that the schema has let through.
 *
 * @returns milliseconds
 * @throws TypeError when `text` isn't a duration: the schema was not asked
 */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d+)([a-z]+)$/.exec(text) ?? []
  const factor = UNITS[unit ?? '']
  if (factor === undefined) throw new TypeError(`not a duration: ${text}`)
  return Number(amount) * factor
}

/** Writes milliseconds in the largest unit that fits exactly. */
export function formatDuration(ms: number): string {
  const [unit, factor] = Object.entries(UNITS)
    .reverse()
    .find(([, factor]) => ms % factor === 0) ?? ['ms', 1]
  return `${ms / factor}${unit}`
}
