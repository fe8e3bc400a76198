// From the store's settings to a connected client that answers or fails soon: a single server, Sentinel or
// Cluster.
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { systemRandom, type Random } from '../../../base/random.ts'
import { coalesceWrites } from './coalesce.ts'
import { givePasswords, readPasswords } from './credentials.ts'
import { fenceOff } from './fence.ts'
import { noAnswer } from './caller.ts'
import { createLastReason, watchOpening, type LastReason } from './opening.ts'
import { addressOf, unavailable } from './reasons.ts'
import { Sentinels } from './sentinels.ts'
import { readTls, type TlsFiles } from './tls.ts'
import { endRefreshes } from './refreshes.ts'
import { parseRedisUrl, type RedisTarget } from './url.ts'

/** How Redis is reached. */
export interface RedisSettings {
  /** See url.ts. */
  readonly url: string
  /** Instead of those in the URL. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Where the password stands instead; read again for every connection. */
  readonly passwordFile?: string | undefined
  /** With rediss:// only. */
  readonly tls?: TlsFiles | undefined
  /** What the sentinels themselves ask for. */
  readonly sentinel?:
    | {
        readonly username?: string | undefined
        readonly password?: string | undefined
        readonly passwordFile?: string | undefined
      }
    | undefined
  /** How long a call may take, in milliseconds; default 300. */
  readonly deadlineMs?: number | undefined
  /**
   * Whether it is to hear of changed keys (tracking/tracker.ts): the driver drops what RESP3 says of them,
   * and whoever subscribes does so by itself.
   */
  readonly hearsChanges?: boolean | undefined
}

/**
 * How long the first connection may take: with Sentinel and Cluster the driver would look for a server for
 * ever.
 */
const CONNECT_MS = 3000
/** How long one try to connect may take, to a server or to a sentinel. */
const TRY_MS = 500
/** What a sentinel gets to answer. */
const SENTINEL_MS = 300
/** A peer that doesn't answer the end of a connection is left to itself. */
const DISCONNECT_MS = 100
/** The longest wait between two tries. */
const RETRY_MAX_MS = 500
/**
 * How often a sentinel that went away is looked for: it tells of failovers while the connection to the
 * primary lives.
 */
const SENTINEL_RETRY_MS = 5000
/**
 * In a cluster: how often the nodes are asked who has which slots, and how long a node may be silent with
 * commands pending, unless these have longer.
 */
const SLOTS_MS = 1000
const SILENCE_MS = 1000

/**
 * Connects; rejects with StoreUnavailable when no server answers within three seconds, or within `deadlineMs`
 * where that is longer.
 *
 * @param last is kept up to date for as long as the client lives
 */
export async function connectRedis(
  settings: RedisSettings,
  last: LastReason = createLastReason(),
): Promise<Redis | Cluster> {
  const client = createClient(settings)
  // Each failed command tells its caller; without a listener ioredis would write to the console.
  client.on('error', () => {})
  watchOpening(client, last)
  coalesceWrites(client)
  fenceOff(client)
  const connectMs = Math.max(CONNECT_MS, settings.deadlineMs ?? 0)
  try {
    await within(connectMs, firstConnection(client, settings, last))
    last.clear()
    return client
  } catch (error) {
    const late = noAnswer(connectMs, client).message
    const fault = unavailable(error, addressOf(client), last.reason() ?? late)
    client.disconnect()
    throw fault
  }
}

// With Sentinel the first address may be one that a failover has left, and a busy machine may take longer to
// connect than a try lasts: the driver tries again by itself, and so shall a start. That nobody listens is
// said at once.
function firstConnection(
  client: Redis | Cluster,
  { url }: RedisSettings,
  last: LastReason,
): Promise<void> {
  const isSentinel = parseRedisUrl(url).kind === 'sentinel'
  const ready = new Promise<void>(resolve => {
    client.once('ready', resolve)
  })
  return client.connect().catch((error: unknown) => {
    if (isSentinel || last.reason()?.startsWith('ETIMEDOUT')) return ready
    throw error
  })
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new Error(`no answer within ${ms} ms`))
  }, ms)
  return Promise.race([work, promise]).finally(() => {
    clearTimeout(timer)
  })
}

