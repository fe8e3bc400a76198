// A store URL, taken apart.

/** `scheme://[user:password@]host[:port],…[/path]`; a list of hosts is beyond what WHATWG's URL takes. */
const URL_FORM = new RegExp(
  [
    /^(?<scheme>rediss?)(?:\+(?<kind>sentinel|cluster))?:\/\//,
    /(?:(?<credentials>[^@/]*)@)?(?<hosts>[^@/?]+)(?:\/(?<path>[^@?]*))?$/,
  ]
    .map(({ source }) => source)
    .join(''),
)

const HOST_FORM = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:]+))(?::(?<port>\d{1,5}))?$/

const ENCODED =
  'user and password percent-encoded (% as %25, / as %2F, @ as %40, ? as %3F, # as %23), or ' +
  'store.password or store.passwordFile, where nothing is'

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
  if (parts === undefined) throw expected(formOf(url))
  const kind =
    parts['kind'] === 'sentinel'
      ? 'sentinel'
      : parts['kind'] === 'cluster'
        ? 'cluster'
        : 'single'
  const path = (parts['path'] ?? '').split('/')
  if (kind === 'sentinel' && path[0] === '') {
    throw expected('redis+sentinel://host,host/NAME')
  }
  return {
    kind,
    db: databaseOf(kind === 'sentinel' ? path.slice(1) : path, kind),
    tls: parts['scheme'] === 'rediss',
    primary: kind === 'sentinel' ? decoded(String(path[0])) : '',
    hosts: String(parts['hosts'])
      .split(',')
      .map(host => hostOf(host, kind === 'sentinel' ? 26379 : 6379)),
    ...credentialsOf(parts['credentials'] ?? ''),
  }
}

function expected(what: string): TypeError {
  return new TypeError(`store.url: expected ${what}`)
}

/** What is to be written in the place of a URL that has another form. */
function formOf(url: string): string {
  // Behind the credentials there is no @: one of theirs, or a / before it, isn't encoded.
  if (url.includes('@')) return ENCODED
  if (url.includes('?')) {
    return 'no ?…: what can be set has keys of its own beside it (docs/configuration.md)'
  }
  return 'redis://[user:password@]host[:port][/database]'
}

function databaseOf(path: readonly string[], kind: RedisTarget['kind']): number {
  const [text = '', ...more] = path
  if (!/^\d{0,9}$/.test(text) || more.some(part => part !== '')) {
    throw expected('a number of 0 or more as database, such as redis://host:6379/0')
  }
  const db = Number(text)
  if (kind === 'cluster' && db !== 0) {
    throw expected('no database behind redis+cluster://, which has one only')
  }
  return db
}

function hostOf(text: string, defaultPort: number): { host: string; port: number } {
  const parts = HOST_FORM.exec(text)?.groups
  const port = Number(parts?.['port'] ?? defaultPort)
  if (parts === undefined || port > 65_535) throw expected('host or host:port')
  return { host: String(parts['v6'] ?? parts['name']), port }
}

function credentialsOf(text: string): {
  username: string | undefined
  password: string | undefined
} {
  const [username, ...password] = text.split(':')
  return {
    username: decoded(String(username)) || undefined,
    password: decoded(password.join(':')) || undefined,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw expected(ENCODED)
  }
}
