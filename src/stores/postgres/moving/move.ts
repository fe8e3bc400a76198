// Moves the accounts of a store to PostgreSQL while servers run on both. All are copied; then those that were
// written meanwhile, again, and while nobody can write they are declared moved. At last the store of the
// sessions hears of it, account by account; a run that is interrupted begins anew, or goes on with that.
import type { Account } from '../../ports/directory.ts'
import type { MoveAccounts, MoveWatch } from '../../ports/people/move.ts'
import type { Settlement } from '../people/settle.ts'
import { beginCopying, type CopyParts } from './copying.ts'

/** What the move is made with. */
export interface MoveParts extends CopyParts {
  readonly settlement: Settlement
}

/** How much of the move the copies are, and the rest is telling the store of the sessions. */
const COPIED = 0.4

/** Makes the move. */
export function createMove({ settlement, ...parts }: MoveParts): MoveAccounts {
  const { directory } = parts.sessions

  /** Gives how many were moved; undefined: another run has done it. */
  async function copyAll(
    total: number,
    { show }: MoveWatch,
  ): Promise<number | undefined> {
    const copying = await beginCopying(parts)
    let [accounts, read] = [0, 0]
    let after: Account | undefined
    do {
      const step = await copying?.page(after)
      if (step === undefined) return undefined
      after = step.last
      accounts += step.added
      read += step.read
      show(COPIED * Math.min(1, read / (total + 1)))
    } while (after !== undefined)
    for (;;) {
      const step = await copying?.touched()
      if (step === undefined) return undefined
      accounts += step.added
      show(COPIED)
      if (step.isMoved) return accounts
    }
  }

  return {
    async state() {
      const isMoved = await parts.gate.isMoved()
      return isMoved ? { isMoved } : { isMoved, accounts: await directory.count() }
    },
    async run(watch) {
      // A run may only have to go on with the second part: PostgreSQL would count for minutes.
      const total = await directory.count()
      const accounts = await copyAll(total, watch)
      if (accounts !== undefined) watch.moved(accounts)
      let settled = 0
      await settlement.settleAll(() => {
        settled += 1
        watch.show(COPIED + (1 - COPIED) * Math.min(1, settled / total))
      })
      return accounts
    },
  }
}
