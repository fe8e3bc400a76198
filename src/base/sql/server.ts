// Where a database server is and how it is reached: what a URL, a password and the files beside them say.
import { readFileSync } from 'node:fs'
import { isLoopbackName } from '../loopback.ts'
import { readValueFile } from '../value-file.ts'

/** Where a database is, and who we are there. */
export interface SqlServer {
  /** `postgres://…` or `mysql://…`, with user and database. */
  readonly url: string
  /** In the place of the URL's. */
  readonly password?: string | undefined
  /** A file that holds it, read again at every connection. */
  readonly passwordFile?: string | undefined
  /** PEM of the authorities that may vouch for the server; undefined: those that Node knows. */
  readonly caFile?: string | undefined
  /** Whether it may be reached in the clear, elsewhere than on loopback, too. */
  readonly plaintext: boolean
  /** How many connections there may be. */
  readonly connections: number
  /** The deadline of a statement; milliseconds. */
  readonly timeout: number
}

/** What a driver connects with. */
export interface Credentials {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly password: string
  /** Undefined: in the clear. */
  readonly tls: { readonly ca?: string } | undefined
}

/** A file that can't be used; the message names the setting and the file, and nothing that is in it. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile'
}

const PORTS = { postgres: 5432, mysql: 3306 }

/** Whether it is PostgreSQL; else it is MariaDB or MySQL. */
export function isPostgres({ url }: Pick<SqlServer, 'url'>): boolean {
  return url.startsWith('postgres')
}

/**
 * Reads what a connection needs; files are read anew.
 *
 * @throws UnreadableFile
 */
export function readCredentials(server: SqlServer): Credentials {
  const { url, plaintext, caFile } = server
  const { hostname, port, username, pathname } = new URL(url)
  const standard = isPostgres(server) ? PORTS.postgres : PORTS.mysql
  const mayBeRead = plaintext || (caFile === undefined && isLoopbackName(hostname))
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? standard : Number(port),
    user: decodeURIComponent(username),
    database: decodeURIComponent(pathname.slice(1)),
    password: passwordOf(server),
    tls: mayBeRead ? undefined : authoritiesOf(server),
  }
}

function passwordOf({ url, password, passwordFile }: SqlServer): string {
  if (passwordFile === undefined) {
    return password ?? decodeURIComponent(new URL(url).password)
  }
  const read = readValueFile(passwordFile)
  if ('value' in read) return read.value
  throw new UnreadableFile(`passwordFile: expected ${read.expected}`)
}

function authoritiesOf({ caFile }: SqlServer): { readonly ca?: string } {
  if (caFile === undefined) return {}
  try {
    return { ca: readFileSync(caFile, 'utf8') }
  } catch (error) {
    throw new UnreadableFile(
      `caFile: expected ${caFile} to be readable (${Object(error).code})`,
    )
  }
}

/** Where a server is, for a message: never with user or password. */
export function whereOf({ url }: Pick<SqlServer, 'url'>): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname}`
}
