// libuv's pool, in which passwords are hashed, names resolved and files read: how many threads it has, and
// that they give way to the event loop.
import { readdirSync, readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { constants, getPriority, setPriority } from 'node:os'

/** The threads of this process, as far as the system shows them. */
export interface ThreadSystem {
  /**
   * The ids of libuv's threads; none before its first job.
   *
   * @throws Error where the system doesn't show them
   */
  readonly list: () => readonly number[]
  /** A thread's nice value, -20 to 19; 0: that of the event loop. */
  readonly niceOf: (thread: number) => number
  /** @throws Error where the system doesn't allow it */
  readonly setNice: (thread: number, nice: number) => void
}

const TASKS = '/proc/self/task'
/** What libuv calls its threads. */
const POOL_THREAD = 'libuv-worker'
const EVENT_LOOP = 0

/**
 * Linux has a nice value for each thread, and takes a thread's id for a process's. Other systems have one for
 * the whole process.
 */
export const linuxThreads: ThreadSystem = {
  list: () =>
    readdirSync(TASKS)
      .filter(id => readFileSync(`${TASKS}/${id}/comm`, 'utf8').trim() === POOL_THREAD)
      .map(Number),
  niceOf: getPriority,
  setNice: setPriority,
}

/** By how much a thread of the pool is nicer than the event loop. */
const NICER = 10
const MOST_NICE = constants.priority.PRIORITY_LOW

/**
 * Starts the pool and has its threads give way to the event loop; where the system doesn't let it, the pool
 * stays as it is. A thread may always become nicer, whatever rights the process has.
 */
export async function yieldToEventLoop(system = linuxThreads): Promise<void> {
  // libuv starts all its threads with the first job.
  await stat('.').catch(() => {})
  try {
    const nice = Math.min(MOST_NICE, system.niceOf(EVENT_LOOP) + NICER)
    for (const thread of system.list()) system.setNice(thread, nice)
  } catch {
    // `givesWay` says what has come of it.
  }
}

/** Whether the event loop goes before every thread of the pool. */
export function givesWay(system = linuxThreads): boolean {
  try {
    const own = system.niceOf(EVENT_LOOP)
    const threads = system.list()
    return threads.length > 0 && threads.every(thread => system.niceOf(thread) > own)
  } catch {
    return false
  }
}

// What libuv has for files, DNS and crypto when nobody asks for more, and what has to do.
const SPARE_THREADS = 4
const LEAST_SPARE_THREADS = 2

/**
 * How many threads libuv's pool needs, so that hashing on all cores holds up nothing else that goes through
 * it.
 */
export function threadsFor(cores: number): number {
  return cores + SPARE_THREADS
}

/**
 * Makes sure that so many hashes at once leave threads of libuv's pool to everything else.
 *
 * @throws RangeError, which names the numbers
 */
export function checkThreads(hashes: number, threads: number): void {
  const least = hashes + LEAST_SPARE_THREADS
  if (threads < least) {
    throw new RangeError(
      `passwords: ${hashes} at once (concurrency) would take all ${threads} threads that files, ` +
        `DNS and crypto need, too: set UV_THREADPOOL_SIZE to ${least} or more`,
    )
  }
}
