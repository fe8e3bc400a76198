// Times for people.

const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const

/** An instant in UTC. */
export function iso (at: number): string {
  return new Date(at).toISOString()
}

/** A span in its largest unit, rounded down: 90d, 12h, 5m, 3s. */
export function span (ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ['s', 1_000]
  return `${Math.floor(ms / size)}${unit}`
}
