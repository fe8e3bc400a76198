// One SQLite file, opened the way the store needs it, and the two forms in which everything here touches it.
import { mkdirSync } from 'node:fs'
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
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
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
