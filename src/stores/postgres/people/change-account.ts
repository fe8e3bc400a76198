// Changes an account in PostgreSQL. What ends sessions ends them first, then comes the row: until both are
// done the count of "end all sessions" in the row is an earlier one, and whoever logs in by that row is
// refused. So no session of before meets a new password, whoever dies when: the next look at the account
// brings both counts together, under the same lock.
import type { Account } from '../../ports/directory.ts'
import type { Connections, Run } from '../database/connections.ts'
import { concernsSessions, updateOf, type Changes } from './account-rows.ts'
import { rowOf, type SessionStore, type Settlement } from './settle.ts'
import { locksOf, replaceValues, type Texts } from './texts.ts'

/** What is done to an account. */
export interface AccountChange extends Texts {
  readonly set: Changes
  /** The version from which the change was made; undefined: whichever it is. */
  readonly version?: number | undefined
  /** Ends sessions in their store; undefined: none ends. */
  readonly end?: (() => Promise<unknown>) | undefined
}

/** What comes of any change. */
interface ChangeOutcome {
  readonly kind: 'changed' | 'superseded' | 'user_unknown'
}

/** Says why a change may not be done; undefined: it may. A part of its transaction. */
export type Judge<Refused> = (run: Run) => Promise<Refused | undefined>

/** Makes the change, whose effect is durable when it resolves. */
export type ChangeAccount = <Refused extends { readonly kind: string } = never>(
  change: AccountChange,
  judge?: Judge<Refused>,
) => Promise<ChangeOutcome | Refused>

/** What the changes are made with. */
export interface ChangeParts {
  readonly connections: Connections
  readonly sessions: SessionStore
  readonly settlement: Settlement
}

/** Makes what changes an account. */
export function createChangeAccount({
  connections,
  sessions,
  settlement,
}: ChangeParts): ChangeAccount {
  async function write(run: Run, account: Account, change: AccountChange): Promise<void> {
    const { tag, set, uniqueValues, end } = change
    const ended = end === undefined ? undefined : await endFor(sessions, tag, end)
    if (uniqueValues !== undefined) await replaceValues(run, tag, uniqueValues)
    await run(
      updateOf(tag, {
        ...set,
        ...ended,
        version: account.version + 1,
        updatedAt: await sessions.now(),
        ...(concernsSessions(set) && { isUnsettled: true }),
      }),
    )
  }

  return async (change, judge) => {
    const { tag, set } = change
    const outcome = await connections.within(locksOf(change), async run => {
      const stored = await rowOf(run, tag)
      if (stored === undefined) return { kind: 'user_unknown' } as const
      const { account } = stored
      const { version = account.version } = change
      if (version !== account.version) return { kind: 'superseded' } as const
      const refused = await judge?.(run)
      if (refused !== undefined) return refused
      await write(run, account, change)
      return { kind: 'changed' } as const
    })
    if (outcome.kind === 'changed' && concernsSessions(set)) {
      await settlement.settleOnce(tag)
    }
    return outcome
  }
}

/** Ends sessions, and gives the count that the row gets. */
async function endFor(
  { subjects }: SessionStore,
  tag: string,
  end: () => Promise<unknown>,
): Promise<Changes> {
  await end()
  const subject = await subjects.byTag(tag)
  // One that has lost the account has lost its sessions, too; the next look tells it.
  return subject === undefined ? {} : { sessionsEpoch: subject.sessionsEpoch }
}
