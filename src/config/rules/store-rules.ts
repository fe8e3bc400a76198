// The rules between the keys of `store`, and the forms of an SQLite URL. Those of a Redis URL are the
// adapter's.
import { formatPlace, type Fault, type Place } from '../faults.ts'
import type { Config } from '../schema.ts'
import {
  isWholeUrl,
  oneHostExpected,
  passwordFileExpected,
  plaintextExpected,
} from './directories/sql-server.ts'

type StoreConfig = Config['store']

/** Checks `store`, which the schema has let through; returns a fault for each rule that is broken. */
export function checkStore({ store, introspection, processes }: Config): Fault[] {
  const isSqlite = store.url.startsWith('sqlite:')
  return [
    ...checkLineBreaks(store),
    ...(isSqlite ? checkSqlite(store) : checkPasswords(store)),
    ...checkTls(store),
    ...checkSentinel(store),
    ...checkAccounts(store),
    ...(introspection.cache && store.url.includes('+cluster://')
      ? [{ path: 'introspection.cache', expected: 'false with Redis Cluster' }]
      : []),
    ...(isSqlite && processes !== 1
      ? [
          {
            path: 'processes',
            expected: '1 with SQLite, whose file has one writer (several need Redis)',
          },
        ]
      : []),
  ]
}

function fault(place: Place, expected: string): Fault {
  return { path: formatPlace(['store', ...place]), expected }
}

/** No text of the store has a line break inside; at the end of a variable it is refused before. */
function checkLineBreaks({
  url,
  username,
  password,
  sentinel,
  accounts,
}: StoreConfig): Fault[] {
  const texts: ReadonlyArray<readonly [Place, string | undefined]> = [
    [['url'], url],
    [['username'], username],
    [['password'], password],
    [['sentinel', 'username'], sentinel?.username],
    [['sentinel', 'password'], sentinel?.password],
    [['accounts', 'url'], accounts?.url],
    [['accounts', 'password'], accounts?.password],
  ]
  return texts.flatMap(([place, text = '']) =>
    /[\r\n]/.test(text) ? [fault(place, 'no line break in it')] : [],
  )
}

const FILE_EXAMPLE = 'such as sqlite:/data/latchkey.db or sqlite:./latchkey.db'

/** What is to be written in the place of this path; undefined: it is good. */
function expectedOfFile(file: string): string | undefined {
  if (file.startsWith('//')) return `a path right behind sqlite:, ${FILE_EXAMPLE}`
  if (file.includes(':memory:')) {
    return `a file, ${FILE_EXAMPLE}: what is in memory is gone at the next restart`
  }
  if (/^file:/i.test(file)) return `a path and no file: URI, ${FILE_EXAMPLE}`
  if (file.includes('?')) return `a path without ?…, ${FILE_EXAMPLE}`
  if (file === '' || file.endsWith('/')) return `a file and no folder, ${FILE_EXAMPLE}`
  return undefined
}

function checkSqlite(store: StoreConfig): Fault[] {
  const expected = expectedOfFile(store.url.slice('sqlite:'.length).trim())
  const forRedis = ['username', 'password', 'passwordFile'] as const
  return [
    ...(expected === undefined ? [] : [fault(['url'], expected)]),
    ...(store.replicas > 0 ? [fault(['replicas'], '0 with SQLite, which has none')] : []),
    ...forRedis.flatMap(key =>
      store[key] === undefined ? [] : [fault([key], 'no such key beside SQLite')],
    ),
  ]
}

function checkPasswords({ password, passwordFile, sentinel }: StoreConfig): Fault[] {
  return [
    ...(password !== undefined && passwordFile !== undefined
      ? [fault(['passwordFile'], 'no store.password beside it')]
      : []),
    ...(sentinel?.password !== undefined && sentinel.passwordFile !== undefined
      ? [fault(['sentinel', 'passwordFile'], 'no store.sentinel.password beside it')]
      : []),
  ]
}

function checkTls({ url, tls }: StoreConfig): Fault[] {
  const { certFile, keyFile } = tls ?? {}
  return [
    ...(tls !== undefined && !url.startsWith('rediss')
      ? [fault(['tls'], 'no such key beside a URL other than rediss')]
      : []),
    ...((certFile === undefined) !== (keyFile === undefined)
      ? [fault(['tls'], 'certFile and keyFile, or neither')]
      : []),
  ]
}

function checkSentinel({ url, sentinel }: StoreConfig): Fault[] {
  return sentinel !== undefined && !url.includes('+sentinel://')
    ? [fault(['sentinel'], 'no such key beside a URL other than +sentinel')]
    : []
}

function checkAccounts({ accounts }: StoreConfig): Fault[] {
  if (accounts === undefined) return []
  const parsed = URL.parse(accounts.url)
  const isWhole = parsed !== null && isWholeUrl(parsed)
  const whole = isWhole
    ? undefined
    : 'postgres://USER@HOST/DATABASE, with nothing behind it'
  const url = oneHostExpected(accounts.url) ?? whole
  const expectations = {
    url,
    passwordFile: passwordFileExpected(accounts),
    plaintext: plaintextExpected(accounts),
  }
  return Object.entries(expectations).flatMap(([key, expected]) =>
    expected === undefined ? [] : [fault(['accounts', key], expected)],
  )
}
