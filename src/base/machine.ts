// What this machine, or the container's share of it, has. The only place that asks the system for its size.
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { constrainedMemory } from 'node:process'
import { givesWay } from './pool-threads.ts'

/** What there is to share out. */
export interface Machine {
  /** Cores that may be used at once; at least 1. */
  readonly cores: number
  /** Cores that may hash at once; at least 1. */
  readonly hashCores: number
  readonly memoryBytes: number
}

/** Reads a file's text; throws when it can't be read. */
type ReadText = (file: string) => string

/** The cores and the memory that the process may use: the cgroup's limits where it has any. */
export function thisMachine(): Machine {
  const quota = cpuQuota(readFile)
  const cores = Math.max(1, Math.min(availableParallelism(), Math.floor(quota)))
  return {
    cores,
    hashCores: coresToHash(cores, {
      givesWay: givesWay(),
      // What is over a quota is stopped for the rest of a period, with the event loop.
      isLimited: quota < cpus().length,
    }),
    memoryBytes: limitedMemory(constrainedMemory(), totalmem()),
  }
}

/**
 * All cores where threads that hash give way to the event loop; otherwise it keeps one, or it would stall for
 * as long as a hash takes.
 */
export function coresToHash(
  cores: number,
  { givesWay, isLimited }: Record<'givesWay' | 'isLimited', boolean>,
): number {
  return givesWay && !isLimited ? cores : Math.max(1, cores - 1)
}

/** Whether the processor says that it has AVX2: Linux tells, and nobody needs to know elsewhere. */
export function hasAvx2(read: ReadText = readFile): boolean {
  return /^flags\s*:.*\bavx2\b/m.test(textOf('/proc/cpuinfo', read))
}

/**
 * The smaller of the cgroup's limit and what the machine has; 0 and a number beyond all memories stand for no
 * limit.
 */
export function limitedMemory(limit: number, total: number): number {
  return limit > 0 && limit < total ? limit : total
}

/**
 * How many cores' time the cgroup allows. libuv knows cgroup v2 only where the process sees its own path; v1
 * hardly at all.
 *
 * @returns Infinity when there is no limit, or none that can be read
 */
export function cpuQuota(read: ReadText): number {
  const text = (file: string) => textOf(file, read)
  const path = (controller: string) =>
    new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm').exec(
      text('/proc/self/cgroup'),
    )?.[1] ?? ''
  const v2 = ['/sys/fs/cgroup', `/sys/fs/cgroup${path('')}`].map(folder =>
    quotient(...text(`${folder}/cpu.max`).split(' ')),
  )
  const v1 = ['/sys/fs/cgroup/cpu', `/sys/fs/cgroup/cpu${path('cpu')}`].map(folder =>
    quotient(text(`${folder}/cpu.cfs_quota_us`), text(`${folder}/cpu.cfs_period_us`)),
  )
  return Math.min(...v2, ...v1)
}

function readFile(file: string): string {
  return readFileSync(file, 'utf8')
}

/**
 * The file's text; '' when there is none: another version of cgroups, another system, or a path of the host's
 * that isn't ours.
 */
function textOf(file: string, read: ReadText): string {
  try {
    return read(file).trim()
  } catch {
    return ''
  }
}

// `max` and -1 stand for no limit.
function quotient(quota = '', period = ''): number {
  const cores = Number(quota) / Number(period)
  return quota !== '' && cores > 0 ? cores : Infinity
}
