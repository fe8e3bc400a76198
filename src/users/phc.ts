// Stored password hashes as text: argon2's PHC strings, and what verifying one would cost.

/** What it takes to compute a hash. */
export interface HashCost {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

// A salt of 8 to 64 bytes (RFC 9106 §3.1) and a hash of 12 to 64: a shorter one could be met by chance.
// The libraries differ in the order of m, t and p.
const PHC = /^\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$(?<costs>[mtp]=\d{1,10},[mtp]=\d{1,10},[mtp]=\d{1,10})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}$/

const LEAST_MEMORY_PER_LANE_KIB = 8

/**
 * Reads the cost of an argon2 hash.
 *
 * @returns undefined when it isn't an argon2 PHC string, or one that RFC 9106 §3.1 doesn't allow
 */
export function readCost (hash: string): HashCost | undefined {
  const costs = PHC.exec(hash)?.groups?.['costs']
  if (costs === undefined) return undefined
  const found = new Map(costs.split(',').map(pair => [pair.slice(0, 1), Number(pair.slice(2))]))
  const cost = { memoryKiB: found.get('m') ?? 0, passes: found.get('t') ?? 0, parallelism: found.get('p') ?? 0 }
  return isPossible(cost) ? cost : undefined
}

function isPossible ({ memoryKiB, passes, parallelism }: HashCost): boolean {
  return passes >= 1 && parallelism >= 1 && memoryKiB >= LEAST_MEMORY_PER_LANE_KIB * parallelism
}
