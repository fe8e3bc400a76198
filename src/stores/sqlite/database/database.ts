// One SQLite file, opened the way the store needs it, and the two forms in which everything here touches it.
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { monotonicClock } from '../../../base/clock.ts'
import { isBusy, unavailable, unusable } from './faults.ts'
import { createGroupCommits, type GroupCommits, type Patience } from './group-commits.ts'
import { createLog, type Log, renewLog, type Sync, UNSYNCED } from './log.ts'
import { migrate } from './migrations.ts'
import { CHECKED_BYTES, checkPages } from './pages.ts'
import { BUSY_MS, PAUSE_MS } from './patience.ts'

/**
 * A log of so many pages, 16 MiB, is copied by whoever commits: only where writes are unusually large, or
 * where nothing waits for the disk.
 */
const COPIED_PAGES = 4000

export interface DatabaseOptions extends Patience {
  /**
   * What waits for the disk, by default fdatasync: what was acknowledged outlives a power cut. `none`: it
   * outlives the process, and a write costs a thirtieth.
   */
  readonly sync?: Sync | 'none' | undefined
  /** What waits for the disk at the opening, by default fdatasync. */
  readonly syncNow?: (fd: number) => void
  /** Files up to so many bytes are read once, to find damaged pages; default 64 MiB. */
  readonly checkUpTo?: number
}

/**
 * Opens, migrates and checks the file, making its folder; `:memory:` for none. Throws StoreUnavailable, whose
 * message tells what to do.
 */
export function openDatabase(
  file: string,
  { sync, syncNow, checkUpTo = CHECKED_BYTES, ...patience }: DatabaseOptions = {},
): DatabaseSync {
  try {
    if (file !== ':memory:') makeFile(file)
    const db = new DatabaseSync(file, {
      timeout: BUSY_MS,
      enableForeignKeyConstraints: true,
    })
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      // Where SQLite has it: a symbolic link is followed, and the log is beside what it leads to.
      const place = sync === 'none' ? null : db.location()
      if (place !== null) renewLog(db, place, syncNow)
      migrate(db)
      checkPages(db, checkUpTo)
      db.exec(`PRAGMA busy_timeout = 0;
        PRAGMA synchronous = NORMAL;
        PRAGMA wal_autocheckpoint = ${COPIED_PAGES}`)
      const log = place === null || sync === 'none' ? UNSYNCED : createLog(place, sync)
      const { busyMs = BUSY_MS } = patience
      connections.set(db, { ...createGroupCommits(db, log, patience), log, busyMs })
      return db
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    throw unusable(file, error)
  }
}

/**
 * Password hashes are in it: nobody but its owner may read the file, nor those that SQLite puts beside it
 * with the same mode.
 *
 * A file that is there isn't opened: closing any descriptor of it would drop every lock that this process
 * holds on it (POSIX locks belong to the process and the file), and the next foreign reader to close would
 * remove the write-ahead log under the server.
 */
function makeFile(file: string): void {
  if (existsSync(file)) return
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  closeSync(openSync(file, 'a', 0o600))
}

/** What belongs to an open file. */
interface Connection extends GroupCommits {
  readonly log: Log
  readonly busyMs: number
}

const connections = new WeakMap<DatabaseSync, Connection>()

function connectionOf(db: DatabaseSync): Connection {
  const connection = connections.get(db)
  if (connection === undefined) throw new TypeError('not opened by openDatabase')
  return connection
}

/**
 * Runs one statement's work; what it has read is on the disk when it resolves. Any error is StoreUnavailable.
 */
export async function reading<T>(db: DatabaseSync, work: () => T): Promise<T> {
  const { read, busyMs } = connectionOf(db)
  const deadline = monotonicClock() + busyMs
  for (;;) {
    try {
      return await read(work)
    } catch (error) {
      if (!isBusy(error) || monotonicClock() > deadline) throw unavailable(error)
    }
    await wait(PAUSE_MS)
  }
}

/**
 * Runs one atomic step, together with the others of this turn of the event loop; resolves when it is on the
 * disk. The step may be run again, so it changes nothing but the file. Any error is StoreUnavailable.
 */
export function writing<T>(db: DatabaseSync, work: () => T): Promise<T> {
  return connectionOf(db).write(work)
}

/** Whether it is open, and the disk answers and has kept all that was written. */
export function isSound(db: DatabaseSync): boolean {
  const { log, isStuck } = connectionOf(db)
  return db.isOpen && log.isSound() && !isStuck()
}

/** Closes a connection when what waits for it is written. */
export async function closeDatabase(db: DatabaseSync): Promise<void> {
  if (!db.isOpen) return
  // Whoever waits is told why it failed.
  await writing(db, () => {}).catch(() => {})
  await connectionOf(db).log.close()
  if (db.isOpen) db.close()
}
