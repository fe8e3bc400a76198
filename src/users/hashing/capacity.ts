// Plans how many hashes run at once on this machine: what its cores and a share of its memory allow.
import type { Machine } from '../../base/machine.ts'
import type { HashCost } from './formats/cost.ts'

export interface CapacityOptions extends HashCost {
  /** Hashes at once; auto: what the cores and the memory allow. */
  readonly concurrency: number | 'auto'
  /** How much of the memory hashing may use, in percent. */
  readonly memoryShare: number
}

/** What of a machine counts for hashing. */
export type HashMachine = Pick<Machine, 'hashCores' | 'memoryBytes'>

/** What hashing may use. */
export interface Capacity {
  readonly concurrency: number
  readonly memoryKiB: number
}

// The rest of the process: code, heap, and the buffers of some hundred connections.
// test/users/memory.tools.ts holds it to that.
const OWN_KIB = 147_456

/**
 * Shares the machine out.
 *
 * @throws RangeError, which names the numbers, when the memory doesn't suffice
 */
export function planCapacity(
  { concurrency, memoryShare, memoryKiB, parallelism }: CapacityOptions,
  { hashCores, memoryBytes }: HashMachine,
): Capacity {
  const machineKiB = Math.floor(memoryBytes / 1024)
  const allKiB = Math.max(
    0,
    Math.min(Math.floor((machineKiB * memoryShare) / 100), machineKiB - OWN_KIB),
  )
  const fitting = Math.floor(allKiB / memoryKiB)
  const wanted =
    concurrency === 'auto'
      ? Math.max(1, Math.min(fitting, Math.floor(hashCores / parallelism)))
      : concurrency
  if (wanted <= fitting) return { concurrency: wanted, memoryKiB: allKiB }
  throw new RangeError(
    `passwords: ${wanted} at once (concurrency) × ${memoryKiB} KiB (memoryKiB) = ` +
      `${wanted * memoryKiB} KiB, but of the ${machineKiB} KiB ` +
      `that this process may use hashing gets ${allKiB} KiB: ${memoryShare} % (memoryShare), and ` +
      `no more than leaves ${OWN_KIB} KiB to everything else`,
  )
}
