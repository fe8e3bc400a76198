// What is asked of a database of somebody else's: one statement, and no more than two rows of its answer.
import pLimit from 'p-limit'
import {
  readCredentials,
  type Credentials,
  type SqlServer,
} from '../../../base/sql/server.ts'

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

/** Why a question was given up. */
export const NOBODY_WAITS = 'nobody waits for the answer any more'

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

/**
 * Reads what a connection needs; files are read anew. Throws SqlFault that names a file that can't be read.
 */
export function credentialsOf(server: SqlServer): Credentials {
  try {
    return readCredentials(server)
  } catch (error) {
    throw new SqlFault(Object(error).message)
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
    /** What was opened, for whoever lets it go first; undefined: nothing is open, or another one is. */
    letGo(mine = opened): Promise<Opened> | undefined {
      if (mine !== opened) return undefined
      opened = undefined
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
  const giveUp = () => reject(new SqlFault(NOBODY_WAITS, 'question'))
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
