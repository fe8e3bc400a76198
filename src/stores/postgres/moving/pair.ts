// Keeps a database and the store of its sessions together: both hold one random text. A command beside
// another store, an empty one above all, must never decide for the servers where the accounts are; and
// nobody may work on a store alone whose accounts have been moved.
import { systemRandom } from '../../../base/random.ts'
import type { Account } from '../../ports/directory.ts'
import type { StoredAccountsHome } from '../../ports/documents/accounts-home.ts'
import type { Store } from '../../ports/store.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import type { Connections, Run } from '../database/connections.ts'
import { isSubjectAlone } from '../people/settle.ts'
import { MOVING } from './gate.ts'

/** What is paired. */
export interface PairParts {
  readonly connections: Connections
  readonly sessions: Pick<Store, 'directory' | 'accountsHome'>
}

/** What the database knows; `pair` is empty as long as no store belongs to it. */
interface Format {
  readonly pair: string
  readonly isMoved: boolean
}

/** So many accounts are looked at from either end of the names. */
const LOOKED_AT = 100
/** Behind the last name of a subject (people/settle.ts): none of these is a name that somebody could have. */
const BEHIND_SUBJECTS = '@postgres \u{10FFFF}'

/**
 * Looks whether the store is the database's, and makes it so where either has none. Where nobody has an
 * account yet, accounts are PostgreSQL's from then on. Rejects with StoreUnavailable, also where they don't
 * belong together.
 */
export async function pairUp(parts: PairParts): Promise<void> {
  const { connections, sessions } = parts
  const [home, format] = await Promise.all([
    sessions.accountsHome.load(),
    formatIn(connections.ask),
  ])
  const isPaired = home.pair !== '' && home.pair === format.pair
  if (isPaired && home.isElsewhere === format.isMoved) return
  // Redis may have to look through all accounts first, for longer than a transaction may be silent.
  await ownAccounts(sessions)
  // Nobody writes an account meanwhile, and no move ends.
  const joined = await connections.within([MOVING], run => join(parts, run))
  // Last: what says so keeps out those who have no PostgreSQL.
  if (joined.isMoved) await tell(sessions, { pair: joined.pair, isElsewhere: true })
}

/**
 * Tells the store that its accounts are in PostgreSQL from now on.
 *
 * @throws StoreUnavailable where another process tells it something else
 */
export async function tellElsewhere({
  accountsHome,
}: Pick<Store, 'accountsHome'>): Promise<void> {
  const { pair } = await accountsHome.load()
  await tell({ accountsHome }, { pair, isElsewhere: true })
}

async function formatIn(run: Run): Promise<Format> {
  const [format] = await run({ text: 'SELECT pair, moved FROM latchkey.format' })
  return { pair: String(format?.['pair']), isMoved: format?.['moved'] === true }
}

async function join({ connections, sessions }: PairParts, run: Run): Promise<Format> {
  const { where } = connections
  const home = await sessions.accountsHome.load()
  const format = await formatIn(run)
  const own = await ownAccounts(sessions)
  refuseOther({ home, format, hasOwn: own.length > 0, where })
  if (format.isMoved) await refuseUnknown(run, own, where)
  const isBeginning = !format.isMoved && format.pair === '' && own.length === 0
  if (isBeginning) await refuseTraces(run, sessions, where)
  const isMoved = format.isMoved || isBeginning
  const pair = format.pair || home.pair || systemRandom.uuid()
  if (home.pair !== pair) await tell(sessions, { pair, isElsewhere: home.isElsewhere })
  if (format.pair !== pair) {
    const text = 'UPDATE latchkey.format SET pair = $1, moved = $2'
    await run({ text, values: [pair, isMoved] })
  }
  return { pair, isMoved }
}

/** Refuses what can't belong together by what both say. */
function refuseOther({
  home,
  format,
  hasOwn,
  where,
}: {
  readonly home: StoredAccountsHome
  readonly format: Format
  readonly hasOwn: boolean
  readonly where: string
}): void {
  const isOther = format.pair !== '' && format.pair !== home.pair
  if (format.isMoved) {
    // A store that was lost, or put back from before it was paired, is paired anew.
    if (isOther && home.pair !== '') throw belongsToOther(where)
    return
  }
  // A move that died between its last two steps has told the store alone, which has the accounts still.
  if (home.isElsewhere && !(hasOwn && home.pair === format.pair)) {
    throw areElsewhere(where)
  }
  if (isOther) throw belongsToOther(where)
}

/** Refuses a store that has accounts of its own, where none of those that are looked at has been moved. */
async function refuseUnknown(
  run: Run,
  own: readonly Account[],
  where: string,
): Promise<void> {
  if (own.length === 0 || (await areKnown(run, own))) return
  throw refused(
    'store.url has accounts that the PostgreSQL of store.accounts does not know ' +
      `(${where}), where all others have been moved: nobody of them could log in. Name the store that ` +
      'belongs to it, or one without accounts',
  )
}

async function areKnown(run: Run, accounts: readonly Account[]): Promise<boolean> {
  const values = [accounts.map(({ tag }) => tag)]
  const text = 'SELECT FROM latchkey.accounts WHERE tag = ANY($1) LIMIT 1'
  return (await run({ text, values })).length > 0
}

/** Nobody decides that accounts begin in PostgreSQL where there have been some, here or there. */
async function refuseTraces(
  run: Run,
  { directory }: PairParts['sessions'],
  where: string,
): Promise<void> {
  const subjects = await directory.page({ limit: 1 })
  if (subjects.length > 0) {
    // A database from before there were pairs.
    if (await areKnown(run, subjects)) return
    throw areElsewhere(where)
  }
  const text =
    'SELECT FROM latchkey.accounts UNION ALL SELECT FROM latchkey.touched LIMIT 1'
  if ((await run({ text })).length > 0) throw belongsToOther(where)
}

/** The first and the last ones that are more than subjects. */
async function ownAccounts({
  directory,
}: PairParts['sessions']): Promise<readonly Account[]> {
  const ends = await Promise.all(
    [undefined, BEHIND_SUBJECTS].map(after =>
      directory.search({ prefix: '', after, limit: LOOKED_AT }),
    ),
  )
  return ends
    .flat()
    .map(({ account }) => account)
    .filter(account => !isSubjectAlone(account))
}

async function tell(
  { accountsHome }: Pick<Store, 'accountsHome'>,
  { pair, isElsewhere }: Pick<StoredAccountsHome, 'pair' | 'isElsewhere'>,
): Promise<void> {
  const home = await accountsHome.load()
  if (home.pair === pair && home.isElsewhere === isElsewhere) return
  if (await accountsHome.save({ ...home, pair, isElsewhere })) return
  throw refused(
    'another process has named a PostgreSQL for store.url meanwhile: start again',
  )
}

function belongsToOther(where: string): StoreUnavailable {
  return refused(
    `the PostgreSQL at ${where} (store.accounts) belongs to another store than the one of store.url. ` +
      'Correct one of them. If that store is lost, or was put back as it was before store.accounts, and ' +
      'nobody has been moved yet: stop the servers, and there DROP SCHEMA latchkey CASCADE, which has ' +
      'copies alone',
  )
}

function areElsewhere(where: string): StoreUnavailable {
  return refused(
    `the accounts of store.url are in a PostgreSQL, and the one at ${where} (store.accounts) does not have ` +
      'them: nobody could log in. Name the one that has them, or put that one back as it was after the move',
  )
}

function refused(reason: string): StoreUnavailable {
  return new StoreUnavailable(new Error(reason), reason)
}
