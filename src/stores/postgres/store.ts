// Accounts in PostgreSQL, sessions in another store: what the domain needs of a store, given by both. A
// session is still judged with its subject in one step of the other store; names, passwords and all that is
// known of a person are PostgreSQL's.
import type { SqlServer } from '../../base/sql/server.ts'
import type { AccountsWatch } from '../ports/health.ts'
import type { MoveAccounts } from '../ports/people/move.ts'
import type { Store } from '../ports/store.ts'
import { openConnections, type Connections } from './database/connections.ts'
import { checkFormat, migrate } from './database/migrations.ts'
import { createBoth } from './moving/both.ts'
import { createGate, type Gate } from './moving/gate.ts'
import { createMove } from './moving/move.ts'
import { pairUp } from './moving/pair.ts'
import { createPostgresDirectory } from './people/directory.ts'
import { createSettlement } from './people/settle.ts'
import { createPostgresSubjects } from './people/subjects.ts'
import { createPostgresTickets } from './people/tickets.ts'

/** A store whose accounts are in PostgreSQL, or will be. */
export interface PostgresStore {
  readonly store: Store
  readonly move: MoveAccounts
}

/**
 * Opens the database and puts its accounts in the place of those of a store, which goes on to have the
 * sessions. Makes the tables where they aren't there. A store that has accounts keeps them until they are
 * moved. Rejects with StoreUnavailable, also where the database belongs to another store.
 */
export async function withPostgres(
  store: Store,
  server: SqlServer,
  watch?: AccountsWatch,
): Promise<PostgresStore> {
  const connections = await openConnections(server, { watch })
  const gate = createGate(connections)
  try {
    await migrate(connections)
    await pairUp({ connections, sessions: store })
  } catch (error) {
    await connections.close()
    throw error
  }
  return storeOf(connections, store, gate)
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

function storeOf(connections: Connections, sessions: Store, gate: Gate): PostgresStore {
  const settlement = createSettlement(connections, sessions)
  const parts = { connections, sessions, settlement }
  const directory = createPostgresDirectory(parts)
  const here = {
    directory,
    subjects: createPostgresSubjects(parts, directory),
    tickets: createPostgresTickets(parts),
  }
  let closing: Promise<void> | undefined
  const store = {
    ...sessions,
    ...createBoth(gate, sessions, here),
    async close() {
      closing ??= connections.close()
      await closing
      await sessions.close()
    },
  }
  return { store, move: createMove({ ...parts, gate }) }
}
