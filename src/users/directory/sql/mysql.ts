// MariaDB and MySQL, by the driver `mysql2`. A connection is set up to read only, and to give up a statement
// in time.
import type { Pool, PoolConnection, RowDataPacket } from 'mysql2/promise'
import { whereOf, type SqlServer } from '../../../base/sql/server.ts'
import {
  createOnce,
  createTurns,
  credentialsOf,
  NOBODY_WAITS,
  SqlFault,
  unlessAborted,
  type Answer,
  type SqlSource,
  type Statement,
} from './source.ts'

/** Gives the driver. */
type LoadDriver = () => Promise<Pick<typeof import('mysql2/promise'), 'createPool'>>

/** How long an idle connection is kept; milliseconds. */
const IDLE_MS = 60_000

/** Makes the source. It connects when it is asked. */
export function createMysqlSource(
  server: SqlServer,
  load: LoadDriver = () => import('mysql2/promise'),
): SqlSource {
  const inTurn = createTurns(server)
  const pools = createOnce(() => openPool(server, load))
  // Those that were set up.
  const known = new WeakSet<object>()

  async function connect(signal: AbortSignal): Promise<PoolConnection> {
    const opened = pools.get()
    const pool = await opened
    try {
      return await connectionOf(pool, signal)
    } catch (error) {
      // What the files say may be something else by now: the next question reads them anew.
      const isStale = STALE.has(Object(error).code)
      if (isStale && pools.letGo(opened) !== undefined) pool.end().then(ignore, ignore)
      throw error
    }
  }

  return {
    ask: (statement, values, signal) =>
      inTurn(async () => {
        try {
          const connection = await unlessAborted(signal, connect(signal))
          return await askOne(connection, { statement, values, signal, known, server })
        } catch (error) {
          throw faultOf(error, whereOf(server))
        }
      }),
    async close() {
      await pools.letGo()?.then(each => each.end())
    },
  }
}

function ignore(): void {}

/** A connection; one that comes too late goes back. */
async function connectionOf(pool: Pool, signal: AbortSignal): Promise<PoolConnection> {
  const connection = await pool.getConnection()
  if (!signal.aborted) return connection
  connection.release()
  throw new SqlFault(NOBODY_WAITS, 'question')
}

async function openPool(server: SqlServer, load: LoadDriver): Promise<Pool> {
  // Loaded by those alone who need it.
  const { createPool } = await load()
  const { tls, ...where } = credentialsOf(server)
  return createPool({
    ...where,
    ...(tls !== undefined && { ssl: { ...tls, verifyIdentity: true } }),
    connectionLimit: server.connections,
    // Fewer than there may be: otherwise the driver never closes an idle one.
    maxIdle: server.connections - 1,
    idleTimeout: IDLE_MS,
    connectTimeout: server.timeout,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    supportBigNumbers: true,
    bigNumberStrings: true,
    charset: 'utf8mb4',
  })
}

interface Question {
  readonly statement: Statement
  readonly values: readonly string[]
  readonly signal: AbortSignal
  readonly known: WeakSet<object>
  readonly server: SqlServer
}

async function askOne(
  connection: PoolConnection,
  { statement: { text, order }, values, signal, known, server }: Question,
): Promise<Answer> {
  const ask = async () => {
    if (!known.has(connection.connection)) {
      await setUp(connection, server)
      known.add(connection.connection)
    }
    const ordered = order.map(value => values[value] ?? '')
    return connection.execute<RowDataPacket[]>(text, ordered)
  }
  let isUsable = false
  try {
    const [rows, fields] = await unlessAborted(signal, ask())
    isUsable = true
    return { columns: fields.map(({ name }) => name), rows }
  } finally {
    if (isUsable) connection.release()
    else endNow(connection)
  }
}

/** Ends a connection: nobody knows when a half-open one would answer, nor when it would take its end. */
function endNow(connection: PoolConnection): void {
  connection.destroy()
  Object(connection.connection).stream.destroy()
}

/** Lets a connection only read, and give up a statement in time. */
async function setUp(connection: PoolConnection, { timeout }: SqlServer): Promise<void> {
  await connection.query('SET SESSION TRANSACTION READ ONLY')
  const [versions] = await connection.query('SELECT VERSION()')
  await connection.query(
    /mariadb/i.test(JSON.stringify(versions))
      ? `SET SESSION max_statement_time = ${timeout / 1000}`
      : `SET SESSION max_execution_time = ${timeout}`,
  )
}

const REFUSED = 'ER_ACCESS_DENIED_ERROR'

/** The password of a file is another one now, or the server's certificate is by another authority. */
const STALE = new Set([REFUSED, 'HANDSHAKE_SSL_ERROR'])

const WORDS = new Map([
  [REFUSED, 'user or password refused'],
  ['HANDSHAKE_SSL_ERROR', 'its certificate is not one for this name (caFile)'],
  ['ER_DBACCESS_DENIED_ERROR', 'this user may not use the database'],
  ['ER_BAD_DB_ERROR', 'it has no such database'],
  ['ER_TABLEACCESS_DENIED_ERROR', 'this user may not read the table: GRANT SELECT'],
  ['ER_COLUMNACCESS_DENIED_ERROR', 'this user may not read a column: GRANT SELECT'],
  ['ER_CON_COUNT_ERROR', 'it has no connection left'],
  ['ER_STATEMENT_TIMEOUT', 'the statement took longer than timeout'],
  ['ER_QUERY_TIMEOUT', 'the statement took longer than timeout'],
  ['ER_SERVER_SHUTDOWN', 'it is being shut down'],
])

/** Their messages speak of the statement, which has no values in it. */
const OF_STATEMENT = new Set([
  'ER_BAD_FIELD_ERROR',
  'ER_DUP_FIELDNAME',
  'ER_NO_SUCH_TABLE',
  'ER_PARSE_ERROR',
])

/** A value that a column can't be compared with, by its character set, its length or its type. */
const OF_VALUE = new Set([1267, 1270, 1271, 1292, 1300, 1366, 1406, 3854, 3988])

function faultOf(error: unknown, where: string): SqlFault {
  if (error instanceof SqlFault) return error
  const { code, errno, message } = Object(error)
  if (OF_VALUE.has(errno)) {
    return new SqlFault(
      `the database at ${where} can't take this name (${code})`,
      'question',
    )
  }
  const words = WORDS.get(code) ?? (OF_STATEMENT.has(code) ? String(message) : undefined)
  const detail = [code ?? Object(error).name, ...(words === undefined ? [] : [words])]
  return new SqlFault(`the database at ${where} gives no answer (${detail.join(': ')})`)
}
