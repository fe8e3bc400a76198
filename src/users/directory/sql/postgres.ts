// PostgreSQL, by the driver `pg`. Each question is a transaction of its own that may only read, so that it
// also goes through a pooler between.
import type { Pool, PoolClient } from 'pg'
import { whereOf, type Credentials, type SqlServer } from '../../../base/sql-server.ts'
import {
  createOnce,
  createTurns,
  credentialsOf,
  SqlFault,
  type Answer,
  type SqlSource,
  type Statement,
} from './source.ts'

/** Gives the driver. */
type LoadDriver = () => Promise<Pick<typeof import('pg'), 'default'>>

/** How long an idle connection is kept; milliseconds. */
const IDLE_MS = 60_000

/** Makes the source. It connects when it is asked. */
export function createPostgresSource(
  server: SqlServer,
  load: LoadDriver = () => import('pg'),
): SqlSource {
  const inTurn = createTurns(server)
  let options: ConnectionOptions | undefined
  const pools = createOnce(() => openPool(server, { load, now: () => options }))
  return {
    ask: (statement, values, signal) =>
      inTurn(async () => {
        try {
          // What was read last makes a connection: the pool makes some, too, where nobody hears of a fault.
          options = optionsOf(credentialsOf(server))
          const pool = await pools.get()
          signal.throwIfAborted()
          return await askOne(await pool.connect(), { statement, values, signal, server })
        } catch (error) {
          throw faultOf(error, whereOf(server))
        }
      }),
    async close() {
      await pools.letGo()?.then(each => each.end())
    },
  }
}

interface Opening {
  readonly load: LoadDriver
  readonly now: () => ConnectionOptions | undefined
}

async function openPool(server: SqlServer, { load, now }: Opening): Promise<Pool> {
  // Loaded by those alone who need it.
  const { Pool: PgPool, Client } = (await load()).default
  class RereadingClient extends Client {
    constructor() {
      super({ ...now(), connectionTimeoutMillis: server.timeout })
    }
  }
  const pool = new PgPool({
    Client: RereadingClient,
    max: server.connections,
    idleTimeoutMillis: IDLE_MS,
    connectionTimeoutMillis: server.timeout,
    allowExitOnIdle: true,
  })
  // An idle connection that ends; the next question tells of it.
  pool.on('error', ignore)
  return pool
}

function ignore(): void {}

type ConnectionOptions = ReturnType<typeof optionsOf>

function optionsOf({ tls, ...where }: Credentials) {
  return {
    ...where,
    application_name: 'latchkey',
    keepAlive: true,
    ssl: tls ?? false,
  }
}

interface Question {
  readonly statement: Statement
  readonly values: readonly string[]
  readonly signal: AbortSignal
  readonly server: SqlServer
}

async function askOne(
  client: PoolClient,
  { statement: { text, order }, values, signal, server }: Question,
): Promise<Answer> {
  let isReleased = false
  const release = (broken: boolean) => {
    if (!isReleased) client.release(broken)
    isReleased = true
  }
  // Ends the connection, and what waits for it: nobody knows when a half-open one would answer.
  const giveUp = () => release(true)
  signal.addEventListener('abort', giveUp, { once: true })
  // What it is about is told by the question.
  client.on('error', ignore)
  try {
    signal.throwIfAborted()
    await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${server.timeout}`)
    const { fields, rows } = await client.query(
      text,
      order.map(value => values[value]),
    )
    await client.query('ROLLBACK')
    release(false)
    return { columns: fields.map(({ name }) => name), rows }
  } finally {
    signal.removeEventListener('abort', giveUp)
    release(true)
    client.off('error', ignore)
  }
}

/** What an operator is told of a class or a code of PostgreSQL's (its appendix A). */
const WORDS = new Map([
  ['28P01', 'user or password refused'],
  ['28000', 'it lets this user not in from here (pg_hba.conf)'],
  ['3D000', 'it has no such database'],
  ['42501', 'this user may not read the table: GRANT SELECT'],
  ['53300', 'it has no connection left'],
  ['57014', 'the statement took longer than timeout'],
  ['57P01', 'it is being shut down'],
  ['57P03', 'it is starting or stopping'],
])

function faultOf(error: unknown, where: string): SqlFault {
  if (error instanceof SqlFault) return error
  const { code, message } = Object(error)
  const state = String(code ?? '')
  // A value that a column can't be compared with. The message would have the name in it.
  if (/^22/.test(state)) {
    return new SqlFault(
      `PostgreSQL at ${where} can't take this name (${state})`,
      'question',
    )
  }
  const words = WORDS.get(state) ?? (/^42/.test(state) ? String(message) : undefined)
  const detail = words === undefined ? String(code ?? message) : `${state}: ${words}`
  return new SqlFault(`PostgreSQL at ${where} gives no answer (${detail})`)
}
