// A directory that is a table of somebody else's: one statement of the operator's, which only reads, finds
// the row of a name, and Latchkey checks the password against the hash in it. The password never goes to the
// database.
import type { HashFault } from '../../hashing/hasher.ts'
import type {
  ExternalSettings,
  Lookup,
  NamedDirectory,
  Unavailable,
  Verdict,
} from '../external.ts'
import { readRow, wrongColumns, type Read } from './row.ts'
import { isPostgres, type SqlServer } from '../../../base/sql/server.ts'
import { SqlFault, type Answer, type SqlSource, type Statement } from './source.ts'
import { compile } from './statement.ts'

/** What the configuration says of it. */
export interface SqlDirectorySettings extends ExternalSettings, SqlServer {
  readonly type: 'sql'
  /** Finds who has a name: `$1` as typed, `$2` as names are compared. */
  readonly query: string
  /** Finds who has an id, `$1`; undefined: nobody is looked up between logins. */
  readonly lookup?: string | undefined
  /** Is put behind every password before it is hashed, as Devise does; undefined: nothing. */
  readonly pepper?: string | undefined
}

export interface SqlDirectoryOptions {
  readonly settings: SqlDirectorySettings
  readonly source: SqlSource
  /** Why a hash can't be checked; undefined when it can. */
  readonly checkForeign: (hash: string) => HashFault | undefined
}

const WANTED = ['id', 'name', 'password_hash']

/** Makes the directory. */
export function createSqlDirectory({
  settings,
  source,
  checkForeign,
}: SqlDirectoryOptions): NamedDirectory {
  const { pepper = '' } = settings
  const style = isPostgres(settings) ? 'numbered' : 'positional'
  const byName = {
    key: 'query',
    statement: compile(settings.query, style),
    wanted: WANTED,
  }
  const byId =
    settings.lookup === undefined
      ? undefined
      : {
          key: 'lookup',
          statement: compile(settings.lookup, style),
          wanted: WANTED.slice(0, 2),
        }

  return {
    settings,
    givesHashes: true,
    takesAnyId: true,
    async verify({ name, foldedName }, signal): Promise<Verdict> {
      const found = await find(byName, [name, foldedName], signal)
      if (found === undefined) return { kind: 'unknown' }
      if ('fault' in found) return found
      const { identity, passwordHash } = found
      if (passwordHash === undefined) return { kind: 'wrong' }
      const fault = checkForeign(passwordHash)
      if (fault !== undefined) {
        return ofQuestion(`the column password_hash of query: ${fault.detail}`)
      }
      return { kind: 'hash', identity, passwordHash, pepper }
    },
    async lookup(id, signal): Promise<Lookup> {
      if (byId === undefined) return { kind: 'unasked' }
      const found = await find(byId, [id], signal)
      if (found === undefined) return { kind: 'gone' }
      if ('fault' in found) return found
      const { columns } = found
      const identity = {
        ...found.identity,
        keeps: (attribute: string) => !columns.includes(attribute),
      }
      return identity.externalId === id
        ? { kind: 'found', identity }
        : ofQuestion('lookup gave the row of another id than the one that was asked for')
    },
    close: () => source.close(),
  }

  async function find(
    {
      key,
      statement,
      wanted,
    }: { key: string; statement: Statement; wanted: readonly string[] },
    values: readonly string[],
    signal: AbortSignal,
  ): Promise<(Read & Pick<Answer, 'columns'>) | Unavailable | undefined> {
    const answer = await source.ask(statement, values, signal).catch(unavailableBy)
    if ('fault' in answer) return answer
    const wrong = wrongColumns(answer.columns, wanted)
    if (wrong !== undefined) return { kind: 'unavailable', fault: `${key} has ${wrong}` }
    const [row, second] = answer.rows
    if (row === undefined) return undefined
    if (second !== undefined) {
      return ofQuestion(`${key} gave more than one row, and nobody is let in by it`)
    }
    const read = readRow(row)
    if ('fault' in read) return ofQuestion(`${key}: ${read.fault}`)
    return { ...read, columns: answer.columns }
  }
}

function unavailableBy(error: unknown): Unavailable {
  if (!(error instanceof SqlFault)) throw error
  const { message, scope } = error
  return { kind: 'unavailable', fault: message, ...(scope !== undefined && { scope }) }
}

function ofQuestion(fault: string): Unavailable {
  return { kind: 'unavailable', scope: 'question', fault }
}
