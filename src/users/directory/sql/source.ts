// What is asked of a database of somebody else's: one statement, and no more than two rows of its answer.
import { readFileSync } from 'node:fs'
import pLimit from 'p-limit'
import { isLoopbackName } from '../../../base/loopback.ts'
import { readValueFile } from '../../../base/value-file.ts'

/** A row, by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>

/** An answer. */
export interface Answer {
  /** There also where there are no rows. */
  readonly columns: readonly string[]
  /** At most two. */
  readonly rows: readonly Row[]
}

/** A statement in the form of a database, and where its values come from. */
export interface Statement {
  readonly text: string
  /** For each parameter in its order which of the values it is. */
  readonly order: readonly number[]
}

/** A database gave no answer. The message is for the log: no name, no password, nothing of a row. */
export class SqlFault extends Error {
  override name = 'SqlFault'
  /**
   * What it is about, where the database isn't away: this question alone, such as a name that a column can't
   * be compared with, or that so many are asked already.
   */
  readonly scope: 'question' | 'busy' | undefined

  constructor(message: string, scope?: SqlFault['scope']) {
    super(message)
    this.scope = scope
  }
}

/** A database. */
export interface SqlSource {
  /** Asks. Rejects with SqlFault; when `signal` aborts, the connection is given up. */
  ask(
    statement: Statement,
    values: readonly string[],
    signal: AbortSignal,
  ): Promise<Answer>
  /** Lets go of every connection. */
  close(): Promise<void>
}

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

const PORTS = { postgres: 5432, mysql: 3306 }

/** Whether it is PostgreSQL; else it is MariaDB or MySQL. */
export function isPostgres({ url }: Pick<SqlServer, 'url'>): boolean {
  return url.startsWith('postgres')
}

/**
 * Reads what a connection needs; files are read anew. Throws SqlFault that names a file that can't be read.
 */
export function credentialsOf(server: SqlServer): Credentials {
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
  throw new SqlFault(`passwordFile: expected ${read.expected}`)
}

function authoritiesOf({ caFile }: SqlServer): { readonly ca?: string } {
  if (caFile === undefined) return {}
  try {
    return { ca: readFileSync(caFile, 'utf8') }
  } catch (error) {
    throw new SqlFault(
      `caFile: expected ${caFile} to be readable (${Object(error).code})`,
    )
  }
}

/** Gives as many questions a turn at once as there are connections. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>

/**
 * Makes the turns. Who has waited for half of `timeout` is told that the database is busy: it isn't away.
 */
export function createTurns({ connections, timeout }: SqlServer): InTurn {
  const limit = pLimit(connections)
  return async <Result>(work: () => Promise<Result>) => {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    let isWaiting = true
    const timer = setTimeout(() => {
      isWaiting = false
      reject(
        new SqlFault(`all ${connections} connections (connections) are in use`, 'busy'),
      )
    }, timeout / 2)
    limit(async () => {
      clearTimeout(timer)
      if (isWaiting) await work().then(resolve, reject)
    }).then()
    return promise
  }
}

/** Opens something once, and again after it could not be opened, or was let go. */
export function createOnce<Opened>(open: () => Promise<Opened>) {
  let opened: Promise<Opened> | undefined
  const once = {
    get(): Promise<Opened> {
      opened ??= open()
      const mine = opened
      mine.catch(() => {
        once.letGo(mine)
      })
      return mine
    },
    /** What was opened, if that is still the one; undefined: nothing is open. */
    letGo(mine = opened): Promise<Opened> | undefined {
      if (mine === opened) opened = undefined
      return mine
    },
  }
  return once
}

/** Rejects when `signal` aborts, whatever becomes of the work. */
export async function unlessAborted<Result>(
  signal: AbortSignal,
  work: Promise<Result>,
): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>()
  const giveUp = () =>
    reject(new SqlFault('nobody waits for the answer any more', 'question'))
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** Where a server is, for a message: never with user or password. */
export function whereOf({ url }: Pick<SqlServer, 'url'>): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname}`
}
