// The write-ahead log on its way to the disk. A COMMIT writes the log and doesn't wait for the disk
// (`synchronous = NORMAL`); that is done here, by a thread of libuv, while the event loop goes on. So is what
// else waits for the disk: now and then what the log has is copied to the file (checkpoint-thread.ts).
import { closeSync, fdatasync, openSync } from 'node:fs'
import { promisify } from 'node:util'
import { createCheckpoints } from './checkpoints.ts'
import { LostLog } from './faults.ts'

/**
 * After so many transactions the log is copied: each writes some pages, or some for each request in it. Where
 * they write many, SQLite itself copies it (see database.ts).
 */
const COPIED_AFTER = 64

/** Waits until what was written to an open file is on its disk. */
export type Sync = (fd: number) => Promise<void>

/** The log of one connection. */
export interface Log {
  /** Whether every sync went well. */
  isSound(): boolean
  /** Throws LostLog once one failed. */
  check(): void
  /** Resolves when all that is committed by now is on the disk; rejects with LostLog. */
  sync(): Promise<void>
  /** Copies the log where that is due: nobody may write meanwhile. Never rejects. */
  tidy(): Promise<void>
  close(): Promise<void>
}

/** Nothing waits for the disk. */
export const UNSYNCED: Log = {
  isSound: () => true,
  check() {},
  async sync() {},
  async tidy() {},
  async close() {},
}

/** The log beside `file`; it is opened when it is first needed. */
export function createLog(file: string, sync: Sync = promisify(fdatasync)): Log {
  const checkpoints = createCheckpoints(file)
  let fd: number | undefined
  let lost: LostLog | undefined
  let commits = 0

  function check(): void {
    if (lost !== undefined) throw lost
  }

  return {
    isSound: () => lost === undefined,
    check,
    async sync() {
      check()
      try {
        // SQLite holds no lock on the log itself: this file may be opened and closed.
        fd ??= openSync(`${file}-wal`, 'r+')
        await sync(fd)
      } catch (error) {
        // The system reports what it couldn't write once, and then takes it for written.
        lost = new LostLog(error)
        throw lost
      }
    },
    async tidy() {
      commits += 1
      if (commits < COPIED_AFTER) return
      commits = 0
      await checkpoints.run()
    },
    async close() {
      await checkpoints.close()
      if (fd !== undefined) closeSync(fd)
      fd = undefined
    },
  }
}
