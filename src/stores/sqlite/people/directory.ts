// The built-in directory in SQLite. Removing an account takes its families along (ON DELETE CASCADE).
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type { BuiltInDirectory, NewAccount, ValueTaken } from '../../ports/directory.ts'
import { reading, writing } from '../database/database.ts'
import { createSqliteStatusBits } from '../sessions/status-bits.ts'
import { ACCOUNT_SQL, insertSql, readAccount, writeColumns } from './account-columns.ts'
import {
  createChangeAccount,
  createChangeIn,
  type AccountChange,
} from './change-account.ts'
import { createChangeWhole } from './change-whole.ts'
import { createTakenTexts } from './login-texts.ts'
import { createPages } from './pages.ts'
import { createSetAttributes } from './set-attributes.ts'
import { createUniqueValues } from './unique-values.ts'

export function createSqliteDirectory(db: DatabaseSync, clock: Clock): BuiltInDirectory {
  const add = createAdd(db, clock)
  const change = createChangeAccount(db, clock)
  const upgrade = db.prepare(ACCOUNT_SQL.upgradePassword)
  const remove = db.prepare(ACCOUNT_SQL.remove)
  const bits = createSqliteStatusBits(db)
  const values = createUniqueValues(db)

  return {
    add: account => writing(db, () => add(account)),
    // One sync to the disk for all.
    addAll: accounts =>
      writing(db, () => new Set(accounts.filter(account => add(account) === 'added'))),
    byName: createByName(db),
    byTag: createByTag(db),
    byValue: createByValue(db),
    uniqueValuesOf: tag => reading(db, () => values.of(tag)),
    setAttributes: createSetAttributes(db, clock),
    change: createChangeWhole(db, clock),
    count: createCount(db),
    rename: createRename(db, clock),
    setPassword: (tag, passwordHash) =>
      change({ tag, set: { passwordHash }, endsSessions: true }),
    ...createChangesAt(db, clock),
    upgradePassword: (tag, from, to) =>
      writing(db, () => upgrade.run({ tag, from, to }).changes === 1),
    adopt: tag =>
      change({
        tag,
        set: { external: null },
        endsSessions: false,
      }),
    remove: tag =>
      writing(db, () => {
        const { changes } = remove.run(tag)
        bits.setOfUser(tag)
        return changes === 1
      }),
    ...createPages(db),
  }
}

/** Makes a step that adds an account; `name_taken`: also where its `sub` is. */
function createAdd(
  db: DatabaseSync,
  clock: Clock,
): (account: NewAccount) => 'added' | 'name_taken' | ValueTaken {
  const insert = db.prepare(insertSql())
  const remove = db.prepare(ACCOUNT_SQL.remove)
  const values = createUniqueValues(db)
  const texts = createTakenTexts(db, values)
  return ({ uniqueValues, pending = null, external = null, logins, ...account }) => {
    const now = clock()
    if (texts.isNameTaken(account.tag, logins)) return 'name_taken'
    const row = writeColumns({
      ...account,
      pending,
      external,
      sessionsEpoch: 1,
      createdAt: now,
      updatedAt: now,
      version: 0,
    })
    if (insert.run(row).changes === 0) return 'name_taken'
    const taken =
      values.takenFrom(account.tag, uniqueValues) ?? texts.valueTaken(account.tag, logins)
    if (taken !== undefined) {
      remove.run(account.tag)
      return taken
    }
    values.replace(account.tag, uniqueValues)
    return 'added'
  }
}

function createRename(db: DatabaseSync, clock: Clock): BuiltInDirectory['rename'] {
  const changeIn = createChangeIn(db, clock)
  const holder = db.prepare(ACCOUNT_SQL.byName)
  const texts = createTakenTexts(db, createUniqueValues(db))
  return ({ tag, name, foldedName, logins }) =>
    writing(db, () => {
      const row = holder.get(foldedName)
      const isTaken = row && readAccount(row).tag !== tag
      // In another writing it is the account's own.
      if (isTaken ?? texts.isNameTaken(tag, logins)) return 'name_taken'
      const set = { name, foldedName }
      return changeIn({ tag, set, endsSessions: false }) ? 'renamed' : 'user_unknown'
    })
}

/** Makes what changes one version of an account. */
function createChangesAt(
  db: DatabaseSync,
  clock: Clock,
): Pick<BuiltInDirectory, 'changePassword' | 'changePending'> {
  const changeIn = createChangeIn(db, clock)
  const select = db.prepare(ACCOUNT_SQL.byTag)

  const changeAt = (version: number, change: AccountChange) =>
    writing(db, () => {
      const row = select.get(change.tag)
      if (row === undefined) return 'user_unknown'
      if (readAccount(row).version !== version) return 'superseded'
      changeIn(change)
      return 'changed'
    })

  return {
    changePassword: ({ tag, passwordHash, version, keeps }) =>
      changeAt(version, {
        tag,
        set: { passwordHash },
        endsSessions: true,
        keeps,
      }),
    changePending: ({ tag, version, pending, disabled, endsSessions }) => {
      const set = { pending, ...(disabled === true && { disabled }) }
      return changeAt(version, { tag, set, endsSessions })
    },
  }
}

/**
 * Where nobody has the name, somebody else's account is read, so that the time taken doesn't give away who
 * exists.
 */
function createByName(db: DatabaseSync): BuiltInDirectory['byName'] {
  const select = db.prepare(ACCOUNT_SQL.byName)
  let foundLast = ''
  return foldedName =>
    reading(db, () => {
      const row = select.get(foldedName) ?? select.get(foundLast)
      const account = row === undefined ? undefined : readAccount(row)
      if (account?.foldedName !== foldedName) return undefined
      foundLast = foldedName
      return account
    })
}

function createCount(db: DatabaseSync): BuiltInDirectory['count'] {
  const select = db.prepare(ACCOUNT_SQL.count)
  return () => reading(db, () => Number(select.get()?.['accounts']))
}

function createByTag(db: DatabaseSync): BuiltInDirectory['byTag'] {
  const select = db.prepare(ACCOUNT_SQL.byTag)
  return tag =>
    reading(db, () => {
      const row = select.get(tag)
      return row === undefined ? undefined : readAccount(row)
    })
}

/** As createByName: a value that nobody has is as much work. */
function createByValue(db: DatabaseSync): BuiltInDirectory['byValue'] {
  const select = db.prepare(ACCOUNT_SQL.byTag)
  const values = createUniqueValues(db)
  let foundLast = ''
  return value =>
    reading(db, () => {
      const owner = values.ownerOf(value)
      const row = select.get(owner ?? foundLast)
      const account = row === undefined ? undefined : readAccount(row)
      if (owner === undefined) return undefined
      foundLast = owner
      return account
    })
}
