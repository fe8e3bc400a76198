// From a store URL to a connected client that answers or fails soon: a single server, Sentinel or Cluster.
import { StoreUnavailable } from '../ports.ts'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { coalesceWrites } from './coalesce.ts'

/** `scheme://[user:password@]host[:port],…[/path]`; a list of hosts is beyond what WHATWG's URL takes. */
const URL_FORM = /^(?<scheme>rediss?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<credentials>[^@/]*)@)?(?<hosts>[^/?]+)(?:\/(?<path>[^?]*))?$/

const HOST_FORM = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:]+))(?::(?<port>\d+))?$/

/** A store URL, taken apart. */
export interface RedisTarget {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly tls: boolean
  readonly hosts: ReadonlyArray<{ readonly host: string, readonly port: number }>
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  /** The name under which the sentinels know the primary. */
  readonly primary: string
}

/** Takes a store URL apart; throws a TypeError, without the URL in it, as it may hold a password. */
export function parseRedisUrl (url: string): RedisTarget {
  const parts = URL_FORM.exec(url)?.groups
  if (parts === undefined) throw new TypeError('store.url: expected redis://[user:password@]host[:port][/db]')
  const kind = parts['kind'] === 'sentinel' ? 'sentinel' : parts['kind'] === 'cluster' ? 'cluster' : 'single'
  const path = (parts['path'] ?? '').split('/')
  const db = Number(kind === 'sentinel' ? path[1] ?? 0 : path[0])
  if (!Number.isInteger(db)) throw new TypeError('store.url: expected a number as database')
  if (kind === 'sentinel' && path[0] === '') throw new TypeError('store.url: expected redis+sentinel://host,host/NAME')
  return {
    kind,
    db,
    tls: parts['scheme'] === 'rediss',
    primary: kind === 'sentinel' ? decodeURIComponent(String(path[0])) : '',
    hosts: String(parts['hosts']).split(',').map(host => hostOf(host, kind === 'sentinel' ? 26379 : 6379)),
    ...credentialsOf(parts['credentials'] ?? ''),
  }
}

/** How long the first connection may take: with Sentinel and Cluster the driver would look for a server for ever. */
const CONNECT_MS = 3000

/** Connects; rejects with StoreUnavailable when no server answers within three seconds. From then on the client reconnects by itself, and commands fail at once meanwhile. */
export async function connectRedis (url: string): Promise<Redis | Cluster> {
  const client = createClient(parseRedisUrl(url))
  // Each failed command tells its caller; without a listener ioredis would write to the console.
  client.on('error', () => {})
  coalesceWrites(client)
  try {
    await within(CONNECT_MS, client.connect())
    return client
  } catch (error) {
    client.disconnect()
    throw new StoreUnavailable(error)
  }
}

async function within<T> (ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => { reject(new Error(`no answer within ${ms} ms`)) }, ms)
  return Promise.race([work, promise]).finally(() => { clearTimeout(timer) })
}

/** The client for a target, not connected yet. */
export function createClient (target: RedisTarget): Redis | Cluster {
  const { kind, hosts, primary, tls } = target
  const options = clientOptions(target)
  if (kind === 'cluster') {
    const { lazyConnect, enableOfflineQueue, retryStrategy: clusterRetryStrategy } = options
    return new Cluster([...hosts], { redisOptions: options, lazyConnect, enableOfflineQueue, clusterRetryStrategy })
  }
  if (kind === 'sentinel') {
    return new Redis({ ...options, sentinels: [...hosts], name: primary, sentinelRetryStrategy: retryStrategy, enableTLSForSentinelMode: tls })
  }
  return new Redis({ ...options, ...hosts[0] })
}

function clientOptions ({ username, password, db, tls }: RedisTarget) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    db,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    connectTimeout: 500,
    commandTimeout: 300,
    // A command that may have been executed isn't sent again behind the caller's back.
    autoResendUnfulfilledCommands: false,
    retryStrategy,
    reconnectOnError,
  } satisfies RedisOptions
}

/** Waits longer each time, up to 2 s, with jitter: replicas that lost one server don't come back as one wave. */
export function retryStrategy (times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 6), 2000) * (0.5 + Math.random() / 2)
}

/** A primary that became a replica, or one that still loads its data: look for another connection. */
export function reconnectOnError (error: Error): boolean {
  return /^(READONLY|LOADING)/.test(error.message)
}

function hostOf (text: string, defaultPort: number): { host: string, port: number } {
  const parts = HOST_FORM.exec(text)?.groups
  if (parts === undefined) throw new TypeError('store.url: expected host or host:port')
  return { host: String(parts['v6'] ?? parts['name']), port: Number(parts['port'] ?? defaultPort) }
}

function credentialsOf (text: string): { username: string | undefined, password: string | undefined } {
  const [username, ...password] = text.split(':')
  return {
    username: decodeURIComponent(String(username)) || undefined,
    password: decodeURIComponent(password.join(':')) || undefined,
  }
}
