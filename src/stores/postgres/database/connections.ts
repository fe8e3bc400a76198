// The connections to PostgreSQL, and the two forms in which everything here touches it: one question, or a
// transaction. Nothing waits without a bound, and a server that doesn't answer is left alone for a moment.
import type { PoolClient, QueryResultRow } from 'pg'
import { monotonicClock, type Monotonic } from '../../../base/clock.ts'
import { whereOf, type SqlServer } from '../../../base/sql/server.ts'
import type { AccountsCall, AccountsWatch } from '../../ports/health.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import { createBreaker } from './breaker.ts'
import { isAway, isOfProgram, unavailable } from './faults.ts'
import { openAccountsPool } from './pool.ts'

/** A row, by the names of its columns. */
export type Row = QueryResultRow

/** A statement and the values of its parameters. */
export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
}

/** Runs a statement; gives its rows. */
export type Run = (statement: Statement) => Promise<readonly Row[]>

/** The connections; each promise rejects with StoreUnavailable, or with a mistake in this program. */
export interface Connections {
  /** Where the server is, for messages. */
  readonly where: string
  /** One statement, on its own. */
  readonly ask: Run
  /**
   * A transaction: all of it or nothing. Others that name one of the same texts wait for its end. When this
   * process dies, or is silent for long, the server gives it up.
   */
  within<Result>(
    texts: readonly string[],
    work: (run: Run) => Promise<Result>,
  ): Promise<Result>
  close(): Promise<void>
}

/** What the connections may be watched with. */
export interface ConnectionsOptions {
  /** Told of every call, and when the server stops to answer. */
  readonly watch?: AccountsWatch | undefined
  readonly monotonic?: Monotonic
}

/** So many calls may wait for a connection. */
const WAITING = 256
/** How long a transaction may say nothing, while the store of the sessions is asked; milliseconds. */
const SILENT_MS = 5_000

/** Takes the locks in one order, so that no two wait for each other. */
const LOCK = `SELECT pg_advisory_xact_lock(k) FROM (
  SELECT DISTINCT hashtextextended(x, 0) AS k FROM unnest($1::text[]) AS x ORDER BY k) AS locks`

/** Makes the connections; each is opened when it is needed. */
export async function openConnections(
  server: SqlServer,
  { watch, monotonic = monotonicClock }: ConnectionsOptions = {},
): Promise<Connections> {
  const pool = await openAccountsPool(server, monotonic)
  const where = whereOf(server)
  const breaker = createBreaker(
    () =>
      pool
        .use(client => client.query('SELECT 1'))
        .then(
          () => undefined,
          error => unavailable(error, where),
        ),
    { changed: watch?.changed },
  )

  function refuse(): void {
    if (pool.waiting() >= WAITING) {
      throw new StoreUnavailable(
        new Error('too many wait'),
        `too many calls wait for PostgreSQL at ${where} (store.accounts.connections)`,
      )
    }
    breaker.refuse()
  }

  /** Tells the breaker; throws what the caller is to know. */
  function fail(error: unknown): never {
    if (isOfProgram(error)) throw error
    const fault = unavailable(error, where)
    if (isAway(error)) breaker.failed(fault)
    throw fault
  }

  async function using<Result>(
    call: AccountsCall['call'],
    work: (client: PoolClient) => Promise<Result>,
  ): Promise<Result> {
    const startedAt = monotonic()
    const tell = (outcome: AccountsCall['outcome']) =>
      watch?.called({ call, outcome, ms: monotonic() - startedAt })
    try {
      refuse()
    } catch (error) {
      tell('refused')
      throw error
    }
    try {
      const result = await pool.use(work)
      breaker.answered()
      tell('ok')
      return result
    } catch (error) {
      // The store of the sessions failed, and PostgreSQL did what was asked of it.
      tell(error instanceof StoreUnavailable ? 'ok' : 'failed')
      return fail(error)
    }
  }

  return {
    where,
    ask: statement => using('statement', client => runOn(client)(statement)),
    within: (texts, work) =>
      using('transaction', async client => {
        const run = runOn(client)
        await run({ text: beginOf(server) })
        await run({ text: LOCK, values: [texts] })
        const result = await work(run)
        await run({ text: 'COMMIT' })
        return result
      }),
    close() {
      breaker.stop()
      return pool.end()
    },
  }
}

/** PostgreSQL ends a statement before the driver stops waiting for it: none goes on unheard. */
function beginOf({ timeout }: SqlServer): string {
  return (
    `BEGIN; SET LOCAL lock_timeout = ${Math.ceil(timeout / 2)}; ` +
    `SET LOCAL statement_timeout = ${Math.ceil(timeout * 0.9)}; ` +
    `SET LOCAL idle_in_transaction_session_timeout = ${SILENT_MS}`
  )
}

function runOn(client: PoolClient): Run {
  return async ({ text, values = [] }) => {
    const { rows } =
      values.length === 0
        ? await client.query(text)
        : await client.query(text, [...values])
    return rows
  }
}
