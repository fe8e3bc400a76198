// How patient a call is with another process that has the file: a second server, or a command line. Reading
// and writing wait alike. The waiting itself stands beside each. And how patient it is with the disk.
import { createDeadlines } from '../../../base/deadlines.ts'
import { StuckDisk } from './faults.ts'

/** How long a call waits, in ms: below the 2 s in which the server must answer. */
export const BUSY_MS = 1000

/**
 * How long it leaves the event loop to others meanwhile, in ms: SQLite's own waiting would stop every other
 * request.
 */
export const PAUSE_MS = 10

/**
 * How long the disk may take for one sync, or for copying the log, before nobody waits for it, in ms: a disk
 * with too much to do takes seconds, and is no reason to refuse anybody.
 */
const STUCK_MS = 10_000

/** Watches what waits for the disk. */
export interface DiskWatch {
  /** What calls are refused with as long as the disk doesn't answer; undefined: it does. */
  stuck(): StuckDisk | undefined
  /** Settles as the work does, but rejects with StuckDisk when that takes too long. One at a time. */
  watch(work: Promise<void>): Promise<void>
}

/** Makes it; the disk has ten seconds, or so many milliseconds. */
export function createDiskWatch(
  onStuck: (error: StuckDisk) => void,
  stuckMs = STUCK_MS,
): DiskWatch {
  const deadlines = createDeadlines(stuckMs)
  let stuck: StuckDisk | undefined
  return {
    stuck: () => stuck,
    watch(work) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const deadline = deadlines.add(() => {
        stuck = new StuckDisk()
        reject(stuck)
        onStuck(stuck)
      })
      work
        .finally(() => {
          deadlines.remove(deadline)
          stuck = undefined
        })
        .then(resolve, reject)
      return promise
    },
  }
}
