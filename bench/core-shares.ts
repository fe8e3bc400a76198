// What the cores did meanwhile: who in a storm of logins has the time that isn't spent on hashes.
import { availableParallelism, cpus } from 'node:os'
import { cpuOfThreads } from './cpu.ts'

/** How many cores each had; together as many as there are. */
export interface CoreShares {
  /** The server's other threads: in a storm these hash. */
  readonly hashing: number
  readonly eventLoop: number
  readonly redis: number
  /** The load, the probes, the system. */
  readonly everythingElse: number
  readonly idle: number
}

const US_PER_MS = 1000

/**
 * Starts to count.
 *
 * @returns ends it
 */
export async function watchCores(pids: {
  readonly server: number
  readonly redis: number
}): Promise<() => Promise<CoreShares>> {
  const before = await readTimes(pids)
  return async () => {
    const after = await readTimes(pids)
    const elapsed = after.now - before.now
    const shareOf = (who: 'hashing' | 'eventLoop' | 'redis' | 'idle') =>
      (after[who] - before[who]) / elapsed
    const named = {
      hashing: shareOf('hashing'),
      eventLoop: shareOf('eventLoop'),
      redis: shareOf('redis'),
      idle: shareOf('idle'),
    }
    const sum = Object.values(named).reduce((total, share) => total + share, 0)
    return { ...named, everythingElse: availableParallelism() - sum }
  }
}

/** Microseconds. */
async function readTimes({ server, redis }: { server: number; redis: number }) {
  const ours = await cpuOfThreads(server)
  const { first, others } = await cpuOfThreads(redis)
  return {
    now: performance.now() * US_PER_MS,
    eventLoop: ours.first,
    hashing: ours.others,
    redis: first + others,
    idle: cpus().reduce((sum, { times }) => sum + times.idle, 0) * US_PER_MS,
  }
}
