// latchkey users show, and how an account is shown
import type { Command } from 'commander'
import type { Account } from '../../stores/ports/directory.ts'
import { mustChangePassword } from '../../users/required-change.ts'
import type { Io } from '../terminal/io.ts'
import { requireAccount, withStore } from '../tools.ts'
import { describeAccess } from './access.ts'
import { attributeLines } from './attribute-lines.ts'
import { findAccount } from './find-account.ts'

/** Adds `users show`. */
export function addReading(users: Command, io: Io): void {
  users
    .command('show <name>')
    .description(
      'show one account, by its name, its sub, a unique attribute, or a hash of ' +
        'the audit log',
    )
    .action(
      withStore(io, async (tools, name: string) => {
        const account = requireAccount(await findAccount(tools, name), name)
        const [record, line] = describe(account)
        tools.print(record, [line, ...attributeLines(account)])
      }),
    )
}

/** What an operator sees of an account: never the hash. */
export function describe(account: Account): [Record<string, unknown>, string] {
  const { name, sub, disabled, scopes, roles, createdAt, updatedAt } = account
  const { attributes, emailVerified, pending } = account
  const passwordChangeRequired = mustChangePassword(account)
  const created = new Date(createdAt).toISOString()
  const deletesAt = pending?.deleteAt && new Date(pending.deleteAt).toISOString()
  return [
    {
      name,
      sub,
      disabled,
      scopes,
      roles,
      createdAt: created,
      updatedAt: new Date(updatedAt).toISOString(),
      attributes,
      emailVerified,
      ...(deletesAt && { deletesAt }),
      ...(passwordChangeRequired && { passwordChangeRequired }),
    },
    `${name}  ${sub}  ${disabled ? 'disabled' : 'enabled'}  since ${created}  ` +
      `${describeAccess({ scopes, roles })}` +
      (deletesAt ? `  deleted by its user, erased at ${deletesAt}` : '') +
      (passwordChangeRequired ? '  password must be changed' : ''),
  ]
}
