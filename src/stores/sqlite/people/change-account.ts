// Changes an account's row, and with it its subject, in one step.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type { Account } from '../../ports/directory.ts'
import { writing } from '../database/database.ts'
import { createSqliteStatusBits } from '../sessions/status-bits.ts'
import { updateSql, writeColumns } from './account-columns.ts'

/** Members of an account that may change. */
type Changes = Partial<
  Pick<
    Account,
    | 'passwordHash'
    | 'disabled'
    | 'scopes'
    | 'roles'
    | 'attributes'
    | 'emailVerified'
    | 'name'
    | 'foldedName'
  >
>

/** What is done to an account. */
export interface AccountChange {
  readonly tag: string
  readonly set?: Changes
  /** Whether every session of the user ends with it. */
  readonly endsSessions: boolean
}

/** False when there is no account of that tag. Rejects with StoreUnavailable. */
export type ChangeAccount = (change: AccountChange) => Promise<boolean>

/** Makes the change. */
export function createChangeAccount(db: DatabaseSync, clock: Clock): ChangeAccount {
  const changeIn = createChangeIn(db, clock)
  return change => writing(db, () => changeIn(change))
}

/** Makes the change as a part of a transaction. */
export function createChangeIn(
  db: DatabaseSync,
  clock: Clock,
): (change: AccountChange) => boolean {
  const bits = createSqliteStatusBits(db)
  const statements = new Map<string, StatementSync>()

  function statementFor(columns: readonly string[]): StatementSync {
    const sql = updateSql(columns)
    const statement = statements.get(sql) ?? db.prepare(sql)
    statements.set(sql, statement)
    return statement
  }

  return ({ tag, set = {}, endsSessions }) => {
    const values = writeColumns(set)
    const columns = Object.keys(values)
    const { changes } = statementFor(columns).run({
      ...values,
      ...(columns.length > 0 && { now: clock() }),
      tag,
      epochs: Number(endsSessions),
    })
    if (endsSessions) bits.setOfUser(tag)
    return changes === 1
  }
}
