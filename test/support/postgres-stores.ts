// Accounts in PostgreSQL and sessions in either store, for the suites that run on each of them.
import type { SqlServer } from '../../src/base/sql/server.ts'
import { withPostgres } from '../../src/stores/postgres/store.ts'
import { startPglite } from './pglite.ts'
import { startRedis } from './redis.ts'
import { createRedis, createSqlite, type STORES, type TestStore } from './stores.ts'

/** Names a PostgreSQL in which the suites may do what they like. */
export const SERVER_VARIABLE = 'LATCHKEY_TEST_POSTGRES'

/** Sessions in each store; accounts in the server that the variable names, or in one of this process. */
const POSTGRES_STORES: typeof STORES = [
  { name: 'PostgreSQL beside SQLite', create: () => createPostgres(createSqlite) },
  {
    name: 'PostgreSQL beside Redis',
    create: () => createPostgres(() => createRedis(() => startRedis())),
  },
]

/** The stores of a suite, and accounts in PostgreSQL; these alone where the variable names a server. */
export function andPostgres(others: typeof STORES): typeof STORES {
  return process.env[SERVER_VARIABLE] === undefined
    ? [...others, ...POSTGRES_STORES]
    : POSTGRES_STORES
}

async function createPostgres(
  createSessions: () => Promise<TestStore>,
): Promise<TestStore> {
  const sessions = await createSessions()
  const database = await openTestDatabase()
  const { store } = await withPostgres(sessions.store, database.server)
  return {
    ...sessions,
    store,
    async fail() {
      await database.stop()
      await sessions.fail()
    },
    async stop() {
      await store.close()
      await database.stop()
      await sessions.stop()
    },
  }
}

/** A database without accounts. */
async function openTestDatabase(): Promise<{
  readonly server: SqlServer
  readonly stop: () => Promise<void>
}> {
  const url = process.env[SERVER_VARIABLE]
  if (url === undefined) return startPglite()
  const { default: pg } = await import('pg')
  const client = new pg.Client(url)
  await client.connect()
  await client.query('DROP SCHEMA IF EXISTS latchkey CASCADE')
  await client.end()
  const server = { url, plaintext: false, connections: 8, timeout: 20_000 }
  return { server, stop: async () => {} }
}
