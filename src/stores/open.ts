// Picks the store by its URL. Each adapter is imported only when it is asked for: who uses SQLite never loads
// a Redis driver.
import type { Clock } from '../base/clock.ts'
import type { SqlServer } from '../base/sql/server.ts'
import type { AddressCounts } from './ports/address-counts.ts'
import type { Backups } from './ports/backups.ts'
import type { AccountsWatch, StoreRisk } from './ports/health.ts'
import type { MoveAccounts } from './ports/people/move.ts'
import type { Store } from './ports/store.ts'
import { StoreUnavailable } from './ports/unavailable.ts'
import type { RedisSettings } from './redis/connection/connect.ts'
import { risksOf } from './watch.ts'

/**
 * As configured. `url`: `sqlite:FILE`, or `redis:`, `rediss:`, `redis+sentinel:`, `redis+cluster:` and so on;
 * what stands beside it is for Redis.
 */
export type StoreSettings = RedisSettings & {
  /** How many replicas must have a write that is durable; default 0. */
  readonly replicas?: number | undefined
  /**
   * How long a Redis that has lost its data is refused, at most, in milliseconds; undefined, for who isn't a
   * server: nobody watches that.
   */
  readonly lossPeriodMs?: number | undefined
  /** The PostgreSQL that has the accounts; undefined: they are in the store. */
  readonly accounts?: SqlServer | undefined
  /** Whether checks of access tokens may be answered from memory; default: no. */
  readonly recallsChecks?: boolean | undefined
}

export type OpenStore = StoreSettings & {
  /** SQLite's clock. */
  readonly clock: Clock
  /** Replaces the Redis server's own clock; for tests. */
  readonly redisClock?: Clock | undefined
}

/** How a store is opened. */
export interface StoreOpening {
  /** Rejects where the store must not be worked on; nothing has been written anywhere then. */
  readonly judge?: (store: Store) => Promise<void>
  /** For work on the store itself, wherever its accounts are: PostgreSQL isn't asked. Default: no. */
  readonly isAlone?: boolean
  /** Told of the PostgreSQL that has the accounts, where there is one. */
  readonly accountsWatch?: AccountsWatch
}

export interface OpenedStore {
  readonly store: Store
  /**
   * Where all replicas count the requests of an address; undefined: nothing is shared, so that a process may
   * count for itself.
   */
  readonly addressCounts: AddressCounts | undefined
  readonly backups: Backups
  /** Moves the accounts to PostgreSQL; undefined: the settings have none. */
  readonly move?: MoveAccounts
}

/** What a check found. */
export interface CheckedStore {
  /**
   * `ok`: it takes writes. `new`, `old`: a start makes the SQLite file, or brings its tables up to date.
   * `lost`: Redis has lost its data.
   */
  readonly state: 'ok' | 'new' | 'old' | 'lost'
  /** In how many milliseconds a loss ends by itself. */
  readonly lossEndsInMs?: number | undefined
  readonly risks: readonly StoreRisk[]
}

/**
 * Looks whether a start could use the store; what isn't there isn't made. Rejects with StoreUnavailable, or
 * with a TypeError that names what is wrong with the settings.
 */
export async function checkStore({
  accounts,
  ...settings
}: OpenStore): Promise<CheckedStore> {
  if (accounts !== undefined) {
    const { checkPostgres } = await import('./postgres/store.ts')
    await checkPostgres(accounts)
  }
  const file = sqliteFileOf(settings.url)
  if (file !== undefined) {
    const { checkSqliteFile } = await import('./sqlite/database/check.ts')
    return checkSqliteFile(file)
  }
  const { store } = await openSessions(settings)
  try {
    if (accounts === undefined) await refuseElsewhere(store)
    await store.probe()
    const lossEndsInMs = await store.lossEndsInMs()
    const risks = await risksOf(store, settings.clock)
    return { state: lossEndsInMs === undefined ? 'ok' : 'lost', lossEndsInMs, risks }
  } finally {
    await store.close()
  }
}

/** Without its accounts nobody could log in, and their names could be taken again. */
async function refuseElsewhere({ accountsHome }: Store): Promise<void> {
  const { isElsewhere } = await accountsHome.load()
  if (!isElsewhere) return
  const reason =
    'the accounts of store.url have been moved to PostgreSQL: name it in store.accounts, as every other ' +
    'server does, or another store in store.url'
  throw new StoreUnavailable(new Error(reason), reason)
}

/** Undefined: the URL is another store's. */
function sqliteFileOf(url: string): string | undefined {
  return url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined
}

/**
 * Opens the store; rejects with StoreUnavailable when it, or the database that has the accounts, can't be
 * reached, and with a TypeError when the URL names no store.
 */
export async function openStore({
  accounts,
  judge = async () => {},
  isAlone = false,
  accountsWatch,
  ...settings
}: OpenStore & StoreOpening): Promise<OpenedStore> {
  const opened = await openSessions(settings)
  try {
    await judge(opened.store)
    if (isAlone) return opened
    if (accounts === undefined) {
      await refuseElsewhere(opened.store)
      return opened
    }
    const { withPostgres } = await import('./postgres/store.ts')
    const there = await withPostgres(opened.store, accounts, accountsWatch)
    return { ...opened, ...there }
  } catch (error) {
    await opened.store.close()
    throw error
  }
}

/** Opens what has the sessions, and the accounts where nothing else has them. */
async function openSessions({
  clock,
  redisClock,
  ...settings
}: Omit<OpenStore, 'accounts'>): Promise<OpenedStore> {
  const { url } = settings
  if (/^rediss?[:+]/.test(url)) {
    const { createRedisStore } = await import('./redis/store.ts')
    const store = await createRedisStore({ ...settings, clock: redisClock })
    return {
      store,
      addressCounts: store.addressCounts,
      backups: store.backups,
    }
  }
  const file = sqliteFileOf(url)
  if (file === undefined) {
    throw new TypeError('store.url: expected sqlite:FILE or a redis URL')
  }
  const { createSqliteStore } = await import('./sqlite/store.ts')
  const store = createSqliteStore({ file, clock })
  return { store, addressCounts: undefined, backups: store.backups }
}
