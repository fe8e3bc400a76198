// Argon2 hashes as PHC strings (the algorithm: RFC 9106), and Django's, which put a name in front of one.
import { argon2 } from '../argon2.ts'
import { MOST, type HashCost, type StoredHash } from './cost.ts'
import { pattern } from './pattern.ts'

// A salt of 8 to 64 bytes (RFC 9106 §3.1) and a hash of 12 to 64: a shorter one could match by chance.
// The libraries differ in the order of m, t and p.
const PHC = pattern(
  /^\$(?<type>argon2(?:id|i|d))(?:\$v=(?<version>16|19))?/,
  /\$(?<costs>[mtp]=\d{1,10},[mtp]=\d{1,10},[mtp]=\d{1,10})/,
  /\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}$/,
)

const FIRST_VERSION = 16
const LEAST_MEMORY_PER_LANE_KIB = 8

/** An argon2 hash, taken apart. */
export interface Argon2Hash extends StoredHash {
  readonly cost: HashCost
  /** 19 (0x13) is today's. */
  readonly version: number
}

/**
 * Reads an argon2 hash. A hash that costs no more than `today` is always bearable.
 *
 * @returns undefined when it isn't an argon2 PHC string, or one that RFC 9106 §3.1 doesn't allow
 */
export function readArgon2(text: string, today: HashCost): Argon2Hash | undefined {
  const phc = text.replace(/^argon2(?=\$argon2)/, '')
  const { type, version, costs } = PHC.exec(phc)?.groups ?? {}
  if (type === undefined) return undefined
  const cost = readCost(String(costs))
  if (!isPossible(cost)) return undefined
  return {
    algorithm: type,
    memoryKiB: cost.memoryKiB,
    ...boundsOf(cost, today),
    cost,
    version: Number(version ?? FIRST_VERSION),
    verify: password => argon2.verify(phc, password),
  }
}

function readCost(costs: string): HashCost {
  const found = new Map(
    costs.split(',').map(pair => [pair.slice(0, 1), Number(pair.slice(2))]),
  )
  return {
    memoryKiB: found.get('m') ?? 0,
    passes: found.get('t') ?? 0,
    parallelism: found.get('p') ?? 0,
  }
}

function isPossible({ memoryKiB, passes, parallelism }: HashCost): boolean {
  return (
    passes >= 1 &&
    parallelism >= 1 &&
    memoryKiB >= LEAST_MEMORY_PER_LANE_KIB * parallelism
  )
}

function boundsOf(
  cost: HashCost,
  today: HashCost,
): Pick<StoredHash, 'bearable' | 'bounds'> {
  const most: HashCost = {
    memoryKiB: Math.max(MOST.argon2.memoryKiB, today.memoryKiB),
    passes: Math.max(MOST.argon2.passes, today.passes),
    parallelism: Math.max(MOST.argon2.parallelism, today.parallelism),
  }
  return {
    bearable:
      cost.memoryKiB <= most.memoryKiB &&
      cost.passes <= most.passes &&
      cost.parallelism <= most.parallelism,
    bounds: `${textOf(cost)}, at most ${textOf(most)}`,
  }
}

function textOf({ memoryKiB, passes, parallelism }: HashCost): string {
  return `m=${memoryKiB},t=${passes},p=${parallelism}`
}
