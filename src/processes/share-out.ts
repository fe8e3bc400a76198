// How many server processes there are, and what each of them is given. What bounds a process by itself is
// shared out, so that all of them together take as much as one would.
import type { Machine } from '../base/machine.ts'
import type { Config } from '../config/schema.ts'
import {
  planCapacity,
  type Capacity,
  type HashMachine,
} from '../users/hashing/capacity.ts'

/** What the supervising process takes. */
const SUPERVISOR_KIB = 98_304

/** How many server processes are wanted on this machine. */
export function countOf(
  { processes }: Config,
  { cores }: Pick<Machine, 'cores'>,
): number {
  return processes === 'auto' ? cores : processes
}

/**
 * The configuration of one of `count` server processes. Bounds are rounded up, so that none becomes 0;
 * hashes at once are rounded down, as there is memory for so many and no more. Of the memory each gets an
 * equal part of what the supervising process leaves.
 *
 * @throws RangeError, which names the numbers, when memory or passwords.concurrency doesn't suffice
 */
export function shareOut(config: Config, count: number, machine: HashMachine): Config {
  const part = (whole: number) => Math.ceil(whole / count)
  const { http, management, passwords, store, directories } = config
  const { concurrency, memoryKiB } = hashingEach(passwords, count, machine)
  return {
    ...config,
    http: { ...http, ...connections(http, part), maxInFlight: part(http.maxInFlight) },
    management: { ...management, ...connections(management, part) },
    passwords: {
      ...passwords,
      concurrency,
      memoryShare: shareOf(memoryKiB, machine),
      queue: part(passwords.queue),
    },
    store: {
      ...store,
      ...(store.accounts && {
        accounts: { ...store.accounts, connections: part(store.accounts.connections) },
      }),
    },
    directories: directories.map(directory => ({
      ...directory,
      connections: part(directory.connections),
      maxInFlight: part(directory.maxInFlight),
    })),
  }
}

function connections(
  { maxConnections, maxConnectionsPerAddress }: Config['management'],
  part: (whole: number) => number,
) {
  return {
    maxConnections: part(maxConnections),
    maxConnectionsPerAddress: part(maxConnectionsPerAddress),
  }
}

/** Together as many as one process would run, and at least one each: none could log anybody in otherwise. */
function hashingEach(
  passwords: Config['passwords'],
  count: number,
  { hashCores, memoryBytes }: HashMachine,
): Capacity {
  const { concurrency: wanted } = passwords
  if (wanted !== 'auto' && wanted < count) {
    throw new RangeError(
      `passwords: ${wanted} at once (concurrency) can't be shared out among ${count} processes: each ` +
        `hashes one at a time at least; set it to auto, to ${count} or more, or processes to ${wanted}`,
    )
  }
  return planCapacity(
    {
      ...passwords,
      concurrency: wanted === 'auto' ? wanted : Math.floor(wanted / count),
    },
    {
      hashCores: Math.floor(hashCores / count),
      memoryBytes: Math.max(0, memoryBytes - SUPERVISOR_KIB * 1024) / count,
    },
  )
}

/**
 * So much memory in percent of all that the machine has: a process sees all of it, and not its part. With
 * half a KiB more, which is rounded away: one less might hold a hash less.
 */
function shareOf(memoryKiB: number, { memoryBytes }: HashMachine): number {
  return (100 * (memoryKiB + 0.5) * 1024) / memoryBytes
}
