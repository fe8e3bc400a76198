// Pages of accounts in PostgreSQL: by the index of their creation, or by those of names and unique values.
import type { Account, AccountSearch, BuiltInDirectory } from '../../ports/directory.ts'
import type { Connections, Row, Statement } from '../database/connections.ts'
import { readRow } from './account-rows.ts'
import type { SessionStore } from './settle.ts'

/** Sorts before every account. */
const START = { createdAt: Number.MIN_SAFE_INTEGER, sub: '' }
const LAST_CODE_POINT = 0x10ffff
/** UTF-8 has none of these. */
const SURROGATES = { first: 0xd800, last: 0xdfff }

type Pages = Pick<BuiltInDirectory, 'page' | 'search' | 'count'>

/** Makes the pages. */
export function createPages(
  { ask }: Connections,
  { subjects }: Pick<SessionStore, 'subjects'>,
): Pages {
  /** Lists say what the store of the sessions counts, and settle nothing. */
  async function listed(row: Row): Promise<Account> {
    const { account } = readRow(row)
    const { sessionsEpoch } = (await subjects.byTag(account.tag)) ?? account
    return { ...account, sessionsEpoch }
  }

  async function page({
    after: { createdAt, sub } = START,
    limit,
  }: Parameters<BuiltInDirectory['page']>[0]) {
    const rows = await ask({
      text:
        'SELECT * FROM latchkey.accounts WHERE (created_at, sub) > ($1, $2) ' +
        'ORDER BY created_at, sub LIMIT $3',
      values: [createdAt, sub, limit],
    })
    return Promise.all(rows.map(listed))
  }

  return {
    page,
    async search(search) {
      const statement = statementOf(search)
      const rows = statement === undefined ? [] : await ask(statement)
      return Promise.all(
        rows.map(async row => ({ account: await listed(row), text: textOf(row) })),
      )
    },
    async count() {
      const [row] = await ask({
        text: 'SELECT count(*) AS accounts FROM latchkey.accounts',
      })
      return Number(row?.['accounts'])
    },
  }
}

/** Values are bytes: a text can hold no NUL there. */
function textOf({ found }: Row): string {
  return String(found)
}

/** Where texts of one kind are, and how they are written. */
interface Texts {
  readonly from: string
  readonly column: string
  /** What of the column an index has, in its order; the whole column where it has that. */
  readonly begin: (text: string) => string
  readonly write: (text: string) => unknown
}

const NAMES: Texts = {
  from: 'latchkey.accounts AS a',
  column: 'folded_name',
  begin: text => text,
  write: text => text,
}

const VALUES: Texts = {
  from: 'latchkey.unique_values JOIN latchkey.accounts AS a USING (tag)',
  column: 'value',
  // As the index has it (database/steps.ts).
  begin: text => `substring(${text}::bytea FROM 1 FOR 256)`,
  write: text => Buffer.from(text),
}

/** Undefined: no name begins so. */
function statementOf({
  attribute,
  prefix,
  after,
  limit,
}: AccountSearch): Statement | undefined {
  if (attribute === undefined && prefix.includes('\0')) return undefined
  const { from, column, begin, write } = attribute === undefined ? NAMES : VALUES
  const values: unknown[] = [limit]
  const conditions: string[] = []
  if (attribute !== undefined) conditions.push(`attribute = $${values.push(attribute)}`)
  for (const [operator, text] of boundsOf({ prefix, after })) {
    const bound = `$${values.push(write(text))}`
    conditions.push(
      // The index has the first, and the second is exact.
      `${begin(column)} ${operator.slice(0, 1)}= ${begin(bound)}`,
      `${column} ${operator} ${bound}`,
    )
  }
  return {
    text:
      `SELECT a.*, ${column} AS found FROM ${from} WHERE ${conditions.join(' AND ')} ` +
      `ORDER BY ${begin(column)}, ${column} LIMIT $1`,
    values,
  }
}

/** What a text that is searched has to be. */
function boundsOf({
  prefix,
  after,
}: Pick<AccountSearch, 'prefix' | 'after'>): ReadonlyArray<[string, string]> {
  const end = endOf(prefix)
  return [
    ['>=', prefix],
    ...(after === undefined ? [] : [['>', after] satisfies [string, string]]),
    ...(end === undefined ? [] : [['<', end] satisfies [string, string]]),
  ]
}

/**
 * What follows all texts that begin with the prefix, in the order of bytes, which is that of code points;
 * undefined: nothing does.
 */
function endOf(prefix: string): string | undefined {
  const points = Array.from(prefix, character => Number(character.codePointAt(0)))
  const place = points.findLastIndex(point => point < LAST_CODE_POINT)
  if (place === -1) return undefined
  const next = Number(points[place]) + 1
  const isSurrogate = next >= SURROGATES.first && next <= SURROGATES.last
  return String.fromCodePoint(
    ...points.slice(0, place),
    isSurrogate ? SURROGATES.last + 1 : next,
  )
}
