// Changes an account's row, and with it its subject, in one step.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Account } from '../../ports/directory.ts'
import { writing } from '../database/database.ts'
import { createSqliteStatusBits } from '../sessions/status-bits.ts'
import { updateSql, writeColumns } from './account-columns.ts'

/** What is done to an account. */
export interface AccountChange {
  readonly tag: string
  readonly set?: Partial<Pick<Account, 'passwordHash' | 'disabled' | 'scopes' | 'roles'>>
  /** Whether every session of the user ends with it. */
  readonly endsSessions: boolean
}

/** False when there is no account of that tag. Rejects with StoreUnavailable. */
export type ChangeAccount = (change: AccountChange) => Promise<boolean>

/** Makes the change. */
export function createChangeAccount(db: DatabaseSync): ChangeAccount {
  const bits = createSqliteStatusBits(db)
  const statements = new Map<string, StatementSync>()

  function statementFor(columns: readonly string[]): StatementSync {
    const sql = updateSql(columns)
    const statement = statements.get(sql) ?? db.prepare(sql)
    statements.set(sql, statement)
    return statement
  }

  return ({ tag, set = {}, endsSessions }) =>
    writing(db, () => {
      const values = writeColumns(set)
      const statement = statementFor(Object.keys(values))
      const { changes } = statement.run({ ...values, tag, epochs: Number(endsSessions) })
      if (endsSessions) bits.setOfUser(tag)
      return changes === 1
    })
}
