// A pool of connections to PostgreSQL, by the driver `pg`, which is loaded by those alone who need it. What a
// connection is made with is given from outside: nobody hears of a fault where the pool makes one.
import type { ClientConfig, Pool, PoolConfig } from 'pg'
import type { Credentials, SqlServer } from './server.ts'

/** Gives the driver. */
export type LoadPg = () => Promise<Pick<typeof import('pg'), 'default'>>

/** What a pool is made of. */
export interface PostgresPoolOptions {
  /** What was read last; undefined: nothing yet, and no connection is made. */
  readonly credentials: () => Credentials | undefined
  /** More of the driver's own options of a connection. */
  readonly more?: Pick<ClientConfig, 'query_timeout'>
  /** Judges a new connection, before it is given to anybody. */
  readonly verify?: PoolConfig['verify']
  readonly load?: LoadPg
}

/** How long an idle connection is kept; milliseconds. */
const IDLE_MS = 60_000

/** Opens the pool. It connects when it is asked, and waits for `timeout` of the server at the most. */
export async function openPostgresPool(
  server: SqlServer,
  { credentials, more, verify, load = () => import('pg') }: PostgresPoolOptions,
): Promise<Pool> {
  const { Pool: PgPool, Client } = (await load()).default
  class RereadingClient extends Client {
    constructor() {
      const { tls, ...where } = { tls: undefined, ...credentials() }
      super({
        ...where,
        ...more,
        ssl: tls ?? false,
        application_name: 'latchkey',
        keepAlive: true,
        connectionTimeoutMillis: server.timeout,
      })
    }
  }
  const pool = new PgPool({
    Client: RereadingClient,
    max: server.connections,
    idleTimeoutMillis: IDLE_MS,
    connectionTimeoutMillis: server.timeout,
    allowExitOnIdle: true,
    verify,
  })
  // An idle connection that ends; the next question tells of it.
  pool.on('error', ignore)
  return pool
}

function ignore(): void {}
