// The shared store: Redis, by a single server, Sentinel or Cluster. Its clock is the server's.
import type { Cluster, Redis } from 'ioredis'
import type { Clock } from '../../base/clock.ts'
import { EMPTY_RING } from '../ports/documents/keys.ts'
import { NO_ACCOUNTS_HOME } from '../ports/documents/accounts-home.ts'
import { NO_GROUPS } from '../ports/documents/groups.ts'
import { EMPTY_SIGHTINGS } from '../ports/documents/sightings.ts'
import type { AddressCounts } from '../ports/address-counts.ts'
import { NO_SECRET_LISTS } from '../ports/documents/secret-lists.ts'
import type { Store } from '../ports/store.ts'
import { createRedisAddressCounts } from './address-counts.ts'
import { createRedisAccessTokens } from './sessions/access-tokens.ts'
import { createAdapter, type RedisAdapter } from './adapter.ts'
import type { Backups } from '../ports/backups.ts'
import { createRedisBackups } from './backup/backup.ts'
import type { RedisSettings } from './connection/connect.ts'
import { openLinks } from './links.ts'
import { createRedisDocument } from './document.ts'
import { createDurable } from './safety/durable.ts'
import {
  createStoreIdentity,
  lossFault,
  type StoreIdentity,
  type StoreIdentityOptions,
} from './safety/store-identity.ts'
import { marksOf } from './safety/identity-marks.ts'
import { createRedisFamilies } from './sessions/families.ts'
import { createFormatMark, type FormatMark, type RedisFormat } from './safety/format.ts'
import { createInspect } from './safety/inspect.ts'
import type { Link } from './connection/link.ts'
import { createRedisLoginAttempts } from './people/login-attempts.ts'
import { createRedisLoginRefusals } from './people/login-refusals.ts'
import { createRedisOutbox } from './outbox.ts'
import { createRedisKeys } from './redis-keys.ts'
import { createRedisReplays } from './sessions/replays.ts'
import { createMaintenance } from './safety/maintenance.ts'
import { createRevocations } from './safety/revocations.ts'
import { createRedisStatusLists } from './sessions/status-lists.ts'
import { createStoreClock, serverTime } from './safety/store-clock.ts'
import { startTrackedChecks } from './tracking/tracked-checks.ts'
import { createRedisDirectory } from './people/directory.ts'
import { createRedisSubjects } from './people/subjects.ts'
import { createRedisTickets } from './people/tickets.ts'

/** How often a store is looked at that may have lost its data, or come back with data of another time. */
const VERIFY_MS = 1000

export interface RedisStoreOptions extends RedisSettings {
  /** Stands before every key; default `lk:`. */
  readonly prefix?: string
  /** How many replicas must have a write that is durable; default 0. */
  readonly replicas?: number | undefined
  /** How long these get, in milliseconds; default 500. */
  readonly replicasMs?: number | undefined
  /**
   * How long a store that has lost its data is refused, at most, in milliseconds; undefined: nobody watches
   * that.
   */
  readonly lossPeriodMs?: number | undefined
  /** Replaces this release's own format; for tests. */
  readonly format?: RedisFormat | undefined
  /** Replaces the server's clock; for tests. */
  readonly clock?: Clock | undefined
  /** Whether checks of access tokens may be answered from memory; not with Cluster. Default: no. */
  readonly recallsChecks?: boolean | undefined
}

export interface RedisStore extends Store {
  /** The connection; for tests, which look behind the store. */
  readonly client: Redis | Cluster
  /** For rate limits that all replicas share. */
  readonly addressCounts: AddressCounts
  readonly backups: Backups
}

