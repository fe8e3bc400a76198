// The connections to PostgreSQL, and the two forms in which everything here touches it: one question, or a
// transaction. Nothing waits without a bound, and a server that doesn't answer is left alone for a moment.
import type { Pool, PoolClient, QueryResultRow } from 'pg'
import { openPostgresPool } from '../../../base/postgres-pool.ts'
import {
  readCredentials,
  whereOf,
  type Credentials,
  type SqlServer,
} from '../../../base/sql-server.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import { createBreaker } from './breaker.ts'
import { isAway, isOfProgram, mayLeaveConnection, unavailable } from './faults.ts'

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

/** So many calls may wait for a connection. */
const WAITING = 256
/** How long a transaction may say nothing, while the store of the sessions is asked; milliseconds. */
const SILENT_MS = 5_000

/** Takes the locks in one order, so that no two wait for each other. */
const LOCK = `SELECT pg_advisory_xact_lock(k) FROM (
  SELECT DISTINCT hashtextextended(x, 0) AS k FROM unnest($1::text[]) AS x ORDER BY k) AS locks`

/** Makes the connections; each is opened when it is needed. */
export async function openConnections(server: SqlServer): Promise<Connections> {
  let credentials: Credentials | undefined
  const pool = await openPostgresPool(server, {
    credentials: () => credentials,
    more: { query_timeout: server.timeout },
  })
  const where = whereOf(server)

  async function onOne<Result>(
    work: (client: PoolClient) => Promise<Result>,
  ): Promise<Result> {
    // The pool makes a connection for this call. What it throws there, no call hears of.
    const { idleCount, totalCount } = pool
    if (idleCount === 0 && totalCount < server.connections) {
      credentials = readCredentials(server)
    }
    return onClient(pool, work)
  }

  const breaker = createBreaker(() =>
    onOne(client => client.query('SELECT 1')).then(
      () => undefined,
      error => unavailable(error, where),
    ),
  )

  async function using<Result>(
    work: (client: PoolClient) => Promise<Result>,
  ): Promise<Result> {
    if (pool.waitingCount >= WAITING) {
      throw new StoreUnavailable(
        new Error('too many wait'),
        `too many calls wait for PostgreSQL at ${where} (store.accounts.connections)`,
      )
    }
    breaker.refuse()
    try {
      const result = await onOne(work)
      breaker.answered()
      return result
    } catch (error) {
      if (isOfProgram(error)) throw error
      const fault = unavailable(error, where)
      if (isAway(error)) breaker.failed(fault)
      throw fault
    }
  }

  return {
    where,
    ask: statement => using(client => runOn(client)(statement)),
    within: (texts, work) =>
      using(async client => {
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

/** A connection whose work failed is kept only after a ROLLBACK. */
async function onClient<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect()
  // The call that runs on it rejects with the same fault.
  client.on('error', ignore)
  const done = work(client)
  const isWhole = await done.then(
    () => true,
    error => mayLeaveConnection(error) && isRolledBack(client),
  )
  client.off('error', ignore)
  client.release(!isWhole)
  return done
}

/** Also where no transaction was open: PostgreSQL then only warns. */
async function isRolledBack(client: PoolClient): Promise<boolean> {
  const [{ status }] = await Promise.allSettled([client.query('ROLLBACK')])
  return status === 'fulfilled'
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

function ignore(): void {}
