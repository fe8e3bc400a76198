// PostgreSQL, by the driver `pg`. Each question is a transaction of its own that may only read, so that it
// also goes through a pooler between.
import type { PoolClient } from 'pg'
import { openPostgresPool, type LoadPg } from '../../../base/sql/postgres-pool.ts'
import { whereOf, type Credentials, type SqlServer } from '../../../base/sql/server.ts'
import {
  createOnce,
  createTurns,
  credentialsOf,
  NOBODY_WAITS,
  SqlFault,
  type Answer,
  type SqlSource,
  type Statement,
} from './source.ts'

/** Makes the source. It connects when it is asked. */
export function createPostgresSource(server: SqlServer, load?: LoadPg): SqlSource {
  const inTurn = createTurns(server)
  let read: Credentials | undefined
  const pools = createOnce(() =>
    openPostgresPool(server, { credentials: () => read, ...(load && { load }) }),
  )
  return {
    ask: (statement, values, signal) =>
      inTurn(async () => {
        try {
          // What was read last makes a connection: the pool makes some, too, where nobody hears of a fault.
          read = credentialsOf(server)
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
  // It came too late, and is as good as before.
  if (signal.aborted) {
    client.release()
    throw new SqlFault(NOBODY_WAITS, 'question')
  }
  let isReleased = false
  const release = (broken: boolean) => {
    if (!isReleased) client.release(broken)
    isReleased = true
  }
  // Ends the connection, and what waits for it: nobody knows when a half-open one would answer.
  const giveUp = () => release(true)
  signal.addEventListener('abort', giveUp, { once: true })
  // The question is rejected with the reason.
  client.on('error', giveUp)
  try {
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
    client.off('error', giveUp)
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
