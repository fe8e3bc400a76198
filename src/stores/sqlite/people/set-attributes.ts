// Replaces an account's attributes in SQLite: the row and its unique values change in one transaction.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type {
  AttributesChange,
  AttributesOutcome,
  BuiltInDirectory,
} from '../../ports/directory.ts'
import { writing } from '../database/database.ts'
import { ACCOUNT_SQL, readAccount } from './account-columns.ts'
import { createChangeIn } from './change-account.ts'
import { createTakenTexts } from './login-texts.ts'
import { createUniqueValues } from './unique-values.ts'

/** Makes `setAttributes`. */
export function createSetAttributes(
  db: DatabaseSync,
  clock: Clock,
): BuiltInDirectory['setAttributes'] {
  const set = createSetAttributesIn(db, clock)
  return change => writing(db, () => set(change))
}

/** Makes the change as a part of a transaction. */
export function createSetAttributesIn(
  db: DatabaseSync,
  clock: Clock,
): (change: AttributesChange) => AttributesOutcome {
  const select = db.prepare(ACCOUNT_SQL.byTag)
  const values = createUniqueValues(db)
  const texts = createTakenTexts(db, values)
  const change = createChangeIn(db, clock)
  return ({ tag, uniqueValues, version, logins, ...next }) => {
    const row = select.get(tag)
    if (row === undefined) return { kind: 'user_unknown' }
    if (readAccount(row).version !== version) return { kind: 'superseded' }
    const taken = values.takenFrom(tag, uniqueValues) ?? texts.valueTaken(tag, logins)
    if (taken !== undefined) return taken
    values.replace(tag, uniqueValues)
    const { attributes, emailVerified, pending } = next
    const set = {
      attributes,
      emailVerified,
      ...(pending !== undefined && { pending }),
    }
    change({ tag, set, endsSessions: false })
    return { kind: 'changed' }
  }
}
