// latchkey users export: every account with its hash, in the form that `users import` reads.
import type { Command } from 'commander'
import type { Io } from '../terminal/io.ts'
import { membersOf } from '../terminal/members.ts'
import { withStore } from '../tools.ts'

const EXAMPLE = `
Django takes the argon2id hashes with argon2 in front of them. The lines hold hashes: \
keep them as you keep a backup.

Example:
  latchkey users export > users.jsonl
`

/** What `users import` reads. */
const EXPORTED = ['name', 'sub', 'passwordHash', 'scopes', 'roles', 'disabled'] as const

/** Adds `users export`. */
export function addExport(users: Command, io: Io): void {
  users
    .command('export')
    .description('print every account with its password hash, a line of JSON each')
    .addHelpText('after', EXAMPLE)
    .action(
      withStore(io, async ({ accounts, print }) => {
        for await (const account of accounts.all()) {
          const { attributes, emailVerified } = account
          const record = {
            ...membersOf(account, EXPORTED),
            ...(Object.keys(attributes).length > 0 && { attributes, emailVerified }),
          }
          print(record, JSON.stringify(record))
        }
      }),
    )
}
