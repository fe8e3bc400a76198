// The accounts in SQLite. Removing one takes its families along (ON DELETE CASCADE).
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type { Account, NewAccount, Users } from '../../ports/users.ts'
import { reading, writing } from '../database/database.ts'
import { accountOf } from '../database/rows.ts'
import { createSqliteStatusBits } from '../sessions/status-bits.ts'

/** How many accounts `all` reads in one step. */
const PAGE = 100

export function createSqliteUsers(db: DatabaseSync, clock: Clock): Users {
  const insert =
    db.prepare(`INSERT INTO users (tag, sub, name, folded_name, password_hash, scopes, roles, disabled, epoch, created_at)
    VALUES (:tag, :sub, :name, :foldedName, :passwordHash, :scopes, :roles, :disabled, 1, :createdAt) ON CONFLICT DO NOTHING`)
  const page = db.prepare('SELECT * FROM users WHERE tag > ? ORDER BY tag LIMIT ?')

  function add(account: NewAccount): 'added' | 'name_taken' {
    const { changes } = insert.run({
      ...account,
      scopes: scopesColumn(account.scopes),
      roles: JSON.stringify(account.roles),
      disabled: Number(account.disabled),
      createdAt: clock(),
    })
    return changes === 1 ? 'added' : 'name_taken'
  }

  const selectTagged = db.prepare('SELECT * FROM users WHERE tag = ?')

  function byTag(tag: string): Promise<Account | undefined> {
    return reading(() => {
      const row = selectTagged.get(tag)
      return row === undefined ? undefined : accountOf(row)
    })
  }

  const selectNamed = db.prepare('SELECT * FROM users WHERE folded_name = ?')
  let foundLast = ''

  /** Where nobody has the name somebody else's account is read, so that time does not tell who exists. */
  function byName(foldedName: string): Promise<Account | undefined> {
    return reading(() => {
      const row = selectNamed.get(foldedName) ?? selectNamed.get(foundLast)
      const account = row === undefined ? undefined : accountOf(row)
      if (account?.foldedName !== foldedName) return undefined
      foundLast = foldedName
      return account
    })
  }

  /** A step that changes one account, and whether there was one to change. */
  function changer(sql: string): (...values: SQLInputValue[]) => Promise<boolean> {
    const statement = db.prepare(sql)
    return (...values) => writing(db, () => statement.run(...values).changes === 1)
  }

  const bits = createSqliteStatusBits(db)

  /** The same for one that ends the sessions, unless it says otherwise. `tag` is the last value. */
  function ender(
    sql: string,
  ): (tag: string, ends?: boolean, ...values: SQLInputValue[]) => Promise<boolean> {
    const statement = db.prepare(sql)
    return (tag, ends = true, ...values) =>
      writing(db, () => {
        const { changes } = statement.run(...values, tag)
        if (ends) bits.setOfUser(tag)
        return changes === 1
      })
  }

  const setPassword = ender(
    'UPDATE users SET password_hash = ?, epoch = epoch + 1 WHERE tag = ?',
  )
  const upgradePassword = changer(
    'UPDATE users SET password_hash = ? WHERE tag = ? AND password_hash = ?',
  )
  const setDisabled = ender(
    'UPDATE users SET disabled = ?1, epoch = epoch + ?1 WHERE tag = ?2',
  )
  const setAccess = changer('UPDATE users SET scopes = ?, roles = ? WHERE tag = ?')
  const endSessions = ender('UPDATE users SET epoch = epoch + 1 WHERE tag = ?')
  const remove = ender('DELETE FROM users WHERE tag = ?')

  async function* all(): AsyncGenerator<Account> {
    let last: string | undefined = ''
    while (last !== undefined) {
      const after: string = last
      const accounts: readonly Account[] = await reading(() =>
        page.all(after, PAGE).map(accountOf),
      )
      yield* accounts
      last = accounts.at(-1)?.tag
    }
  }

  return {
    add: account => writing(db, () => add(account)),
    // One sync to the disk for all.
    addAll: accounts =>
      writing(db, () => new Set(accounts.filter(account => add(account) === 'added'))),
    byName,
    byTag,
    setPassword: (tag, passwordHash) => setPassword(tag, true, passwordHash),
    upgradePassword: (tag, from, to) => upgradePassword(to, tag, from),
    setDisabled: (tag, disabled) => setDisabled(tag, disabled, Number(disabled)),
    setAccess: (tag, { scopes, roles }) =>
      setAccess(scopesColumn(scopes), JSON.stringify(roles), tag),
    endSessions: tag => endSessions(tag),
    remove: tag => remove(tag),
    all,
  }
}

function scopesColumn(scopes: readonly string[] | null): string | null {
  return scopes === null ? null : JSON.stringify(scopes)
}
