// Takes the steps that lead to the tables (steps.ts), and says which of them a file has taken.
import type { DatabaseSync } from 'node:sqlite'
import { unreadableFormat } from '../../ports/health.ts'
import { SQLITE_STEPS } from './steps.ts'

/** How many steps there were when a file began to say which of them its readers must know. */
const FIRST_STEPS = 5

/** What a file says of itself. */
export interface FileFormat {
  /** How many steps it has taken. */
  readonly steps: number
  /** How many of them a release must know to work on it. */
  readonly readableFrom: number
}

export interface MigrateOptions {
  /** Instead of the real steps; for tests. */
  readonly steps?: typeof SQLITE_STEPS
  /** How many steps to take; default all. Fewer are for what an older release has written. */
  readonly upTo?: number
}

/** Reads the mark; 0 and 0 for an empty file. */
export function formatOf(db: DatabaseSync): FileFormat {
  const readableFrom = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
  const isMarked = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'format'").get()
  const mark = isMarked && db.prepare('SELECT steps FROM format').get()
  return { steps: Number(mark?.['steps'] ?? readableFrom), readableFrom }
}

/**
 * Brings a file to the newest schema, one transaction for all steps. A file that a newer Latchkey has changed
 * stays as it is.
 *
 * @throws Error when a newer Latchkey has changed the file in a way that this one can't work with
 */
export function migrate(
  db: DatabaseSync,
  { steps = SQLITE_STEPS, upTo = steps.length }: MigrateOptions = {},
): void {
  const isDue = () => formatOf(db).steps < upTo
  refuseNewer(db, steps.length)
  // Nothing is written where nothing is to do: a start needs no room on the disk, nor a turn to write.
  if (!isDue()) return
  db.exec('BEGIN IMMEDIATE')
  try {
    // Another server may have been faster.
    if (isDue()) takeSteps(db, steps.slice(0, upTo))
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

function refuseNewer(db: DatabaseSync, known: number): void {
  const { readableFrom } = formatOf(db)
  if (readableFrom <= known) return
  throw new Error(unreadableFormat(readableFrom, known))
}

function takeSteps(db: DatabaseSync, steps: typeof SQLITE_STEPS): void {
  for (const step of steps.slice(formatOf(db).steps)) {
    db.exec(typeof step === 'string' ? step : step.breaking)
  }
  // A reader must know the steps up to the last one that is breaking.
  const lastBreaking = 1 + steps.findLastIndex(step => typeof step !== 'string')
  const readableFrom = Math.max(Math.min(steps.length, FIRST_STEPS), lastBreaking)
  db.exec(`PRAGMA user_version = ${readableFrom}`)
  // Earlier files have no place for the mark: they have taken as many steps as their readers must know.
  if (steps.length > FIRST_STEPS) {
    db.prepare('INSERT OR REPLACE INTO format (id, steps) VALUES (1, ?)').run(
      steps.length,
    )
  }
}

/**
 * Whether a start would change the tables; changes nothing itself. Throws when a newer Latchkey has changed
 * the file in a way that this one can't work with.
 */
export function checkFormat(db: DatabaseSync): 'ok' | 'old' {
  refuseNewer(db, SQLITE_STEPS.length)
  return formatOf(db).steps < SQLITE_STEPS.length ? 'old' : 'ok'
}
