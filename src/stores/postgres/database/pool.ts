// The connections that calls are made on: those alone whose server took writes a moment ago, and that no
// fault has cast doubt on since. After a failover the others lead to a server that is gone, or only reads.
import type { PoolClient, QueryResultRow } from 'pg'
import type { Monotonic } from '../../../base/clock.ts'
import { openPostgresPool } from '../../../base/sql/postgres-pool.ts'
import {
  readCredentials,
  type Credentials,
  type SqlServer,
} from '../../../base/sql/server.ts'
import { isAway } from './faults.ts'

/** The pool. */
export interface AccountsPool {
  /** Does the work on a connection. Rejects with whatever fails. */
  use<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result>
  /** How many calls wait for a connection. */
  waiting(): number
  end(): Promise<void>
}

/**
 * How long a connection is taken for one that takes writes, in milliseconds: a server may be made to read
 * only, and a proxy may lead to another one, while it stays.
 */
const JUDGED_FOR_MS = 10_000

/** Makes the pool; each connection is opened when it is needed. */
export async function openAccountsPool(
  server: SqlServer,
  monotonic: Monotonic,
): Promise<AccountsPool> {
  let credentials: Credentials | undefined
  /** When each was judged last. */
  let trusted = new WeakMap<PoolClient, number>()
  const pool = await openPostgresPool(server, {
    credentials: () => credentials,
    more: { query_timeout: server.timeout },
    verify(client, done) {
      judge(client).then(
        () => done(),
        (error: Error) => done(error),
      )
    },
  })

  async function judge(client: PoolClient): Promise<void> {
    await heard(client, refuseReader)
    trusted.set(client, monotonic())
  }

  async function connect(): Promise<PoolClient> {
    // The pool makes a connection for this call. What it throws there, no call hears of.
    const { idleCount, totalCount } = pool
    if (idleCount === 0 && totalCount < server.connections) {
      credentials = readCredentials(server)
    }
    const client = await pool.connect()
    const judgedAt = trusted.get(client)
    if (judgedAt === undefined) {
      client.release(true)
      return connect()
    }
    if (monotonic() - judgedAt < JUDGED_FOR_MS) return client
    const [judged] = await Promise.allSettled([judge(client)])
    if (judged.status === 'fulfilled') return client
    trusted = new WeakMap()
    client.release(true)
    throw judged.reason
  }

  /** Whether the connection may be used again: the server is there, and no transaction is open. */
  async function isWhole(client: PoolClient, error: unknown): Promise<boolean> {
    if (!isAway(error)) return isRolledBack(client)
    trusted = new WeakMap()
    return false
  }

  return {
    async use(work) {
      const client = await connect()
      const judgedAt = Number(trusted.get(client))
      return heard(client, async () => {
        const done = work(client)
        const isGood = await done.then(
          () => true,
          (error: unknown) => isWhole(client, error),
        )
        // It has answered just now, whatever others have met meanwhile.
        if (isGood) trusted.set(client, judgedAt)
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
