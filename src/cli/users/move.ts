// latchkey users move: the accounts of the store to where they are to be.
import type { Command } from 'commander'
import type { MoveAccounts } from '../../stores/ports/people/move.ts'
import { createBar } from '../terminal/bar.ts'
import type { Io } from '../terminal/io.ts'
import { operator } from '../terminal/operator.ts'
import { Refused } from '../terminal/refused.ts'
import { countOf } from '../terminal/words.ts'
import { withStore, type Print } from '../tools.ts'

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
          const state = await move.state()
          if (state.isMoved) printMoved(print, undefined)
          else {
            print(
              { outcome: 'would_be_moved', accounts: state.accounts },
              `${countOf(state.accounts, 'account')} would be moved`,
            )
          }
          return
        }
        const moved = (accounts: number) =>
          emit({ type: 'users.moved', to, accounts, actor: operator() })
        printMoved(print, await runMove(io, move, moved))
      }),
    )
}

/** `accounts`: how many this run has moved; undefined: none. */
function printMoved(print: Print, accounts: number | undefined): void {
  if (accounts === undefined) {
    print({ outcome: 'moved' }, 'all accounts are in PostgreSQL already')
    return
  }
  print(
    { outcome: 'moved', accounts },
    `moved to PostgreSQL: ${countOf(accounts, 'account')}`,
  )
}

/** Runs the move behind a bar; `moved` hears of the switch, as what is left may be interrupted. */
async function runMove(
  io: Io,
  move: MoveAccounts,
  moved: (accounts: number) => void,
): Promise<number | undefined> {
  const bar = createBar(io)
  try {
    return await move.run({
      show: part => bar.show(part, ''),
      moved(accounts) {
        bar.clear()
        moved(accounts)
      },
    })
  } finally {
    bar.clear()
  }
}
