// Changes an account's row, and with it its subject, in one step.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import { writing } from '../database/database.ts'
import { createSqliteStatusBits } from '../sessions/status-bits.ts'
import { updateSql, writeColumns, type Stored } from './account-columns.ts'

/** Members of an account that may change. */
type Changes = Partial<
  Pick<
    Stored,
    | 'passwordHash'
    | 'disabled'
    | 'scopes'
    | 'roles'
    | 'attributes'
    | 'emailVerified'
    | 'name'
    | 'foldedName'
    | 'pending'
    | 'external'
  >
>

/** What is done to an account. */
export interface AccountChange {
  readonly tag: string
  readonly set?: Changes
  /** Whether every session of the user ends with it. */
  readonly endsSessions: boolean
  /** The session that lives on where the others end. */
  readonly keeps?: string | undefined
}

/** False when there is no account of that tag. Rejects with StoreUnavailable. */
export type ChangeAccount = (change: AccountChange) => Promise<boolean>

/** One that was dead before stays so: its epoch is an earlier one. */
const KEEP_FAMILY = `
  UPDATE families SET epoch = epoch + 1 WHERE user_tag = :tag AND sid = :sid AND
    epoch + 1 = (SELECT epoch FROM users WHERE tag = :tag)`

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
  const keep = db.prepare(KEEP_FAMILY)
  const statements = new Map<string, StatementSync>()

  function statementFor(columns: readonly string[]): StatementSync {
    const sql = updateSql(columns)
    const statement = statements.get(sql) ?? db.prepare(sql)
    statements.set(sql, statement)
    return statement
  }

  return ({ tag, set = {}, endsSessions, keeps }) => {
    const values = writeColumns(set)
    const columns = Object.keys(values)
    const { changes } = statementFor(columns).run({
      ...values,
      ...(columns.length > 0 && { now: clock() }),
      tag,
      epochs: Number(endsSessions),
    })
    if (endsSessions) bits.setOfUser(tag, keeps)
    if (keeps !== undefined) keep.run({ tag, sid: keeps })
    return changes === 1
  }
}
