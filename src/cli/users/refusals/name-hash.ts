// latchkey users name-hash: from a name to what the audit log calls it
import type { Command } from 'commander'
import { createNameInLogs } from '../../../users/names/name-in-logs.ts'
import type { Io } from '../../terminal/io.ts'
import { withConfig } from '../../tools.ts'

/** Adds `users name-hash`. */
export function addNameHash(users: Command, io: Io): void {
  users
    .command('name-hash <name>')
    .description(
      'how the audit log names a user, or a name that nobody has; one line for each of `secrets`',
    )
    .action(
      withConfig(io, async ({ config, print }, name: string) => {
        // The audit log reaches back to the time before the secrets were rotated.
        for (const secret of config.secrets) {
          const nameInLogs = createNameInLogs({ secrets: [secret], plain: () => false })
          print({ name, username: nameInLogs(name) }, nameInLogs(name))
        }
      }),
    )
}
