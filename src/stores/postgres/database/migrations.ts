// Takes the steps that lead to the tables (steps.ts), and says which of them a database has taken.
import { unreadableFormat } from '../../ports/health.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import type { Connections, Run } from './connections.ts'
import { POSTGRES_STEPS, type PostgresStep } from './steps.ts'

/** What a database says of itself. */
export interface DatabaseFormat {
  /** How many steps it has taken. */
  readonly steps: number
  /** How many of them a release must know to work on it. */
  readonly readableFrom: number
}

/** By the catalogue's rows: to_regclass may remember what was there before the lock was waited for. */
const MARK = `SELECT current_setting('server_encoding') AS encoding, EXISTS (
  SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'latchkey' AND tablename = 'format') AS is_marked`

/**
 * Brings a database to the newest tables, all steps in one transaction; of servers that start at once, one
 * does. Nothing is written where nothing is to do, so that the user of a server needs no right to make
 * tables. Rejects with StoreUnavailable, also where a newer Latchkey has changed the tables in a way that
 * this one can't work with.
 *
 * @param steps instead of the real ones; for tests
 */
export async function migrate(
  connections: Connections,
  steps: readonly PostgresStep[] = POSTGRES_STEPS,
): Promise<void> {
  if ((await checkFormat(connections, steps)) === 'ok') return
  await connections.within(['latchkey tables'], async run => {
    // Another server may have been faster.
    const format = await formatOf(run, connections.where)
    if (format.steps < steps.length) await takeSteps(run, steps, format)
  })
}

/**
 * Whether a start would make or change tables; changes nothing itself. Rejects with StoreUnavailable as
 * `migrate` does.
 */
export async function checkFormat(
  { ask, where }: Connections,
  steps: readonly PostgresStep[] = POSTGRES_STEPS,
): Promise<'ok' | 'old'> {
  const format = await formatOf(ask, where)
  if (format.readableFrom > steps.length) {
    throw refused(where, unreadableFormat(format.readableFrom, steps.length))
  }
  return format.steps < steps.length ? 'old' : 'ok'
}

/** Reads the mark; 0 and 0 for a database without our tables. */
export async function formatOf(run: Run, where: string): Promise<DatabaseFormat> {
  const [found] = await run({ text: MARK })
  if (found?.['encoding'] !== 'UTF8') {
    throw refused(
      where,
      `its encoding is ${found?.['encoding']}: make it with ENCODING 'UTF8'`,
    )
  }
  if (found['is_marked'] !== true) return { steps: 0, readableFrom: 0 }
  const [mark] = await run({ text: 'SELECT steps, readable_from FROM latchkey.format' })
  return { steps: Number(mark?.['steps']), readableFrom: Number(mark?.['readable_from']) }
}

async function takeSteps(
  run: Run,
  steps: readonly PostgresStep[],
  { steps: taken }: DatabaseFormat,
): Promise<void> {
  if (taken === 0) {
    await run({ text: 'CREATE SCHEMA IF NOT EXISTS latchkey' })
    await run({
      text:
        'CREATE TABLE latchkey.format (id integer PRIMARY KEY CHECK (id = 1), steps integer NOT NULL, ' +
        'readable_from integer NOT NULL)',
    })
  }
  for (const step of steps.slice(taken)) {
    await run({ text: typeof step === 'string' ? step : step.breaking })
  }
  // A reader must know the steps up to the last one that is breaking, and the first ones.
  const lastBreaking = 1 + steps.findLastIndex(step => typeof step !== 'string')
  await run({
    text:
      'INSERT INTO latchkey.format (id, steps, readable_from) VALUES (1, $1, $2) ' +
      'ON CONFLICT (id) DO UPDATE SET steps = $1, readable_from = $2',
    values: [steps.length, Math.max(1, lastBreaking)],
  })
}

function refused(where: string, why: string): StoreUnavailable {
  const reason = `PostgreSQL at ${where} can't have the accounts: ${why}`
  return new StoreUnavailable(new Error(why), reason)
}
