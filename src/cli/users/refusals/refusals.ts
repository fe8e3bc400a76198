// This folder answers why somebody can't log in: latchkey users why | events | unlock. It reads the record of
// refused logins and forgets failures. The management listener asks the same services of the core.
import type { Command } from 'commander'
import { systemClock } from '../../../base/clock.ts'
import type { Account } from '../../../stores/ports/directory.ts'
import type { LoginRefusal } from '../../../stores/ports/logins/refusals.ts'
import { explain } from '../../../users/refusals/explain.ts'
import { mustChangePassword } from '../../../users/required-change.ts'
import type { Io } from '../../terminal/io.ts'
import { iso } from '../../terminal/time.ts'
import { requireAccount, withStore, type StoreTools } from '../../tools.ts'
import { collect } from '../attribute-options.ts'
import { findAccount } from '../find-account.ts'
import { describeRefusal, refusalLine } from './words.ts'

/** Whom an operator asks about, and what is on record. */
interface Case {
  /** Undefined: nobody has the name. */
  readonly account: Account | undefined
  /** Who had the name, or logged in by it, when its logins were refused; undefined: nobody on record. */
  readonly former: Account | undefined
  readonly refusals: readonly LoginRefusal[]
}

// Servers write what they have noted once a second.
const NOTHING =
  'no login was refused in the last three days (a refusal may take a second to appear here)'

/** Adds `users why`, `users events` and `users unlock`. */
export function addRefusals(users: Command, io: Io): void {
  addWhy(users, io)

  users
    .command('events <name>')
    .description(
      'the refused logins of the last three days, one per line, by a name, an ' +
        'address, a sub or a hash of the audit log',
    )
    .action(
      withStore(io, async (tools, name: string) => {
        const { refusals } = await lookUp(tools, name)
        for (const refusal of refusals) {
          tools.print(describeRefusal(refusal), refusalLine(refusal))
        }
        if (refusals.length === 0) tools.remark(`${name}: ${NOTHING}`)
      }),
    )

  users
    .command('unlock <name>')
    .description('forget the failed logins of the user, so that nothing delays the next')
    .option(
      '--network <address>',
      'an address, or a network, whose failures are forgotten as well as those on record',
      collect,
    )
    .action(
      withStore(io, async (tools, name: string, options: { network?: string[] }) => {
        const account = requireAccount(await findAccount(tools, name), name)
        const { networks, cleared } = await tools.unlock(account, {
          networks: options.network ?? [],
        })
        tools.print(
          {
            name: account.name,
            sub: account.sub,
            change: 'unlock',
            networks,
            cleared,
          },
          [
            `${account.name}: failed logins are forgotten (from ${networks.join(', ') || 'nowhere'})`,
            ...(await stillDelayed(tools, account)),
          ],
        )
      }),
    )
}

function addWhy(users: Command, io: Io): void {
  users
    .command('why <name>')
    .description(
      'why somebody could not log in, and what to do: by a name, an address or another unique attribute, ' +
        'a sub, or a hash of the audit log',
    )
    .action(
      withStore(io, async (tools, name: string) => {
        const { account, former, refusals } = await lookUp(tools, name)
        tools.print(
          {
            name: account?.name ?? name,
            sub: account?.sub ?? null,
            state: stateOf(account),
            ...(isChangeRequired(account) && { passwordChangeRequired: true }),
            former: former === undefined ? null : { name: former.name, sub: former.sub },
            refusals: refusals.map(refusal => ({
              ...describeRefusal(refusal),
              ...explain(refusal),
            })),
          },
          [
            `${account?.name ?? name} ${STATES[stateOf(account)]}`,
            ...(isChangeRequired(account) ? [CHANGE_REQUIRED] : []),
            ...(former === undefined
              ? []
              : [
                  `${former.name} (${former.sub}) logged in by it before: ask for that name`,
                ]),
            ...(refusals.length === 0 ? [NOTHING] : []),
            ...refusals.flatMap(refusal => {
              const { meaning, advice } = explain(refusal)
              return [refusalLine(refusal), `  ${meaning} ${advice}`.trimEnd()]
            }),
          ],
        )
      }),
    )
}

const STATES = {
  enabled: 'is enabled',
  disabled: 'is disabled: no login is let in',
  unknown: 'is nobody: no account has this name, address, sub or hash',
}

const CHANGE_REQUIRED =
  'the password was copied from a directory and breaks the rules for new ones: no login is refused for ' +
  'that, but the user should set another one'

function isChangeRequired(account: Account | undefined): boolean {
  return account !== undefined && mustChangePassword(account)
}

function stateOf(account: Account | undefined): keyof typeof STATES {
  if (account === undefined) return 'unknown'
  return account.disabled ? 'disabled' : 'enabled'
}

/** The account that is meant, if there is one, and what is on record of it and of the text itself. */
async function lookUp(tools: StoreTools, text: string): Promise<Case> {
  const { refusals: record, directory } = tools
  const account = await findAccount(tools, text)
  if (account !== undefined) {
    const refusals = await record.ofAccount(account, text)
    return { account, former: undefined, refusals }
  }
  const refusals = await record.ofName(text)
  const tag = refusals.find(refusal => refusal.tag !== undefined)?.tag
  const former = tag === undefined ? undefined : await directory.byTag(tag)
  return { account, former, refusals }
}

/** What delays the user's next login all the same: limits that others share. */
async function stillDelayed(
  { refusals }: StoreTools,
  account: Account,
): Promise<readonly string[]> {
  const now = systemClock()
  return (await refusals.ofAccount(account))
    .filter(({ until = 0 }) => until > now)
    .map(
      ({ reason, network, until = 0 }) =>
        `still delayed until ${iso(until)}: ${explain({ reason }).meaning} (${network})`,
    )
}
