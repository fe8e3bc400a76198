// Copies the accounts of a store to PostgreSQL, step by step, while servers go on writing them where they
// are. What a run that was stopped has left is thrown away first: an account may have gone since. The last
// step finds nothing left that was written meanwhile, and declares the accounts moved before anybody writes.
import type { Account, UniqueValue } from '../../ports/directory.ts'
import type { Store } from '../../ports/store.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import type { Connections, Run } from '../database/connections.ts'
import { recordOf } from '../people/account-rows.ts'
import { isSubjectAlone } from '../people/settle.ts'
import { MOVING, type Gate } from './gate.ts'
import { tellElsewhere } from './pair.ts'

/** What it works with. */
export interface CopyParts {
  readonly connections: Connections
  readonly sessions: Pick<Store, 'directory' | 'accountsHome'>
  readonly gate: Gate
}

/** What a step has done. */
interface Step {
  /** How many accounts are in PostgreSQL more than before; negative: some have gone. */
  readonly added: number
}

/** The steps of one run; undefined in the place of a step: another run has moved the accounts. */
export interface Copying {
  /** Copies what follows an account; `last` is the last one, undefined at the end. */
  page(
    after: Account | undefined,
  ): Promise<
    (Step & { readonly read: number; readonly last: Account | undefined }) | undefined
  >
  /** Copies what was written since the run began; `isMoved`: nothing was left, and they are moved now. */
  touched(): Promise<(Step & { readonly isMoved: boolean }) | undefined>
}

/** An account of the store with what nobody else may have. */
interface Owned {
  readonly account: Account
  readonly values: readonly UniqueValue[]
}

/** How many are copied in one step. */
const PAGE = 200
/** Steps grow up to so many, so that they overtake an import that goes on. */
const MOST = 3_200
/** Accounts of one page may swap names while it is read: it is read again. */
const TRIES = 3
/** One of the steps at a time. */
const COPYING = 'latchkey copying'
/** The code of two rows that have what only one may have. */
const CLASH = '23505'

/** Begins a run, which ends those that began before; undefined: the accounts have been moved. */
export async function beginCopying(parts: CopyParts): Promise<Copying | undefined> {
  const { connections, gate } = parts
  const own = await connections.within([COPYING, MOVING], async run => {
    if (await gate.isMovedIn(run)) return undefined
    // Whoever has noted an account and not written it yet finds the note gone, and notes it again.
    await run({
      text: 'TRUNCATE latchkey.accounts, latchkey.unique_values, latchkey.touched',
    })
    return runsIn(run, 'UPDATE latchkey.format SET runs = runs + 1 RETURNING runs')
  })
  return own === undefined ? undefined : createCopying(parts, own)
}

function createCopying({ connections, sessions, gate }: CopyParts, own: number): Copying {
  const { directory } = sessions
  let most = PAGE

  /** A step, unless another run has moved the accounts, or begun. */
  const step = <Result>(texts: readonly string[], work: (run: Run) => Promise<Result>) =>
    connections.within([COPYING, ...texts], async run => {
      if (await gate.isMovedIn(run)) return undefined
      if ((await runsIn(run, 'SELECT runs FROM latchkey.format')) !== own) {
        throw overtaken()
      }
      return work(run)
    })

  return {
    page: after =>
      untilUnclashed(() =>
        step([], async run => {
          const page = await directory.page({ after, limit: PAGE })
          const accounts = page.filter(account => !isSubjectAlone(account))
          const added = await put(run, await withValues(directory, accounts))
          return { added, read: page.length, last: page.at(-1) }
        }),
      ),
    touched: () =>
      step([MOVING], async run => {
        const noted = await run({
          text: `DELETE FROM latchkey.touched WHERE tag IN
            (SELECT tag FROM latchkey.touched LIMIT ${most}) RETURNING tag`,
        })
        const tags = noted.map(({ tag }) => String(tag))
        const removed = await run({
          text: 'DELETE FROM latchkey.accounts WHERE tag = ANY($1) RETURNING tag',
          values: [tags],
        })
        const found = await Promise.all(tags.map(directory.byTag))
        const accounts = found.filter(account => account !== undefined)
        const added = await put(run, await withValues(directory, accounts))
        const isMoved = tags.length < most
        if (isMoved) {
          // First: whoever has no PostgreSQL is kept out before the first change is made there.
          await tellElsewhere(sessions)
          await run({ text: 'UPDATE latchkey.format SET moved = true' })
        }
        most = Math.min(MOST, most * 2)
        return { added: added - removed.length, isMoved }
      }),
  }
}

async function runsIn(run: Run, text: string): Promise<number> {
  const [format] = await run({ text })
  return Number(format?.['runs'])
}

function overtaken(): StoreUnavailable {
  const reason =
    'another `latchkey users move` has begun since and does all of it: wait for that one'
  return new StoreUnavailable(new Error(reason), reason)
}

/** Tries again, so often, where two copies have what only one may have. */
async function untilUnclashed<Result>(
  work: () => Promise<Result>,
  tries = TRIES,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const { code } = Object(Object(error).cause)
    if (code !== CLASH || tries === 1) throw error
    return untilUnclashed(work, tries - 1)
  }
}

function withValues(
  { uniqueValuesOf }: Store['directory'],
  accounts: readonly Account[],
): Promise<readonly Owned[]> {
  return Promise.all(
    accounts.map(async account => ({
      account,
      values: await uniqueValuesOf(account.tag),
    })),
  )
}

/**
 * Writes copies in the place of those of before; gives how many there are more. An account that loses its
 * name or a value to one of them was changed meanwhile: it is noted, and copied again.
 */
async function put(run: Run, copies: readonly Owned[]): Promise<number> {
  const records = copies.map(({ account }) => recordOf(account))
  const values = copies.flatMap(({ account: { tag }, values: own }) =>
    own.map(({ attribute, value }) => ({ tag, attribute, value: Buffer.from(value) })),
  )
  const columns = [
    values.map(({ attribute }) => attribute),
    values.map(({ value }) => value),
  ]
  const replaced = await run({
    text: 'DELETE FROM latchkey.accounts WHERE tag = ANY($1) OR folded_name = ANY($2) RETURNING tag',
    values: [
      copies.map(({ account }) => account.tag),
      copies.map(({ account }) => account.foldedName),
    ],
  })
  await run({
    text: `DELETE FROM latchkey.unique_values WHERE (attribute, digest) IN
      (SELECT attribute, sha256(value) FROM unnest($1::text[], $2::bytea[]) AS v (attribute, value))`,
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
  return copies.length - replaced.length
}
