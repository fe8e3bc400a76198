// The connections to PostgreSQL, and the two forms in which everything here touches it: one question, or a
// transaction. Nothing waits without a bound, and a server that doesn't answer is left alone for a moment.
import type { Pool, PoolClient, QueryResultRow } from 'pg'
import { monotonicClock, type Monotonic } from '../../../base/clock.ts'
import { openPostgresPool } from '../../../base/postgres-pool.ts'
import {
  readCredentials,
  whereOf,
  type Credentials,
  type SqlServer,
} from '../../../base/sql-server.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import { isAway, unavailable } from './faults.ts'

/** A row, by the names of its columns. */
export type Row = QueryResultRow

/** A statement and the values of its parameters. */
export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
}

/** Runs a statement; gives its rows. */
export type Run = (statement: Statement) => Promise<readonly Row[]>

/** The connections; each promise rejects with StoreUnavailable, and with nothing else. */
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
/** So many failures in a row, and the server is left alone but for one call in so many milliseconds. */
const FAILURES = 3
const PROBE_MS = 500
/** How long a transaction may say nothing, while the store of the sessions is asked; milliseconds. */
const SILENT_MS = 5_000

/** Takes the locks in one order, so that no two wait for each other. */
const LOCK = `SELECT pg_advisory_xact_lock(k) FROM (
  SELECT DISTINCT hashtextextended(x, 0) AS k FROM unnest($1::text[]) AS x ORDER BY k) AS locks`

/** Makes the connections; each is opened when it is needed. */
export async function openConnections(
  server: SqlServer,
  monotonic: Monotonic = monotonicClock,
): Promise<Connections> {
  let credentials: Credentials | undefined
  const pool = await openPostgresPool(server, {
    credentials: () => credentials,
    more: { query_timeout: server.timeout },
  })
  const where = whereOf(server)
  const health = createHealth(monotonic)

  async function using<Result>(
    work: (client: PoolClient) => Promise<Result>,
  ): Promise<Result> {
    if (pool.waitingCount >= WAITING) {
      throw new StoreUnavailable(
        new Error('too many wait'),
        `too many calls wait for PostgreSQL at ${where} (store.accounts.connections)`,
      )
    }
    health.refuse()
    try {
      // Here, and not where the pool makes a connection: nobody hears of a fault there.
      if (pool.idleCount === 0) credentials = readCredentials(server)
      const result = await onClient(pool, work)
      health.note()
      return result
    } catch (error) {
      const fault = unavailable(error, where)
      if (isAway(error)) health.note(fault)
      throw fault
    }
  }

  return {
    where,
    ask: statement => using(client => runOn(client)(statement)),
    within: (texts, work) =>
      using(async client => {
        const run = runOn(client)
        await run({
          text:
            `BEGIN; SET LOCAL lock_timeout = ${Math.ceil(server.timeout / 2)}; ` +
            `SET LOCAL idle_in_transaction_session_timeout = ${SILENT_MS}`,
        })
        await run({ text: LOCK, values: [texts] })
        const result = await work(run)
        await run({ text: 'COMMIT' })
        return result
      }),
    close: () => pool.end(),
  }
}

/** What failed leaves no connection behind: the server gives the transaction up with it. */
async function onClient<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect()
  // What it is about is told by the call.
  client.on('error', ignore)
  let isWhole = false
  try {
    const result = await work(client)
    isWhole = true
    return result
  } finally {
    client.off('error', ignore)
    client.release(!isWhole)
  }
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

/** Whether the server is left alone. */
function createHealth(monotonic: Monotonic) {
  let last: StoreUnavailable | undefined
  let [failures, probedAt] = [0, 0]
  return {
    /** Throws the last fault while it is left alone. */
    refuse() {
      if (last === undefined || failures < FAILURES) return
      if (monotonic() - probedAt < PROBE_MS) throw last
      probedAt = monotonic()
    },
    /** Notes a failure, or an answer. */
    note(fault?: StoreUnavailable) {
      failures = fault === undefined ? 0 : failures + 1
      last = fault
      probedAt = monotonic()
    },
  }
}
