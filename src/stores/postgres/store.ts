// Accounts in PostgreSQL, sessions in another store: what the domain needs of a store, given by both. A
// session is still judged with its subject in one step of the other store; names, passwords and all that is
// known of a person are PostgreSQL's.
import type { SqlServer } from '../../base/sql-server.ts'
import type { MoveAccounts } from '../ports/people/move.ts'
import type { Store } from '../ports/store.ts'
import { openConnections, type Connections } from './database/connections.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { checkFormat, migrate } from './database/migrations.ts'
import { createBoth } from './moving/both.ts'
import { createGate, MOVING, type Gate } from './moving/gate.ts'
import { createMove } from './moving/move.ts'
import { createPostgresDirectory } from './people/directory.ts'
import { createSettlement, isSubjectAlone } from './people/settle.ts'
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
 * moved. Rejects with StoreUnavailable.
 */
export async function withPostgres(
  store: Store,
  server: SqlServer,
): Promise<PostgresStore> {
  const connections = await openConnections(server)
  const gate = createGate(connections)
  try {
    await migrate(connections)
    await ((await gate.isMoved())
      ? refuseOwnAccounts(connections, store)
      : beginWithNobody(connections, store))
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

/** Where the store has no accounts, there are none to be moved. */
async function beginWithNobody(
  { within }: Connections,
  { directory }: Pick<Store, 'directory'>,
): Promise<void> {
  const [own] = await directory.page({ limit: 1 })
  if (own !== undefined && !isSubjectAlone(own)) return
  await within([MOVING], run => run({ text: 'UPDATE latchkey.format SET moved = true' }))
}

/** Accounts that were added where nobody looks for them any more. */
async function refuseOwnAccounts(
  { ask }: Connections,
  { directory }: Pick<Store, 'directory'>,
): Promise<void> {
  const [first] = await directory.page({ limit: 1 })
  if (first === undefined || isSubjectAlone(first)) return
  const values = [first.tag]
  const text = 'SELECT FROM latchkey.accounts WHERE tag = $1'
  // A move that has ended has still to tell the store.
  if ((await ask({ text, values })).length > 0) return
  const reason =
    'store.url has accounts that the PostgreSQL of store.accounts does not know, where all others have ' +
    'been moved: nobody of them could log in. Name the store that belongs to it, or one without accounts'
  throw new StoreUnavailable(new Error(reason), reason)
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
