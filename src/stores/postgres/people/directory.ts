// The built-in directory in PostgreSQL. Of each account the store of the sessions has the subject alone.
import pLimit from 'p-limit'
import type {
  Account,
  BuiltInDirectory,
  NewAccount,
  UniqueValue,
} from '../../ports/directory.ts'
import type { Statement } from '../database/connections.ts'
import { insertOf, readRow, updateOf } from './account-rows.ts'
import {
  createChangeAccount,
  type ChangeAccount,
  type ChangeParts,
} from './change-account.ts'
import { createPages } from './pages.ts'
import { rowOf } from './settle.ts'
import { insertValues, isNameTaken, locksOf, valuesOf, valueTaken } from './texts.ts'

/** So many of a list are added at once. */
const AT_ONCE = 8

/** Accounts in PostgreSQL. Who walks over all of them goes page by page (moving/both.ts). */
export type PostgresDirectory = Omit<BuiltInDirectory, 'all'>

/** Makes the directory. */
export function createPostgresDirectory(parts: ChangeParts): PostgresDirectory {
  const { connections, sessions, settlement } = parts
  const change = createChangeAccount(parts)
  const add = createAdd(parts)
  return {
    add,
    async addAll(accounts) {
      const inTurn = pLimit(AT_ONCE)
      const outcomes = await Promise.all(accounts.map(each => inTurn(add, each)))
      return new Set(accounts.filter((_, index) => outcomes[index] === 'added'))
    },
    ...createFind(parts),
    uniqueValuesOf: tag => valuesOf(connections.ask, tag),
    ...createPages(connections, sessions),
    ...createChanges(change, parts),
    async upgradePassword(tag, from, to) {
      const { text, values = [] } = updateOf(tag, { passwordHash: to })
      const rows = await connections.ask({
        text: `${text} AND password_hash = $${values.length + 1} RETURNING tag`,
        values: [...values, from],
      })
      return rows.length === 1
    },
    remove: tag =>
      connections.within(locksOf({ tag }), async run => {
        if ((await rowOf(run, tag)) === undefined) return false
        await sessions.directory.remove(tag)
        await run({ text: 'DELETE FROM latchkey.accounts WHERE tag = $1', values: [tag] })
        return true
      }),
    settle: () => settlement.settleAll(),
  }
}

/** Makes what looks for one account. What nobody has is as much work. */
function createFind({
  connections,
  sessions,
  settlement,
}: ChangeParts): Pick<BuiltInDirectory, 'byName' | 'byTag' | 'byValue'> {
  let foundLast = ''

  async function find(statement: Statement): Promise<Account | undefined> {
    const [row] = await connections.ask(statement)
    if (row === undefined) {
      await sessions.subjects.byTag(foundLast)
      return undefined
    }
    const stored = readRow(row)
    foundLast = stored.account.tag
    return settlement.current(stored)
  }

  return {
    byName: foldedName =>
      find({
        text: 'SELECT * FROM latchkey.accounts WHERE folded_name = $1',
        values: [foldedName],
      }),
    byTag: tag =>
      find({ text: 'SELECT * FROM latchkey.accounts WHERE tag = $1', values: [tag] }),
    byValue: ({ attribute, value }: UniqueValue) =>
      find({
        text:
          'SELECT a.* FROM latchkey.unique_values JOIN latchkey.accounts AS a USING (tag) ' +
          'WHERE attribute = $1 AND digest = sha256($2)',
        values: [attribute, Buffer.from(value)],
      }),
  }
}

/** Makes what adds an account, with its subject; `name_taken`: also where its `sub` is. */
function createAdd({ connections, sessions, settlement }: ChangeParts) {
  const insert = (account: NewAccount): ReturnType<BuiltInDirectory['add']> =>
    connections.within(locksOf(account), async run => {
      const { tag, sub, foldedName } = account
      const [rival] = await run({
        text: 'SELECT FROM latchkey.accounts WHERE tag = $1 OR sub = $2 OR folded_name = $3',
        values: [tag, sub, foldedName],
      })
      if (rival !== undefined || (await isNameTaken(run, account))) return 'name_taken'
      const taken = await valueTaken(run, account)
      if (taken !== undefined) return taken
      const now = await sessions.now()
      const { uniqueValues, logins: _, ...members } = account
      const added = {
        ...members,
        sessionsEpoch: 0,
        createdAt: now,
        updatedAt: now,
        version: 0,
      }
      await run(insertOf(added))
      await insertValues(run, tag, uniqueValues)
      return 'added'
    })

  return async (account: NewAccount): ReturnType<BuiltInDirectory['add']> => {
    const outcome = await insert(account)
    // Before the commit it could become a subject without an account.
    if (outcome === 'added') await settlement.settleOnce(account.tag)
    return outcome
  }
}

/** Makes what changes an account that is there. */
function createChanges(
  change: ChangeAccount,
  { sessions: { subjects } }: ChangeParts,
): Pick<
  BuiltInDirectory,
  | 'setAttributes'
  | 'change'
  | 'rename'
  | 'setPassword'
  | 'changePassword'
  | 'changePending'
  | 'adopt'
> {
  const endAll = (tag: string) => () => subjects.endSessions(tag)
  return {
    setAttributes: createSetAttributes(change),
    change({ tag, version, uniqueValues, logins, endsSessions, ...set }) {
      const texts = { tag, uniqueValues, logins, foldedName: set.foldedName }
      const end = endsSessions ? endAll(tag) : undefined
      return change({ ...texts, version, set, end }, async run =>
        (await isNameTaken(run, texts)) ? NAME_TAKEN : valueTaken(run, texts),
      )
    },
    async rename({ tag, logins, ...set }) {
      const texts = { tag, logins, foldedName: set.foldedName }
      const { kind } = await change({ ...texts, set }, async run =>
        (await isNameTaken(run, texts)) ? NAME_TAKEN : undefined,
      )
      if (kind === 'changed') return 'renamed'
      return kind === 'name_taken' ? 'name_taken' : 'user_unknown'
    },
    async setPassword(tag, passwordHash) {
      const { kind } = await change({ tag, set: { passwordHash }, end: endAll(tag) })
      return kind === 'changed'
    },
    async changePassword({ tag, passwordHash, version, keeps }) {
      const end = () => subjects.endOtherSessions(tag, keeps)
      return (await change({ tag, version, set: { passwordHash }, end })).kind
    },
    async changePending({ tag, version, pending, disabled, endsSessions }) {
      const set = { pending, ...(disabled === true && { disabled }) }
      const end = endsSessions ? endAll(tag) : undefined
      return (await change({ tag, version, set, end })).kind
    },
    async adopt(tag) {
      return (await change({ tag, set: { external: null } })).kind === 'changed'
    },
  }
}

const NAME_TAKEN = { kind: 'name_taken' } as const

/** Makes `setAttributes`. */
function createSetAttributes(change: ChangeAccount): BuiltInDirectory['setAttributes'] {
  return ({ tag, version, uniqueValues, logins, ...set }) => {
    const texts = { tag, uniqueValues, logins }
    return change({ ...texts, version, set }, run => valueTaken(run, texts))
  }
}
