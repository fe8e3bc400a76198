// One SQLite file, opened the way the store needs it, and the two forms in which everything here touches it.
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { monotonicClock } from '../../../base/clock.ts'
import { isBusy, unavailable, unusable } from './faults.ts'
import { createGroupCommits, type Write } from './group-commits.ts'
import { migrate } from './migrations.ts'
import { CHECKED_BYTES, checkPages } from './pages.ts'
import { BUSY_MS, PAUSE_MS } from './patience.ts'

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
export async function reading<T>(work: () => T): Promise<T> {
  const deadline = monotonicClock() + BUSY_MS
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || monotonicClock() > deadline) throw unavailable(error)
    }
    await wait(PAUSE_MS)
  }
}

const writers = new WeakMap<DatabaseSync, Write>()

/**
 * Runs one atomic step, together with the others of this turn of the event loop; resolves when it is on the
 * disk. The step may be run again, so it changes nothing but the file. Any error is StoreUnavailable.
 */
export function writing<T>(db: DatabaseSync, work: () => T): Promise<T> {
  return writerOf(db)(work)
}

function writerOf(db: DatabaseSync): Write {
  const known = writers.get(db)
  if (known !== undefined) return known
  const write = createGroupCommits(db)
  writers.set(db, write)
  return write
}

/** Closes a connection when what waits for it is written. */
export async function closeDatabase(db: DatabaseSync): Promise<void> {
  if (!db.isOpen) return
  // Whoever waits is told why it failed.
  await writing(db, () => {}).catch(() => {})
  if (db.isOpen) db.close()
}
