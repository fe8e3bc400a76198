// latchkey store backup, restore, accept, upgrade
import type { Command } from 'commander'
import type { Io } from '../terminal/io.ts'
import { operator } from '../terminal/operator.ts'
import { Refused } from '../terminal/refused.ts'
import { addStoreBackup } from './backup.ts'
import { withStoreAlone } from '../tools.ts'
import { countOf } from '../terminal/words.ts'

/** Adds `store`. */
export function addStore(program: Command, io: Io): void {
  const store = program
    .command('store')
    .description('back up, restore, accept or upgrade the store')
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
      withStoreAlone(io, async ({ store, emit, print }) => {
        if (!(await store.acceptLoss())) throw new Refused('nothing_lost')
        emit({ type: 'store.accepted', actor: operator() })
        print(
          { outcome: 'accepted' },
          'the loss is accepted: the servers go on within a second',
        )
      }),
    )
  addStoreUpgrade(store, io)
}

function addStoreUpgrade(store: Command, io: Io): void {
  store
    .command('upgrade')
    .description('convert data of earlier releases to the form of this release')
    .addHelpText(
      'after',
      `
Run it once every server is of this release: earlier ones answer 503 from then
on, and can't be gone back to. Servers of this release go on meanwhile. It can
be stopped, and goes on where it was when it is run again.

Example:
  latchkey store upgrade
`,
    )
    .action(
      withStoreAlone(io, async ({ store, print }) => {
        const carried = await store.upgrade()
        print(
          { outcome: 'upgraded', carried },
          `the store is in this release's form: ${countOf(carried, 'record')} carried over`,
        )
      }),
    )
}
