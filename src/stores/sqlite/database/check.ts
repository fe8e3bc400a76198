// Looks whether a start could use the SQLite file, and leaves everything as it is: no file, no folder and no
// write-ahead log that wasn't there.
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { unusable } from './faults.ts'
import { newerFormat, type StoreRisk } from '../../ports/health.ts'
import { checkFormat, formatOf } from './migrations.ts'
import { SQLITE_STEPS } from './steps.ts'
import { CHECKED_BYTES, checkPages } from './pages.ts'

/** How long another process is waited for, in milliseconds. */
const BUSY_MS = 1000

/** What was found. */
export interface CheckedFile {
  /** `new`: a start makes the file. `old`: a start brings its tables up to date. */
  readonly state: 'ok' | 'new' | 'old'
  readonly risks: readonly StoreRisk[]
}

/**
 * Checks the file, its folder and its pages, and that it takes writes.
 *
 * @throws StoreUnavailable, whose message says what to do
 */
export function checkSqliteFile(file: string): CheckedFile {
  try {
    if (existsSync(file)) return checkExisting(file)
    checkFolder(dirname(resolve(file)))
    return { state: 'new', risks: [] }
  } catch (error) {
    throw unusable(file, error)
  }
}

function checkExisting(file: string): CheckedFile {
  const db = new DatabaseSync(file, { timeout: BUSY_MS })
  try {
    checkPages(db, CHECKED_BYTES)
    const state = checkFormat(db)
    // The lock that every write takes first; it asks for the right to write the file and beside it.
    db.exec('BEGIN IMMEDIATE')
    // Goes to the log, and with it to the disk, where it stays: what is rolled back would ask for no room.
    if (state === 'ok') {
      db.exec('INSERT INTO probes (id) VALUES (1); DELETE FROM probes; COMMIT')
    } else db.exec('ROLLBACK')
    return { state, risks: newerFormat(formatOf(db).steps, SQLITE_STEPS.length) }
  } finally {
    db.close()
  }
}

/** The nearest folder that is there has to take what is made in it. */
function checkFolder(folder: string): void {
  if (!existsSync(folder)) {
    checkFolder(dirname(folder))
    return
  }
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`)
  accessSync(folder, constants.W_OK | constants.X_OK)
}
