// Changes whatever is named of an account in SQLite: the row and its unique values in one transaction.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type { BuiltInDirectory, LoginTexts } from '../../ports/directory.ts'
import { writing } from '../database/database.ts'
import { ACCOUNT_SQL, readAccount } from './account-columns.ts'
import { createChangeIn } from './change-account.ts'
import { createTakenTexts } from './login-texts.ts'
import { createUniqueValues } from './unique-values.ts'

/** Makes `change`. */
export function createChangeWhole(
  db: DatabaseSync,
  clock: Clock,
): BuiltInDirectory['change'] {
  const select = db.prepare(ACCOUNT_SQL.byTag)
  const holder = db.prepare(ACCOUNT_SQL.byName)
  const values = createUniqueValues(db)
  const texts = createTakenTexts(db, values)
  const changeIn = createChangeIn(db, clock)

  function isTaken(foldedName: string, tag: string, logins?: LoginTexts): boolean {
    const row = holder.get(foldedName)
    if (row !== undefined) return readAccount(row).tag !== tag
    return texts.isNameTaken(tag, logins)
  }

  return ({ tag, version, uniqueValues, endsSessions, logins, ...set }) =>
    writing(db, () => {
      const row = select.get(tag)
      if (row === undefined) return { kind: 'user_unknown' }
      if (readAccount(row).version !== version) return { kind: 'superseded' }
      const { foldedName } = set
      if (foldedName !== undefined && isTaken(foldedName, tag, logins)) {
        return { kind: 'name_taken' }
      }
      const taken = values.takenFrom(tag, uniqueValues) ?? texts.valueTaken(tag, logins)
      if (taken !== undefined) return taken
      values.replace(tag, uniqueValues)
      changeIn({ tag, set, endsSessions })
      return { kind: 'changed' }
    })
}
