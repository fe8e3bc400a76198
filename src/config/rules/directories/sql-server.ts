// What holds for every database that is reached by a URL: a table of users elsewhere, and our own accounts.
import { isLoopbackName } from '../../../base/loopback.ts'
import type { SqlServer } from '../../../base/sql/server.ts'

type Server = Omit<SqlServer, 'connections' | 'timeout'>

/** Whether a URL has user, host and database, and nothing behind them. */
export function isWholeUrl({
  hostname,
  username,
  password,
  pathname,
  search,
}: URL): boolean {
  const isWhole =
    hostname !== '' && username !== '' && pathname.length > 1 && search === ''
  return isWhole && isDecodable([username, password, pathname])
}

function isDecodable(parts: readonly string[]): boolean {
  try {
    return parts.map(decodeURIComponent).length > 0
  } catch {
    return false
  }
}

/** What is expected of a URL that names several hosts, as libpq takes them; undefined: it names one. */
export function oneHostExpected(url: string): string | undefined {
  return /^[a-z]+:\/\/(?:[^/]*@)?[^/@]*,[^/@]*(?:\/|$)/.test(url)
    ? 'one host: of several give a name or an address that leads to the one that serves'
    : undefined
}

/** What is expected of `passwordFile`; undefined: it is right. */
export function passwordFileExpected({
  password,
  passwordFile,
}: Server): string | undefined {
  return password !== undefined && passwordFile !== undefined
    ? 'no password beside it'
    : undefined
}

/** What is expected of `plaintext`; undefined: it is right. */
export function plaintextExpected({
  url,
  caFile,
  plaintext,
}: Server): string | undefined {
  const isLocal = isLoopbackName(URL.parse(url)?.hostname ?? '')
  return plaintext && (caFile !== undefined || isLocal)
    ? 'no plaintext: true with a caFile, or on loopback, where none is needed'
    : undefined
}
