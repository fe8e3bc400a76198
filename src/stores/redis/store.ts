// The shared store: Redis, by a single server, Sentinel or Cluster. Its clock is the server's.
import type { Cluster, Redis } from 'ioredis'
import type { Clock } from '../../clock.ts'
import { EMPTY_RING, EMPTY_SIGHTINGS } from '../ports-keys.ts'
import type { AddressCounts, Store } from '../ports.ts'
import { createRedisAddressCounts } from './address-counts.ts'
import { createRedisAccessTokens } from './access-tokens.ts'
import type { RedisAdapter } from './adapter.ts'
import { connectRedis, type RedisSettings } from './connect.ts'
import { createRedisDocument } from './document.ts'
import { createRedisFamilies } from './families.ts'
import { createInspect } from './inspect.ts'
import { createLink, type Link } from './link.ts'
import { createRedisLoginAttempts } from './login-attempts.ts'
import { createRedisKeys } from './redis-keys.ts'
import { createRedisReplays } from './replays.ts'
import { createRedisUsers } from './users.ts'

/** A mark that a dead probe left behind goes by itself. */
const PROBE_MS = 1000

export interface RedisStoreOptions extends RedisSettings {
  /** Stands before every key; default `lk:`. */
  readonly prefix?: string
  /** How many replicas must have a write that is durable; default 0. */
  readonly replicas?: number | undefined
  /** Replaces the server's clock; for tests. */
  readonly clock?: Clock | undefined
}

export interface RedisStore extends Store {
  /** The connection; for tests, which look behind the store. */
  readonly client: Redis | Cluster
  /** For rate limits that all replicas share. */
  readonly addressCounts: AddressCounts
}

/** Connects and resolves when the server answers; rejects with StoreUnavailable. */
export async function createRedisStore ({ prefix = 'lk:', clock, replicas = 0, ...settings }: RedisStoreOptions): Promise<RedisStore> {
  const link = createLink({ client: await connectRedis(settings), verify: run => run(client => client.ping()) })
  const keys = createRedisKeys(prefix)
  const adapter: RedisAdapter = { link, keys, time: () => clock === undefined ? '' : String(clock()) }

  return {
    client: link.client,
    addressCounts: createRedisAddressCounts(adapter),
    families: createRedisFamilies(adapter),
    accessTokens: createRedisAccessTokens(adapter),
    users: createRedisUsers(adapter),
    loginAttempts: createRedisLoginAttempts(adapter),
    keys: createRedisDocument(adapter, keys.ring, EMPTY_RING),
    sightings: createRedisDocument(adapter, keys.sightings, EMPTY_SIGHTINGS),
    replays: createRedisReplays(adapter),
    now: () => clock === undefined ? serverTime(link) : Promise.resolve(clock()),
    async probe () {
      await link.run(client => client.set(keys.probe, 1, 'PX', PROBE_MS))
      await link.run(client => client.del(keys.probe))
    },
    inspect: createInspect({ link, replicas }),
    close: async () => link.close(),
  }
}

async function serverTime (link: Link): Promise<number> {
  const [seconds, microseconds] = await link.run(client => client.time())
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}
