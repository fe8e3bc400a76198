// Picks the store by its URL. Each adapter is imported only when it is asked for: who uses SQLite never loads
// a Redis driver.
import type { Clock } from '../clock.ts'
import type { AddressCounts } from './ports-addresses.ts'
import type { Backups } from './ports-backup.ts'
import type { Store } from './ports.ts'
import type { RedisSettings } from './redis/connect.ts'

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
}

export type OpenStore = StoreSettings & {
  /** SQLite's clock. */
  readonly clock: Clock
  /** Replaces the Redis server's own clock; for tests. */
  readonly redisClock?: Clock | undefined
}

export interface OpenedStore {
  readonly store: Store
  /**
   * Where all replicas count the requests of an address; undefined: nothing is shared, so that a process may
   * count for itself.
   */
  readonly addressCounts: AddressCounts | undefined
  readonly backups: Backups
}

/**
 * Opens the store; rejects with StoreUnavailable when it can't be reached and with a TypeError when the URL
 * names no store.
 */
export async function openStore({
  clock,
  redisClock,
  ...settings
}: OpenStore): Promise<OpenedStore> {
  const { url } = settings
  if (/^rediss?[:+]/.test(url)) {
    const { createRedisStore } = await import('./redis/store.ts')
    const store = await createRedisStore({ ...settings, clock: redisClock })
    return { store, addressCounts: store.addressCounts, backups: store.backups }
  }
  if (!url.startsWith('sqlite:')) {
    throw new TypeError('store.url: expected sqlite:FILE or a redis URL')
  }
  const { createSqliteStore } = await import('./sqlite/store.ts')
  const store = createSqliteStore({ file: url.slice('sqlite:'.length), clock })
  return { store, addressCounts: undefined, backups: store.backups }
}
