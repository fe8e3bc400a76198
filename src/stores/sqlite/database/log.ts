// The write-ahead log on its way to the disk. A COMMIT writes the log and doesn't wait for the disk
// (`synchronous = NORMAL`); that is done here, by a thread of libuv, while the event loop goes on. So is what
// else waits for the disk: now and then what the log has is copied to the file (checkpoint-thread.ts).
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  openSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { createCheckpoints } from './checkpoints.ts'
import { isBusy, LostLog } from './faults.ts'

/**
 * After so many transactions the log is copied: each writes some pages, or some for each request in it. Where
 * they write many, SQLite itself copies it (see database.ts).
 */
const COPIED_AFTER = 64

/** No file: to sync it fails. */
const CLOSED = -1

// SQLite's format of the log: a header, then frames, each a header and a page. Both headers have the salts of
// this generation; frames with other ones are left over.
const HEADER_BYTES = 32
const SALTS_AT = 16
const FRAME_HEADER_BYTES = 24
const FRAME_SALTS_AT = 8
const SALTS_BYTES = 8

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

/**
 * The log beside `file`, whose path has no symbolic link. It is opened now: of an error in writing the system
 * tells only who had the file open before.
 */
export function createLog(file: string, sync: Sync = promisify(fdatasync)): Log {
  const checkpoints = createCheckpoints(file)
  // SQLite holds no lock on the log itself: this file may be opened and closed.
  let fd = openSync(`${file}-wal`, 'r+')
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
        await sync(fd)
      } catch (error) {
        // The system reports what it couldn't write once, and then takes it for written.
        lost = new LostLog(error)
        throw lost
      }
    },
    async tidy() {
      // Copied before it is whole on the disk, a power cut would leave a mixture in the file.
      if (lost !== undefined) return
      commits += 1
      if (commits < COPIED_AFTER) return
      commits = 0
      await checkpoints.run()
    },
    async close() {
      await checkpoints.close()
      if (fd !== CLOSED) closeSync(fd)
      fd = CLOSED
    },
  }
}

/**
 * Writes what the log has once more, the same bytes to the same places, and waits for the disk; throws where
 * that fails. After a sync that failed the system takes for written what isn't on the disk: new transactions
 * would come behind a hole, and a power cut would take them away, or leave a mixture of old and new pages in
 * a file to which the log was copied.
 *
 * Nobody writes meanwhile. Where another process does for longer than a call waits, it isn't done: that one
 * did it when it opened the file, or is told of the failure itself.
 */
export function renewLog(
  db: DatabaseSync,
  file: string,
  syncNow: (fd: number) => void = fdatasyncSync,
): void {
  if ((statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return
  try {
    db.exec('BEGIN IMMEDIATE')
  } catch (error) {
    if (isBusy(error)) return
    throw error
  }
  try {
    const fd = openSync(`${file}-wal`, 'r+')
    try {
      writeAnew(fd, Number(db.prepare('PRAGMA page_size').get()?.['page_size']))
      syncNow(fd)
    } finally {
      closeSync(fd)
    }
  } finally {
    db.exec('ROLLBACK')
  }
}

function writeAnew(fd: number, pageBytes: number): void {
  const header = Buffer.alloc(HEADER_BYTES)
  const length = readSync(fd, header, 0, HEADER_BYTES, 0)
  // Each goes behind the one before, wherever was read.
  writeFileSync(fd, header.subarray(0, length))
  const salts = header.subarray(SALTS_AT, SALTS_AT + SALTS_BYTES)
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes)
  const reads = (at: number) => readSync(fd, frame, 0, frame.length, at) === frame.length
  for (let at = HEADER_BYTES; reads(at); at += frame.length) {
    if (!salts.equals(frame.subarray(FRAME_SALTS_AT, FRAME_SALTS_AT + SALTS_BYTES))) break
    writeFileSync(fd, frame)
  }
}
