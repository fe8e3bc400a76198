// latchkey store backup, restore, accept
import type { Command } from 'commander'
import type { Io } from '../terminal/io.ts'
import { operator } from '../terminal/operator.ts'
import { Refused } from '../terminal/refused.ts'
import { addStoreBackup } from './backup.ts'
import { withStore } from '../tools.ts'

/** Adds `store`. */
export function addStore(program: Command, io: Io): void {
  const store = program
    .command('store')
    .description('back up, restore or accept the store')
  addStoreBackup(store, io)
  store
    .command('accept')
    .description('let the servers go on without what Redis has lost')
    .addHelpText(
      'after',
      `
A server that finds Redis empty answers 503: it can't tell which sessions it had
and what was revoked. Restore a back-up, or accept the loss: every session that
is gone has to log in again.

Example:
  latchkey store accept
`,
    )
    .action(
      withStore(io, async ({ store, emit, print }) => {
        if (!(await store.acceptLoss())) throw new Refused('nothing_lost')
        emit({ type: 'store.accepted', actor: operator() })
        print(
          { outcome: 'accepted' },
          'the loss is accepted: the servers go on within a second',
        )
      }),
    )
}
