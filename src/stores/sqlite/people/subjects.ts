// The subjects in SQLite: each lies in its account's row.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type { Subjects } from '../../ports/subjects.ts'
import { reading } from '../database/database.ts'
import { ACCOUNT_SQL, readSubject } from './account-columns.ts'
import { createChangeAccount } from './change-account.ts'

export function createSqliteSubjects(db: DatabaseSync, clock: Clock): Subjects {
  const select = db.prepare(ACCOUNT_SQL.byTag)
  const change = createChangeAccount(db, clock)
  return {
    byTag: tag =>
      reading(db, () => {
        const row = select.get(tag)
        return row === undefined ? undefined : readSubject(row)
      }),
    setDisabled: (tag, disabled) =>
      change({ tag, set: { disabled }, endsSessions: disabled }),
    setAccess: (tag, { scopes, roles }) =>
      change({ tag, set: { scopes, roles }, endsSessions: false }),
    endSessions: tag => change({ tag, endsSessions: true }),
    endOtherSessions: (tag, sid) =>
      change({
        tag,
        endsSessions: true,
        keeps: sid,
      }),
  }
}
