// latchkey users move: the accounts of the store to where they are to be.
import type { Command } from 'commander'
import { createBar } from '../terminal/bar.ts'
import type { Io } from '../terminal/io.ts'
import { operator } from '../terminal/operator.ts'
import { Refused } from '../terminal/refused.ts'
import { countOf } from '../terminal/words.ts'
import { withStore } from '../tools.ts'

const HELP = `
Run it once every server has store.accounts in its configuration: until then they would look for accounts \
where these are no longer. Servers go on meanwhile, and sessions stay. Interrupted, it is run again.

Example:
  latchkey users move --to postgres --dry-run
`

interface Options {
  readonly to: string
  readonly dryRun?: boolean
}

/** Adds `users move`. */
export function addMove(users: Command, io: Io): void {
  users
    .command('move')
    .description('move the accounts of the store to the PostgreSQL of store.accounts')
    .requiredOption('--to <place>', 'where to: postgres')
    .option('--dry-run', 'say how many would be moved, and move none')
    .addHelpText('after', HELP)
    .action(
      withStore(io, async ({ move, emit, print }, { to, dryRun = false }: Options) => {
        if (to !== 'postgres') {
          throw new Refused('place_unknown', '--to: expected postgres')
        }
        if (move === undefined) {
          throw new Refused(
            'place_unknown',
            'store.accounts: expected the PostgreSQL that the accounts are to be moved to',
          )
        }
        if (dryRun) {
          const { isMoved, accounts } = await move.state()
          const count = countOf(accounts, 'account')
          print(
            { outcome: isMoved ? 'moved' : 'would_be_moved', accounts },
            isMoved ? `${count}: all have been moved` : `${count} would be moved`,
          )
          return
        }
        const bar = createBar(io)
        try {
          const accounts = await move.run(part => bar.show(part, ''))
          bar.clear()
          emit({ type: 'users.moved', to, accounts, actor: operator() })
          print(
            { outcome: 'moved', accounts },
            `moved to PostgreSQL: ${countOf(accounts, 'account')}`,
          )
        } finally {
          bar.clear()
        }
      }),
    )
}
