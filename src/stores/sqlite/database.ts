// One SQLite file, opened the way the store needs it, and the two forms in which everything here touches it.
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable } from '../ports.ts'
import { migrate } from './migrations.ts'

/** How long a writer waits for another process (a command line beside a server), below the 2 s in which the server must answer. */
const BUSY_MS = 1000

/**
 * Opens and migrates the file, making its folder; `:memory:` for none. `FULL`: what was acknowledged outlives a power cut; `NORMAL`: it
 * outlives the process, and a write costs a thirtieth. Throws StoreUnavailable.
 */
export function openDatabase (file: string, synchronous: 'FULL' | 'NORMAL' = 'FULL'): DatabaseSync {
  return translated(() => {
    if (file !== ':memory:') makeFile(file)
    const db = new DatabaseSync(file, { timeout: BUSY_MS, enableForeignKeyConstraints: true })
    try {
      db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`)
      migrate(db)
      return db
    } catch (error) {
      db.close()
      throw error
    }
  })
}

/** Password hashes are in it: nobody but its owner may read the file, nor those that SQLite puts beside it with the same mode. */
function makeFile (file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  closeSync(openSync(file, 'a', 0o600))
}

/** Runs one statement's work; any error is StoreUnavailable. */
export async function reading<T> (work: () => T): Promise<T> {
  return translated(work)
}

/** Runs one atomic step. It takes the write lock first, so that what it reads is what it changes; any error is StoreUnavailable. */
export async function writing<T> (db: DatabaseSync, work: () => T): Promise<T> {
  return translated(() => {
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

function translated<T> (work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new StoreUnavailable(error)
  }
}