/** The client for the settings, not connected yet. */
export function createClient(settings: RedisSettings): Redis | Cluster {
  const passwords = readPasswords(settings)
  const client = newClient(settings)
  givePasswords(client, passwords)
  return client
}

function newClient(settings: RedisSettings): Redis | Cluster {
  const target = parseRedisUrl(settings.url)
  const options = clientOptions(target, settings)
  if (target.kind === 'cluster') return createCluster(target, options, settings)
  if (target.kind === 'sentinel') {
    return new Redis({ ...options, ...sentinelOptions(target, settings, options) })
  }
  return new Redis({ ...options, ...target.hosts[0] })
}

type ClientOptions = ReturnType<typeof clientOptions>

function createCluster(
  { hosts }: RedisTarget,
  options: ClientOptions,
  { deadlineMs = 0 }: RedisSettings,
): Cluster {
  const client = new Cluster([...hosts], {
    redisOptions: { ...options, socketTimeout: Math.max(SILENCE_MS, deadlineMs) },
    lazyConnect: true,
    enableOfflineQueue: false,
    // The driver passes a reason as well, which is no source of randomness.
    clusterRetryStrategy: times => retryStrategy(times),
    slotsRefreshTimeout: TRY_MS,
    slotsRefreshInterval: SLOTS_MS,
    // A certificate is for a name: the driver would connect to its address.
    ...(options.tls && {
      dnsLookup: (host: string, done: (error: null, address: string) => void) => {
        done(null, host)
      },
    }),
  })
  endRefreshes(client)
  return client
}

function sentinelOptions(
  { hosts, primary, tls }: RedisTarget,
  { sentinel = {} }: RedisSettings,
  { tls: sentinelTLS }: ClientOptions,
) {
  return {
    Connector: Sentinels,
    sentinels: [...hosts],
    name: primary,
    sentinelRetryStrategy: retryStrategy,
    sentinelReconnectStrategy: () => SENTINEL_RETRY_MS,
    sentinelCommandTimeout: SENTINEL_MS,
    // A primary that hangs would keep its connection; the sentinels tell that there is another.
    failoverDetector: true,
    enableTLSForSentinelMode: tls,
    ...(sentinelTLS && { sentinelTLS }),
    ...(sentinel.username !== undefined && { sentinelUsername: sentinel.username }),
    ...(sentinel.password !== undefined && { sentinelPassword: sentinel.password }),
  } satisfies RedisOptions
}

function clientOptions(target: RedisTarget, settings: RedisSettings) {
  const { username = target.username, password = target.password } = settings
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(target.tls && { tls: readTls(settings.tls ?? {}) }),
    db: target.db,
    ...(settings.hearsChanges && { protocol: 2, autoResubscribe: false }),
    lazyConnect: true,
    // It would name the driver's version in CLIENT LIST, which servers before 7.2 refuse.
    disableClientInfo: true,
    enableOfflineQueue: false,
    connectTimeout: TRY_MS,
    disconnectTimeout: DISCONNECT_MS,
    // What was sent on a connection that ended may have been executed: its caller is told, and it isn't sent
    // again behind his back.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // How long a single command may take is link.ts's business: a timer for each would cost more than the
    // command.
    maxLoadingRetryTime: TRY_MS,
    retryStrategy,
    reconnectOnError,
  } satisfies RedisOptions
}

/**
 * Waits longer each time, up to half a second, with jitter: replicas that lost one server don't come back as
 * one wave.
 */
export function retryStrategy(times: number, random: Random = systemRandom): number {
  return (
    Math.min(25 * 2 ** Math.min(times, 6), RETRY_MAX_MS) * (0.5 + random.fraction() / 2)
  )
}

/**
 * A primary that became a replica, or one that still loads its data: look for another connection. A script's
 * error may wrap either.
 */
export function reconnectOnError(error: Error): boolean {
  return /\b(READONLY|LOADING)\b/.test(error.message)
}
