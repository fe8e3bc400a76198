// Accounts in PostgreSQL, sessions in another store: what the domain needs of a store, given by both. A
// session is still judged with its subject in one step of the other store; names, passwords and all that is
// known of a person are PostgreSQL's.
import type { SqlServer } from '../../base/sql-server.ts'
import type { Store } from '../ports/store.ts'
import { openConnections, type Connections } from './database/connections.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { checkFormat, migrate } from './database/migrations.ts'
import { createPostgresDirectory } from './people/directory.ts'
import { createSettlement, isSubjectAlone } from './people/settle.ts'
import { createPostgresSubjects } from './people/subjects.ts'
import { createPostgresTickets } from './people/tickets.ts'

/**
 * Opens the database and puts its accounts in the place of those of a store, which goes on to have the
 * sessions. Makes the tables where they aren't there. Rejects with StoreUnavailable.
 */
export async function withPostgres(store: Store, server: SqlServer): Promise<Store> {
  const connections = await openConnections(server)
  try {
    await migrate(connections)
    await refuseOwnAccounts(store)
  } catch (error) {
    await connections.close()
    throw error
  }
  return storeOf(connections, store)
}

/**
 * Looks whether a start could use the database, and makes nothing there. Rejects with StoreUnavailable.
 */
export async function checkPostgres(server: SqlServer): Promise<void> {
  const connections = await openConnections(server)
  try {
    await checkFormat(connections)
  } finally {
    await connections.close()
  }
}

/** Nobody would find them any more. They are older than any subject of an account in PostgreSQL. */
async function refuseOwnAccounts({ directory }: Pick<Store, 'directory'>): Promise<void> {
  const [first] = await directory.page({ limit: 1 })
  if (first === undefined || isSubjectAlone(first)) return
  const reason =
    'store.accounts names a PostgreSQL, and store.url has accounts of its own: nobody of them could log in ' +
    'any more. Take store.accounts away, or name a store without accounts'
  throw new StoreUnavailable(new Error(reason), reason)
}

function storeOf(connections: Connections, sessions: Store): Store {
  const settlement = createSettlement(connections, sessions)
  const parts = { connections, sessions, settlement }
  const directory = createPostgresDirectory(parts)
  let closing: Promise<void> | undefined
  return {
    ...sessions,
    directory,
    subjects: createPostgresSubjects(parts, directory),
    tickets: createPostgresTickets(parts),
    async close() {
      closing ??= connections.close()
      await closing
      await sessions.close()
    },
  }
}
