// Moves the accounts of a store to PostgreSQL while servers run on both. All are copied; then those that were
// written meanwhile, again, and while nobody can write they are declared moved. What was copied twice is as
// good as once: whoever is interrupted begins anew.
import type { Account, UniqueValue } from '../../ports/directory.ts'
import type { MoveAccounts } from '../../ports/people/move.ts'
import type { Connections, Run } from '../database/connections.ts'
import { recordOf } from '../people/account-rows.ts'
import { isSubjectAlone, type SessionStore, type Settlement } from '../people/settle.ts'
import { MOVING, type Gate } from './gate.ts'

/** How many are copied in one step. */
const PAGE = 200

/** An account of the store with what nobody else may have. */
interface Owned {
  readonly account: Account
  readonly values: readonly UniqueValue[]
}

/** What the move is made with. */
export interface MoveParts {
  readonly connections: Connections
  readonly sessions: SessionStore
  readonly settlement: Settlement
  readonly gate: Gate
}

/** How much of the move the copies are, and the rest is telling the store of the sessions. */
const COPIED = 0.4

/** One of these works at a time. */
const COPYING = 'latchkey copying'

/** Makes the move. */
export function createMove({
  connections,
  sessions: { directory },
  settlement,
  gate,
}: MoveParts): MoveAccounts {
  const copyPage = createCopyPage({ connections, directory, gate })
  const copyTouched = createCopyTouched({ connections, directory })

  async function settleAll(show: (part: number) => void): Promise<void> {
    const total = await countOf(connections, 'WHERE unsettled')
    let settled = 0
    await settlement.settleAll(() => {
      settled += 1
      show(COPIED + (1 - COPIED) * Math.min(1, settled / total))
    })
  }

  return {
    async state() {
      const isMoved = await gate.isMoved()
      const accounts = isMoved ? await countOf(connections) : await directory.count()
      return { isMoved, accounts }
    },
    async run(show) {
      const total = await directory.count()
      let after: Account | undefined
      let copied = 0
      do {
        const page = await copyPage(after)
        after = page.at(-1)
        copied += page.length
        show(COPIED * Math.min(1, copied / (total + 1)))
      } while (after !== undefined)
      while (!(await gate.isMoved()) && !(await copyTouched())) show(COPIED)
      await settleAll(show)
      return countOf(connections)
    },
  }
}

type CopyParts = Pick<MoveParts, 'connections'> & Pick<SessionStore, 'directory'>

/** Makes the step that copies what follows an account; it copies nothing once all have been moved. */
function createCopyPage({
  connections,
  directory,
  gate,
}: CopyParts & Pick<MoveParts, 'gate'>) {
  return (after: Account | undefined): Promise<readonly Account[]> =>
    connections.within([COPYING], async run => {
      if (await gate.isMovedIn(run)) return []
      const page = await directory.page({ after, limit: PAGE })
      const own = page.filter(account => !isSubjectAlone(account))
      await put(run, await Promise.all(own.map(owned(directory))))
      return page
    })
}

/**
 * Makes the step that copies what was noted, while nobody writes; whether nothing is left: then all are
 * declared moved.
 */
function createCopyTouched({ connections, directory }: CopyParts) {
  return (): Promise<boolean> =>
    connections.within([COPYING, MOVING], async run => {
      const noted = await run({
        text: `DELETE FROM latchkey.touched WHERE tag IN
          (SELECT tag FROM latchkey.touched LIMIT ${PAGE}) RETURNING tag`,
      })
      const tags = noted.map(({ tag }) => String(tag))
      await run({
        text: 'DELETE FROM latchkey.accounts WHERE tag = ANY($1)',
        values: [tags],
      })
      const found = await Promise.all(tags.map(directory.byTag))
      const there = found.filter(account => account !== undefined)
      await put(run, await Promise.all(there.map(owned(directory))))
      if (tags.length === PAGE) return false
      await run({ text: 'UPDATE latchkey.format SET moved = true' })
      return true
    })
}

function owned({ uniqueValuesOf }: SessionStore['directory']) {
  return async (account: Account): Promise<Owned> => ({
    account,
    values: await uniqueValuesOf(account.tag),
  })
}

/**
 * Writes copies in the place of those of before. Who has lost a name or a value to one of them was written
 * since, or comes still: it is copied again.
 */
async function put(run: Run, copies: readonly Owned[]): Promise<void> {
  const records = copies.map(({ account }) => recordOf(account))
  const values = copies.flatMap(({ account: { tag }, values: own }) =>
    own.map(({ attribute, value }) => ({ tag, attribute, value: Buffer.from(value) })),
  )
  const columns = [
    values.map(({ attribute }) => attribute),
    values.map(({ value }) => value),
  ]
  await run({
    text: 'DELETE FROM latchkey.accounts WHERE tag = ANY($1) OR folded_name = ANY($2)',
    values: [
      copies.map(({ account }) => account.tag),
      copies.map(({ account }) => account.foldedName),
    ],
  })
  await run({
    text: `DELETE FROM latchkey.unique_values WHERE (attribute, value) IN
      (SELECT * FROM unnest($1::text[], $2::bytea[]))`,
    values: columns,
  })
  await run({
    text: `INSERT INTO latchkey.accounts
      SELECT * FROM jsonb_populate_recordset(NULL::latchkey.accounts, $1)`,
    values: [JSON.stringify(records)],
  })
  await run({
    text: `INSERT INTO latchkey.unique_values (attribute, value, tag)
      SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[])`,
    values: [...columns, values.map(({ tag }) => tag)],
  })
}

async function countOf({ ask }: Connections, where = ''): Promise<number> {
  const [row] = await ask({
    text: `SELECT count(*) AS accounts FROM latchkey.accounts ${where}`,
  })
  return Number(row?.['accounts'])
}
