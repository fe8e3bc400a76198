// The connections that calls are made on: those alone whose server took writes when they were made, and that
// no fault has cast doubt on since. After a failover the others lead to a server that is gone, or only reads.
import type { PoolClient, QueryResultRow } from 'pg'
import { openPostgresPool } from '../../../base/postgres-pool.ts'
import {
  readCredentials,
  type Credentials,
  type SqlServer,
} from '../../../base/sql-server.ts'
import { isAway } from './faults.ts'

/** The pool. */
export interface AccountsPool {
  /** Does the work on a connection. Rejects with whatever fails. */
  use<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result>
  /** How many calls wait for a connection. */
  waiting(): number
  end(): Promise<void>
}

/** Makes the pool; each connection is opened when it is needed. */
export async function openAccountsPool(server: SqlServer): Promise<AccountsPool> {
  let credentials: Credentials | undefined
  let trusted = new WeakSet<PoolClient>()
  const pool = await openPostgresPool(server, {
    credentials: () => credentials,
    more: { query_timeout: server.timeout },
    verify(client, done) {
      heard(client, refuseReader).then(
        () => {
          trusted.add(client)
          done()
        },
        (error: Error) => done(error),
      )
    },
  })

  async function connect(): Promise<PoolClient> {
    // The pool makes a connection for this call. What it throws there, no call hears of.
    const { idleCount, totalCount } = pool
    if (idleCount === 0 && totalCount < server.connections) {
      credentials = readCredentials(server)
    }
    const client = await pool.connect()
    if (trusted.has(client)) return client
    client.release(true)
    return connect()
  }

  /** Whether the connection may be used again: the server is there, and no transaction is open. */
  async function isWhole(client: PoolClient, error: unknown): Promise<boolean> {
    if (!isAway(error)) return isRolledBack(client)
    trusted = new WeakSet()
    return false
  }

  return {
    async use(work) {
      const client = await connect()
      return heard(client, async () => {
        const done = work(client)
        const isGood = await done.then(
          () => true,
          (error: unknown) => isWhole(client, error),
        )
        // It has answered just now, whatever others have met meanwhile.
        if (isGood) trusted.add(client)
        client.release(!isGood)
        return done
      })
    },
    waiting: () => pool.waitingCount,
    end: () => pool.end(),
  }
}

/** What a connection suffers meanwhile: the work on it rejects with the same fault. */
async function heard<Result>(
  client: PoolClient,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  client.on('error', ignore)
  try {
    return await work(client)
  } finally {
    client.off('error', ignore)
  }
}

/** Refuses a standby, and a server that is being switched over: what is read there may be old. */
async function refuseReader(client: PoolClient): Promise<void> {
  const { rows } = await client.query<QueryResultRow>('SHOW transaction_read_only')
  if (rows[0]?.['transaction_read_only'] !== 'off') throw new ReadsOnly()
}

/** As PostgreSQL would say it of the first write. */
class ReadsOnly extends Error {
  override readonly name = 'ReadsOnly'
  readonly code = '25006'
}

/** Also where no transaction was open: PostgreSQL then only warns. */
async function isRolledBack(client: PoolClient): Promise<boolean> {
  const [{ status }] = await Promise.allSettled([client.query('ROLLBACK')])
  return status === 'fulfilled'
}

function ignore(): void {}
