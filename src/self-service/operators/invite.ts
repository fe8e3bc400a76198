// An operator invites somebody: the account is there, without a password, and its address is sent a ticket
// for the first one.
import type { Emit } from '../../base/events/events.ts'
import { NO_PASSWORD } from '../../users/hashing/no-password.ts'
import type { Accounts } from '../../users/accounts.ts'
import type { Account } from '../../stores/ports/directory.ts'
import type { Way } from '../../stores/ports/outbox.ts'
import type { Outgoing } from '../outgoing.ts'
import { addressFor } from '../pending.ts'
import { whyNotSent } from './issue-ticket.ts'

/** Why somebody can't be invited, as the server is configured. */
export type InviteFault = 'registration_closed' | 'no_way_out' | 'address_unknown'

/** Why somebody isn't. */
export type NotInvited =
  | InviteFault
  | 'user_unknown'
  | 'user_disabled'
  | 'directory_owns'
  | 'has_password'
  | 'outbox_full'

/** What comes of inviting somebody. */
export type InviteOutcome =
  | { readonly kind: 'invited'; readonly account: Account }
  | { readonly kind: 'refused'; readonly reason: NotInvited }

/** Invites people. Promises reject with StoreUnavailable. */
export interface Invitations {
  /** Why somebody with or without an e-mail address can't be invited now; undefined: they can. */
  fault(hasAddress: boolean): InviteFault | undefined
  /**
   * Has a ticket for a first password sent to the account of that stable id, which has none yet. Doing it
   * again sends another, and voids the one before.
   *
   * @param locale the language that it is to be in (BCP 47); undefined: the account's
   */
  invite(sub: string, locale?: string): Promise<InviteOutcome>
}

/** What they are made of. */
export interface InvitationsOptions {
  readonly accounts: Pick<Accounts, 'bySub'>
  readonly outgoing: Outgoing
  /** Whether nobody may sign up, not even with an invitation. */
  readonly isClosed: boolean
  /** By which way tickets of invitations are sent, as configured now; undefined: by none. */
  readonly wayOut: () => Way | undefined
  readonly emit: Emit
}

/** Makes the invitations. */
export function createInvitations(options: InvitationsOptions): Invitations {
  const { accounts, outgoing, isClosed, wayOut, emit } = options

  function fault(hasAddress: boolean): InviteFault | undefined {
    if (isClosed) return 'registration_closed'
    return whyNotSent(wayOut(), hasAddress)
  }

  return {
    fault,
    async invite(sub, locale) {
      const account = await accounts.bySub(sub)
      if (account === undefined) return { kind: 'refused', reason: 'user_unknown' }
      const hasAddress = addressFor(account, 'invitation') !== ''
      const reason = fault(true) ?? whyNot(account) ?? fault(hasAddress)
      if (reason !== undefined) return { kind: 'refused', reason }
      const wanted = {
        purpose: 'invitation',
        whom: { sub },
        locale,
      } as const
      if ((await outgoing.append(wanted)) === 'full') {
        return { kind: 'refused', reason: 'outbox_full' }
      }
      emit({ type: 'user.changed', sub, change: 'invited' })
      return { kind: 'invited', account }
    },
  }
}

function whyNot(account: Account): NotInvited | undefined {
  if (account.external !== undefined) return 'directory_owns'
  if (account.disabled) return 'user_disabled'
  return account.passwordHash === NO_PASSWORD ? undefined : 'has_password'
}
