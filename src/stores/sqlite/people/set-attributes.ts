// Replaces an account's attributes in SQLite: the row and its unique values change in one transaction.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type { BuiltInDirectory } from '../../ports/directory.ts'
import { writing } from '../database/database.ts'
import { ACCOUNT_SQL, readAccount } from './account-columns.ts'
import { createChangeIn } from './change-account.ts'
import { createUniqueValues } from './unique-values.ts'

/** Makes `setAttributes`. */
export function createSetAttributes(
  db: DatabaseSync,
  clock: Clock,
): BuiltInDirectory['setAttributes'] {
  const select = db.prepare(ACCOUNT_SQL.byTag)
  const values = createUniqueValues(db)
  const change = createChangeIn(db, clock)
  return ({ tag, attributes, emailVerified, uniqueValues, version }) =>
    writing(db, () => {
      const row = select.get(tag)
      if (row === undefined) return { kind: 'user_unknown' }
      if (readAccount(row).version !== version) return { kind: 'superseded' }
      const taken = values.takenFrom(tag, uniqueValues)
      if (taken !== undefined) return taken
      values.replace(tag, uniqueValues)
      change({ tag, set: { attributes, emailVerified }, endsSessions: false })
      return { kind: 'changed' }
    })
}
