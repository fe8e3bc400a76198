// Finds the cost at which a password hash takes the wanted time on this machine, with as many at once as a
// server computes.
import { monotonicClock, type Monotonic } from '../../base/clock.ts'
import { argon2, argon2Build } from './argon2.ts'
import { planCapacity, type HashMachine } from './capacity.ts'
import type { HashCost } from './formats/cost.ts'

/** The result. */
export interface Calibration extends HashCost {
  /** Hashes at a time, while it was measured. */
  readonly concurrency: number
  /** How long one takes among these; milliseconds. */
  readonly tookMs: number
  /** Hashes a second, to two digits. */
  readonly perSecond: number
  /** Whether one takes no longer than wanted. */
  readonly inTime: boolean
}

export interface CalibrateOptions {
  /** How long a hash may take; milliseconds. */
  readonly targetMs: number
  /** How much of the memory hashing may use, in percent. */
  readonly memoryShare: number
  readonly machine: HashMachine
  /** Computes one hash. */
  readonly hash?: (cost: HashCost) => Promise<unknown>
  /** A clock that never goes back; milliseconds. */
  readonly monotonic?: Monotonic
}

/** The least for any password on any machine (OWASP's password storage cheat sheet); the server's default. */
const LEAST = { memoryKiB: 19_456, passes: 2, parallelism: 1 }
/**
 * Above this much memory, more passes are better than more memory for a server that computes many hashes at a
 * time: RFC 9106 §4's second choice.
 */
const ENOUGH_KIB = 65_536
const MOST_PASSES = 100
const MEBIBYTE_KIB = 1024
const SAMPLES = 5
// The default size of libuv's pool, which a command keeps.
const THREADS = 4

/**
 * Calibrates.
 *
 * @throws RangeError, which names the numbers, when the memory doesn't suffice for one hash
 */
export async function calibrate(options: CalibrateOptions): Promise<Calibration> {
  const { targetMs, memoryShare, machine } = options
  const { concurrency, memoryKiB: allKiB } = planCapacity(
    { ...LEAST, concurrency: 'auto', memoryShare },
    machine,
  )
  const timeOf = createMeter(options, Math.min(concurrency, THREADS))
  const perKiB = (await timeOf(LEAST)) / (LEAST.memoryKiB * LEAST.passes)
  const memoryKiB = wholeMebibytes(
    Math.max(
      LEAST.memoryKiB,
      Math.min(targetMs / perKiB / LEAST.passes, ENOUGH_KIB, allKiB / concurrency),
    ),
  )
  let passes = Math.min(
    MOST_PASSES,
    Math.max(LEAST.passes, Math.floor(targetMs / perKiB / memoryKiB)),
  )
  // The guess may be a little too long: time isn't quite in proportion.
  while (true) {
    const cost = { memoryKiB, passes, parallelism: 1 }
    const tookMs = await timeOf(cost)
    const inTime = tookMs <= targetMs
    if (inTime || passes === LEAST.passes) {
      return {
        ...cost,
        concurrency,
        tookMs,
        perSecond: Number(((concurrency * 1000) / tookMs).toPrecision(2)),
        inTime,
      }
    }
    passes -= 1
  }
}

/** Formats it as a part of the configuration file. */
export function settingsText(
  { memoryKiB, passes, parallelism, concurrency, tookMs, perSecond, inTime }: Calibration,
  targetMs: number,
): string {
  return [
    `# ${Math.round(tookMs)} ms a hash, ${concurrency} at a time: about ${perSecond} logins a ` +
      `second, with the ${argon2Build.name} build of argon2.`,
    ...(inTime
      ? []
      : [`# That is longer than ${targetMs} ms, but no password deserves less.`]),
    `passwords: { memoryKiB: ${memoryKiB}, passes: ${passes}, parallelism: ${parallelism}, ` +
      'concurrency: auto }',
  ].join('\n')
}

/** Measures the mean time of a hash while `atOnce` run. */
function createMeter(
  { hash = hashEmpty, monotonic = monotonicClock }: CalibrateOptions,
  atOnce: number,
) {
  return async (cost: HashCost): Promise<number> => {
    let sum = 0
    for (let sample = 0; sample < SAMPLES; sample++) {
      await Promise.all(
        Array.from({ length: atOnce }, async () => {
          const startedAt = monotonic()
          await hash(cost)
          sum += monotonic() - startedAt
        }),
      )
    }
    return sum / SAMPLES / atOnce
  }
}

function hashEmpty({ memoryKiB, passes, parallelism }: HashCost): Promise<string> {
  return argon2.hash('', {
    type: argon2.argon2id,
    memoryCost: memoryKiB,
    timeCost: passes,
    parallelism,
  })
}

function wholeMebibytes(kib: number): number {
  return Math.floor(kib / MEBIBYTE_KIB) * MEBIBYTE_KIB
}
