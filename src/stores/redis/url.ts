// A store URL, taken apart.

/** `scheme://[user:password@]host[:port],…[/path]`; a list of hosts is beyond what WHATWG's URL takes. */
const URL_FORM =
  /^(?<scheme>rediss?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<credentials>[^@/]*)@)?(?<hosts>[^/?]+)(?:\/(?<path>[^?]*))?$/

const HOST_FORM = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:]+))(?::(?<port>\d+))?$/

/** What a store URL says. */
export interface RedisTarget {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly tls: boolean
  readonly hosts: ReadonlyArray<{ readonly host: string; readonly port: number }>
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  /** The name under which the sentinels know the primary. */
  readonly primary: string
}

/** Takes a store URL apart; throws a TypeError, without the URL in it, as it may hold a password. */
export function parseRedisUrl(url: string): RedisTarget {
  const parts = URL_FORM.exec(url)?.groups
  if (parts === undefined) {
    throw new TypeError('store.url: expected redis://[user:password@]host[:port][/db]')
  }
  const kind =
    parts['kind'] === 'sentinel'
      ? 'sentinel'
      : parts['kind'] === 'cluster'
        ? 'cluster'
        : 'single'
  const path = (parts['path'] ?? '').split('/')
  const db = Number(kind === 'sentinel' ? (path[1] ?? 0) : path[0])
  if (!Number.isInteger(db)) {
    throw new TypeError('store.url: expected a number as database')
  }
  if (kind === 'sentinel' && path[0] === '') {
    throw new TypeError('store.url: expected redis+sentinel://host,host/NAME')
  }
  return {
    kind,
    db,
    tls: parts['scheme'] === 'rediss',
    primary: kind === 'sentinel' ? decodeURIComponent(String(path[0])) : '',
    hosts: String(parts['hosts'])
      .split(',')
      .map(host => hostOf(host, kind === 'sentinel' ? 26379 : 6379)),
    ...credentialsOf(parts['credentials'] ?? ''),
  }
}

function hostOf(text: string, defaultPort: number): { host: string; port: number } {
  const parts = HOST_FORM.exec(text)?.groups
  if (parts === undefined) throw new TypeError('store.url: expected host or host:port')
  return {
    host: String(parts['v6'] ?? parts['name']),
    port: Number(parts['port'] ?? defaultPort),
  }
}

function credentialsOf(text: string): {
  username: string | undefined
  password: string | undefined
} {
  const [username, ...password] = text.split(':')
  return {
    username: decodeURIComponent(String(username)) || undefined,
    password: decodeURIComponent(password.join(':')) || undefined,
  }
}
