// The rules between the keys of `store`. The forms of a Redis URL are the adapter's.
import { formatPlace, type Fault, type Place } from './faults.ts'
import type { Config } from './schema.ts'

type StoreConfig = Config['store']

/** Checks `store`, which the schema has let through; returns a fault for each rule that is broken. */
export function checkStore({ store }: Config): Fault[] {
  const isSqlite = store.url.startsWith('sqlite:')
  return [
    ...(isSqlite ? checkSqlite(store) : checkPasswords(store)),
    ...checkTls(store),
    ...checkSentinel(store),
  ]
}

function fault(place: Place, expected: string): Fault {
  return { path: formatPlace(['store', ...place]), expected }
}

function checkSqlite(store: StoreConfig): Fault[] {
  const forRedis = ['username', 'password', 'passwordFile'] as const
  return [
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
