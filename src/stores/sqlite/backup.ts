// Back-ups of SQLite: a file of SQLite again, as of one instant. It is put back row by row in one
// transaction, so that no write-ahead log of before can be played over it.
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import {
  BackupRefused,
  fileRefusal,
  newerBackup,
  newerStore,
  notEmpty,
  type BackupContent,
  type Backups,
  type ShowPart,
} from '../ports/backups.ts'
import { openDatabase, writing } from './database/database.ts'
import { reasonOf, unavailable } from './database/faults.ts'
import { formatOf } from './database/migrations.ts'
import { SQLITE_STEPS } from './database/steps.ts'

export interface SqliteBackupsOptions {
  readonly db: DatabaseSync
  /** The file of `db`. */
  readonly file: string
  readonly clock: Clock
}

/** How often the growing copy is looked at. */
const LOOK_MS = 100
/** All in one go: in several, each write of a server between two of them would start the copy anew. */
const ALL_PAGES = 2 ** 31 - 1

/** Makes the back-ups of this store. */
export function createSqliteBackups({ db, file, clock }: SqliteBackupsOptions): Backups {
  return {
    async save(to, showPart = () => {}) {
      const takenAt = clock()
      make(to)
      const stop = watchGrowth(file, to, showPart)
      try {
        return await write(db, to, takenAt)
      } finally {
        stop()
      }
    },

    async restore(from, { replace, showPart = () => {} }) {
      // Beside the file there is room for another one.
      const beside = file === ':memory:' ? from : file
      const work = mkdtempSync(join(dirname(beside), 'restore-'))
      try {
        const copy = join(work, 'copy.db')
        const content = openCopy(from, copy, db)
        db.prepare('ATTACH DATABASE ? AS restored').run(copy)
        try {
          const outcome = await writing(db, () => takeOver(db, replace))
          if (outcome === 'not_empty') throw notEmpty()
        } finally {
          db.exec('DETACH DATABASE restored')
        }
        showPart(1)
        return content
      } finally {
        rmSync(work, { recursive: true })
      }
    },
  }
}

/** Nobody but its owner may read it. */
function make(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    throw fileRefusal(file, error)
  }
}

/** A file that isn't whole doesn't stay. */
async function write(
  db: DatabaseSync,
  to: string,
  takenAt: number,
): Promise<BackupContent> {
  try {
    await backup(db, to, { rate: ALL_PAGES })
    return finish(to, takenAt)
  } catch (error) {
    unlinkSync(to)
    throw unavailable(error)
  }
}

function watchGrowth(from: string, to: string, showPart: ShowPart): () => void {
  const size = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0
  const look = () => showPart(Math.min(1, size(to) / Math.max(1, size(from))))
  look()
  const timer = setInterval(look, LOOK_MS)
  return () => clearInterval(timer)
}

/** One file without a log beside it, which says when it was made. */
function finish(file: string, takenAt: number): BackupContent {
  const copy = new DatabaseSync(file)
  try {
    copy.exec(
      // The outbox belongs to the server that has it: what waits there would go out once more.
      `PRAGMA journal_mode = DELETE;
      DELETE FROM outbox;
      CREATE TABLE back_up (taken_at INTEGER NOT NULL) STRICT`,
    )
    copy.prepare('INSERT INTO back_up (taken_at) VALUES (?)').run(takenAt)
    return contentOf(copy, takenAt)
  } finally {
    copy.close()
  }
}

/** Rows of a table, or of a column, that this release doesn't know would be lost, or left behind. */
function refuseNewer(from: string, copy: DatabaseSync, db: DatabaseSync): void {
  const known = SQLITE_STEPS.length
  const { steps } = formatOf(copy)
  const { steps: own } = formatOf(db)
  if (steps > known) throw newerBackup(from, steps, known)
  if (own > known) throw newerStore(own, known)
}

/** Copies the back-up, brings it to today's schema and checks its pages. */
function openCopy(from: string, copy: string, store: DatabaseSync): BackupContent {
  const mtime = copyOf(from, copy)
  refuseForeign(from, copy)
  let db: DatabaseSync
  try {
    db = openDatabase(copy, { checkUpTo: Infinity })
  } catch (error) {
    const why = reasonOf(error).replace(copy, from)
    throw new BackupRefused('file_damaged', `${from} can't be restored: ${why}`)
  }
  try {
    refuseNewer(from, db, store)
    const hasInstant = db
      .prepare("SELECT 1 FROM sqlite_master WHERE name = 'back_up'")
      .get()
    const row = hasInstant && db.prepare('SELECT taken_at FROM back_up').get()
    return contentOf(db, Number(row?.['taken_at'] ?? mtime))
  } finally {
    db.close()
  }
}

/** An empty file, or another program's, would empty the store. */
function refuseForeign(from: string, copy: string): void {
  const db = new DatabaseSync(copy, { readOnly: true })
  try {
    const hasUsers = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'users'").get()
    if (hasUsers === undefined) throw new Error('it has no accounts table')
  } catch (error) {
    const why = reasonOf(error)
    throw new BackupRefused(
      'file_damaged',
      `${from} can't be restored: it is no SQLite back-up of Latchkey (${why})`,
    )
  } finally {
    db.close()
  }
}

function copyOf(from: string, copy: string): number {
  try {
    copyFileSync(from, copy)
    return Math.floor(statSync(from).mtimeMs)
  } catch (error) {
    throw fileRefusal(from, error)
  }
}

/** Within a transaction: the rows of every table of ours are those of the back-up. */
function takeOver(db: DatabaseSync, replace: boolean): 'restored' | 'not_empty' {
  const isEmpty = db.prepare('SELECT 1 FROM main.users LIMIT 1').get() === undefined
  if (!replace && !isEmpty) return 'not_empty'
  db.exec('PRAGMA defer_foreign_keys = ON')
  const tables = db
    .prepare(
      "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .all()
    .map(row => String(row['name']))
  for (const table of tables) db.exec(`DELETE FROM main.${table}`)
  for (const table of tables) {
    // Generated columns are not among them.
    const columns = db
      .prepare('SELECT name FROM pragma_table_info(?)')
      .all(table)
      .map(row => String(row['name']))
      .join()
    db.exec(
      `INSERT INTO main.${table} (${columns}) SELECT ${columns} FROM restored.${table}`,
    )
  }
  return 'restored'
}

function contentOf(db: DatabaseSync, takenAt: number): BackupContent {
  const count = (table: string) =>
    Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
  return {
    takenAt,
    accounts: count('users'),
    sessions: count('families'),
    revocations: count('revocations'),
  }
}