/** Connects and resolves when the server answers; rejects with StoreUnavailable. */
export async function createRedisStore(options: RedisStoreOptions): Promise<RedisStore> {
  const { prefix = 'lk:', clock, replicas = 0, replicasMs } = options
  const keys = createRedisKeys(prefix)
  const { link, durable } = await openLinks(options, () => identity.verify())
  const { bare, client } = link
  const revocations = createRevocations()
  const storeClock = createStoreClock(bare)
  const format = createFormatMark({ link: bare, keys, own: options.format })
  const adapter = createAdapter({
    link,
    keys,
    time: () => (clock === undefined ? '' : String(clock())),
    ...(clock === undefined && { askedAt: storeClock.now }),
    durably: durable && createDurable({ link: durable, replicas, replicasMs }),
    doubt: () => identity.doubt(),
    revocations,
  })
  const inspect = createInspect({ link: bare, replicas })
  const ring = createRedisDocument(adapter, keys.ring, EMPTY_RING)

  const now = async () => (clock === undefined ? serverTime(bare) : clock())

  const keepForm = () => adapter.names.open().then(format.keep)
  let isLost = false
  const identity = watchIdentity(options, {
    link: bare,
    keys,
    restore: () => Promise.all([keepForm(), ring.restore(), revocations.repeat()]),
    report(isLostNow) {
      isLost = isLostNow
      for (const each of [link, durable]) {
        each?.refuse(isLostNow ? lossFault() : undefined)
      }
    },
  })
  const stopVerifying = await keepVerifying(
    link,
    {
      // Before anything is written.
      begin: () => format.check(),
      verify: () => Promise.all([identity.verify(), storeClock.measure()]),
    },
    options,
  )

  const end = () => {
    stopVerifying()
    adapter.statusBits.stop()
    for (const each of [link, durable]) each?.close()
  }
  const ports = portsOf(adapter)
  const tracking = { adapter, settings: options, accessTokens: ports.accessTokens }
  const checks = await startTrackedChecks(tracking).catch(afterwards(end))

  return {
    client,
    ...ports,
    accessTokens: checks.accessTokens,
    ...createMaintenance(adapter),
    keys: ring,
    backups: backupsOf(adapter, format, now),
    now,
    async inspect() {
      const risks = await Promise.all([inspect(), format.risks(), adapter.names.risks()])
      return [...risks.flat(), ...checks.risks()]
    },
    condition: () => ({
      isReached: link.isUp(),
      isLost,
      revocations: revocations.count(),
    }),
    async close() {
      checks.close()
      end()
    },
  }
}

function backupsOf(
  { bare, keys, names }: RedisAdapter,
  format: FormatMark,
  now: () => Promise<number>,
): Backups {
  const marks = marksOf(bare.client, keys)
  return createRedisBackups({ link: bare, keys, marks, format, names, now })
}

/** Throws on, when that is done. */
function afterwards(work: () => void): (error: unknown) => never {
  return error => {
    work()
    throw error
  }
}

/** The ports that need nothing but the adapter. */
function portsOf(adapter: RedisAdapter) {
  const { keys } = adapter
  return {
    addressCounts: createRedisAddressCounts(adapter),
    families: createRedisFamilies(adapter),
    accessTokens: createRedisAccessTokens(adapter),
    subjects: createRedisSubjects(adapter),
    directory: createRedisDirectory(adapter),
    loginAttempts: createRedisLoginAttempts(adapter),
    loginRefusals: createRedisLoginRefusals(adapter),
    sightings: createRedisDocument(adapter, keys.sightings, EMPTY_SIGHTINGS),
    secretLists: createRedisDocument(adapter, keys.secretLists, NO_SECRET_LISTS),
    groups: createRedisDocument(adapter, keys.groups, NO_GROUPS),
    // It is read at a start, which doesn't wait for the end of a loss.
    accountsHome: createRedisDocument(
      { ...adapter, doubt: async () => {} },
      keys.accountsHome,
      NO_ACCOUNTS_HOME,
    ),
    replays: createRedisReplays(adapter),
    statusLists: createRedisStatusLists(adapter),
    tickets: createRedisTickets(adapter),
    outbox: createRedisOutbox(adapter),
  }
}

function watchIdentity(
  { lossPeriodMs }: RedisStoreOptions,
  options: Omit<StoreIdentityOptions, 'lossPeriodMs'>,
): StoreIdentity {
  if (lossPeriodMs !== undefined) return createStoreIdentity({ ...options, lossPeriodMs })
  return {
    verify: async () => {
      await options.link.run(ping)
    },
    doubt: async () => {},
  }
}

/** Looks at the store now, and again and again; gives the way to stop. */
async function keepVerifying(
  link: Link,
  { begin, verify }: Record<'begin' | 'verify', () => Promise<unknown>>,
  { lossPeriodMs }: RedisStoreOptions,
): Promise<() => void> {
  try {
    await begin()
    await verify()
  } catch (error) {
    link.close()
    throw error
  }
  if (lossPeriodMs === undefined) return () => {}
  // One that can't be looked at is told of elsewhere.
  const timer = setInterval(() => {
    if (link.isUp()) verify().catch(() => {})
  }, VERIFY_MS).unref()
  return () => clearInterval(timer)
}

const ping = (client: Redis | Cluster) => client.ping()
