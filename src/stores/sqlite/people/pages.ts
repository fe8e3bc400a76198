// Pages of accounts in SQLite: by the index of their creation, or by those of names and unique values.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { readInPieces } from '../../../base/pieces.ts'
import type { Account, BuiltInDirectory, FoundText } from '../../ports/directory.ts'
import { walkPages } from '../../ports/people/walk-pages.ts'
import { reading } from '../database/database.ts'
import type { Row } from '../database/row.ts'
import { ACCOUNT_SQL, FOUND_TEXT, readAccount } from './account-columns.ts'

/** How many accounts `all` reads in one step. */
const WALK_PAGE = 100
/** Sorts before every account. */
const START = { createdAt: Number.MIN_SAFE_INTEGER, sub: '' }
/** Sorts behind every text. */
const END = new Uint8Array()
const LAST_CODE_POINT = 0x10ffff
/** UTF-8 has none of these. */
const SURROGATES = { first: 0xd800, last: 0xdfff }

type Pages = Pick<BuiltInDirectory, 'page' | 'search' | 'all' | 'settle'>

/** Makes the pages. */
export function createPages(db: DatabaseSync): Pages {
  const page = createPage(db)
  return {
    page,
    search: createSearch(db),
    all: () => walkPages(page, WALK_PAGE),
    // The indexes are SQLite's own: nobody is missing.
    settle: async () => {},
  }
}

function createPage(db: DatabaseSync): BuiltInDirectory['page'] {
  const select = db.prepare(ACCOUNT_SQL.page)
  return ({ after = START, limit: all }) =>
    readInPieces<Account>(all, (last, limit) => {
      const { createdAt, sub } = last ?? after
      return reading(db, () => select.all({ createdAt, sub, limit }).map(readAccount))
    })
}

function createSearch(db: DatabaseSync): BuiltInDirectory['search'] {
  const byNames = db.prepare(ACCOUNT_SQL.byNames)
  const byValues = db.prepare(ACCOUNT_SQL.byValues)
  return ({ attribute, prefix, after: first, limit: all }) => {
    const before = endOf(prefix)
    const next = (after: string | undefined, limit: number) =>
      reading(db, () => {
        // No text lies between another one and the same with NUL behind it.
        const from = after === undefined ? prefix : `${after}\0`
        const range = { from, before, limit }
        const rows =
          attribute === undefined
            ? byNames.all(range)
            : byValues.all({ ...range, attribute })
        return rows.map(foundIn)
      })
    return readInPieces<FoundText>(all, (last, limit) => next(last?.text ?? first, limit))
  }
}

function foundIn(row: Row): FoundText {
  return { account: readAccount(row), text: String(row[FOUND_TEXT]) }
}

/**
 * What follows all texts that begin with the prefix. SQLite compares bytes, whose order is that of code
 * points.
 */
function endOf(prefix: string): SQLInputValue {
  const points = Array.from(prefix, character => Number(character.codePointAt(0)))
  const place = points.findLastIndex(point => point < LAST_CODE_POINT)
  if (place === -1) return END
  const next = Number(points[place]) + 1
  const isSurrogate = next >= SURROGATES.first && next <= SURROGATES.last
  return String.fromCodePoint(
    ...points.slice(0, place),
    isSurrogate ? SURROGATES.last + 1 : next,
  )
}
