// One SQLite file, opened the way the store needs it, and the two forms in which everything here touches it.
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { monotonicClock } from '../../../base/clock.ts'
import { isBusy, unavailable, unusable } from './faults.ts'
import { migrate } from './migrations.ts'
import { CHECKED_BYTES, checkPages } from './pages.ts'

/**
 * How long a call waits for another process (a second server, a command line beside it), below the 2 s in
 * which the server must answer.
 */
const BUSY_MS = 1000
/**
 * How long it leaves the event loop to others meanwhile: SQLite's own waiting would stop every other request.
 */
const PAUSE_MS = 10

export interface DatabaseOptions {
  /**
   * `FULL`, by default: what was acknowledged outlives a power cut; `NORMAL`: it outlives the process, and a
   * write costs a thirtieth.
   */
  readonly synchronous?: 'FULL' | 'NORMAL'
  /** Files up to so many bytes are read once, to find damaged pages; default 64 MiB. */
  readonly checkUpTo?: number
}

/**
 * Opens, migrates and checks the file, making its folder; `:memory:` for none. Throws StoreUnavailable, whose
 * message tells what to do.
 */
export function openDatabase(
  file: string,
  { synchronous = 'FULL', checkUpTo = CHECKED_BYTES }: DatabaseOptions = {},
): DatabaseSync {
  try {
    if (file !== ':memory:') makeFile(file)
    const db = new DatabaseSync(file, {
      timeout: BUSY_MS,
      enableForeignKeyConstraints: true,
    })
    try {
      db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`)
      migrate(db)
      checkPages(db, checkUpTo)
      db.exec('PRAGMA busy_timeout = 0')
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

/** Runs one statement's work; any error is StoreUnavailable. */
export function reading<T>(work: () => T): Promise<T> {
  return patiently(work)
}

/**
 * Runs one atomic step. It takes the write lock first, so that what it reads is what it changes; any error is
 * StoreUnavailable.
 */
export function writing<T>(db: DatabaseSync, work: () => T): Promise<T> {
  return patiently(() => {
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  })
}

/** Runs a step, and again while another process has the lock, which leaves nothing of it behind. */
async function patiently<T>(step: () => T): Promise<T> {
  const deadline = monotonicClock() + BUSY_MS
  for (;;) {
    try {
      return step()
    } catch (error) {
      if (!isBusy(error) || monotonicClock() > deadline) throw unavailable(error)
    }
    await wait(PAUSE_MS)
  }
}
