// latchkey users invite: whoever has an account without a password is sent a ticket for the first one.
import type { Command } from 'commander'
import type { NotInvited } from '../../../self-service/operators/invite.ts'
import type { Io } from '../../terminal/io.ts'
import { Refused } from '../../terminal/refused.ts'
import {
  accountRefused,
  requireAccount,
  withStore,
  type StoreTools,
} from '../../tools.ts'
import { findAccount } from '../find-account.ts'

/** What to do where the code doesn't say it. */
const WORDS: Readonly<Partial<Record<NotInvited, string>>> = {
  registration_closed:
    'registration closed: nobody could use an invitation; set ' +
    'selfService.registration to invite or open',
  no_way_out:
    'no way out: nothing sends ticket.invitation; set a way out in notify ' +
    '(by mail with notify.mail.links.invitation)',
  address_unknown:
    'address unknown: it goes by mail, and the account has no e-mail address ' +
    '(--attribute email=…)',
  has_password:
    'has password: they log in already, and recover a lost password by themselves',
  outbox_full: 'outbox full: notify.maxItems messages wait already; try again later',
}

/** Who is invited. */
interface Invited {
  readonly sub: string
  readonly name: string
  readonly locale?: string | undefined
}

/** Adds `users invite`. */
export function addInvite(users: Command, io: Io): void {
  users
    .command('invite <name>')
    .description(
      'send a ticket for the first password to the address of an account that ' +
        'has no password yet; run it again to send another',
    )
    .option(
      '--locale <tag>',
      'the language of the message (BCP 47); default: the language of the account',
    )
    .action(
      withStore(io, async (tools, text: string, { locale }: { locale?: string }) => {
        const { sub, name } = requireAccount(await findAccount(tools, text), text)
        await invite(tools, { sub, name, locale })
        tools.print({ name, sub, change: 'invite' }, `${name} is invited`)
      }),
    )
}

/**
 * Refuses where somebody with or without an e-mail address can't be invited.
 *
 * @throws Refused with what to change
 */
export function requireInvitations(
  { invitations }: Pick<StoreTools, 'invitations'>,
  hasAddress: boolean,
): void {
  const reason = invitations.fault(hasAddress)
  if (reason !== undefined) throw new Refused(reason, WORDS[reason])
}

/**
 * Invites an account, by the servers that send.
 *
 * @throws Refused where it can't be invited
 */
export async function invite(
  { invitations, readSecrets }: Pick<StoreTools, 'invitations' | 'readSecrets'>,
  { sub, name, locale }: Invited,
): Promise<void> {
  await readSecrets()
  const outcome = await invitations.invite(sub, locale)
  if (outcome.kind === 'invited') return
  const { reason } = outcome
  const words = WORDS[reason]
  throw words === undefined ? accountRefused(reason, name) : new Refused(reason, words)
}
