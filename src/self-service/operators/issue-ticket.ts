// Operators and apps have tickets made for people. A ticket goes to the account's address, or it is given to
// whoever asks, once, who sends it by a way of their own. Either way making it voids the one before.
import type { Emit } from '../../base/events/events.ts'
import type { Account } from '../../stores/ports/directory.ts'
import type { Way } from '../../stores/ports/outbox.ts'
import type { MadeTicket } from '../../tickets/tickets.ts'
import { NO_PASSWORD } from '../../users/hashing/no-password.ts'
import type { MakeTicket } from '../make-ticket.ts'
import type { Outgoing } from '../outgoing.ts'
import { addressFor, mayGet } from '../pending.ts'

/** What tickets are issued for: a first password, another one, and an address that nobody has proved. */
export type IssuedPurpose = 'invitation' | 'recovery' | 'verification'

/** Why there is no ticket. */
export type NotIssued =
  | 'not_served'
  | 'no_way_out'
  | 'not_for_account'
  | 'has_password'
  | 'address_proven'
  | 'address_unknown'
  | 'address_unproven'
  | 'changed_meanwhile'
  | 'outbox_full'

/** What comes of asking for a ticket. */
export type IssueOutcome =
  | { readonly kind: 'made'; readonly ticket: MadeTicket }
  | { readonly kind: 'sent' }
  | { readonly kind: 'refused'; readonly reason: NotIssued }

/** What is asked for. */
export interface IssueRequest {
  readonly purpose: IssuedPurpose
  /** Whether it is given to whoever asks; else it goes to the account's address. */
  readonly isAnswered: boolean
}

/** Issues a ticket for an account, as it was just read. Rejects with StoreUnavailable. */
export type IssueTicket = (
  account: Account,
  request: IssueRequest,
) => Promise<IssueOutcome>

/** What it is made of. */
export interface IssueTicketOptions {
  readonly makeTicket: MakeTicket
  readonly outgoing: Outgoing
  /** Whether somebody who has a ticket of that purpose could use it, as configured. */
  readonly isServed: (purpose: IssuedPurpose) => boolean
  /** By which way tickets of that purpose are sent, as configured now; undefined: by none. */
  readonly wayOut: (purpose: IssuedPurpose) => Way | undefined
  readonly emit: Emit
}

const CHANGES = {
  invitation: 'invited',
  recovery: 'recovery_ticket',
  verification: 'verification_ticket',
} as const

/** Makes the function. */
export function createIssueTicket(options: IssueTicketOptions): IssueTicket {
  const { makeTicket, outgoing, emit } = options

  async function issue(account: Account, request: IssueRequest): Promise<IssueOutcome> {
    const { purpose, isAnswered } = request
    const { sub, sessionsEpoch: epoch } = account
    const reason = whyNot(account, request, options)
    if (reason !== undefined) return { kind: 'refused', reason }
    if (!isAnswered) {
      const to = purpose === 'verification' ? account.pending?.email : undefined
      const address = to === undefined ? {} : { address: to }
      const appended = await outgoing.append({ purpose, whom: { sub }, ...address })
      return appended === 'full'
        ? { kind: 'refused', reason: 'outbox_full' }
        : { kind: 'sent' }
    }
    const address = addressFor(account, purpose)
    const ticket = await makeTicket({ purpose, sub, epoch, address })
    return ticket === undefined
      ? { kind: 'refused', reason: 'changed_meanwhile' }
      : { kind: 'made', ticket }
  }

  return async function issueTicket(account, request) {
    const outcome = await issue(account, request)
    if (outcome.kind !== 'refused') {
      const change = CHANGES[request.purpose]
      emit({ type: 'user.changed', sub: account.sub, change })
    }
    return outcome
  }
}

function whyNot(
  account: Account,
  { purpose, isAnswered }: IssueRequest,
  { isServed, wayOut }: IssueTicketOptions,
): NotIssued | undefined {
  if (!isServed(purpose)) return 'not_served'
  if (!mayGet(account, purpose)) {
    const isProven = account.emailVerified && account.external === undefined
    return purpose === 'verification' && isProven ? 'address_proven' : 'not_for_account'
  }
  if (purpose === 'invitation' && account.passwordHash !== NO_PASSWORD) {
    return 'has_password'
  }
  // Whoever verifies an address proves to read it, and whoever recovers an account that was never verified
  // does, too: with a ticket that somebody else was answered they would prove nothing.
  if (isAnswered) {
    const proves = purpose === 'verification' || account.pending?.signUp === true
    return proves ? 'address_unproven' : undefined
  }
  const hasAddress = addressFor(account, purpose) !== ''
  if (purpose === 'verification' && !hasAddress) return 'address_unknown'
  return whyNotSent(wayOut(purpose), hasAddress)
}

/** Why nothing is sent: an app behind the webhook may have other ways to people than an address. */
export function whyNotSent(
  way: Way | undefined,
  hasAddress: boolean,
): 'no_way_out' | 'address_unknown' | undefined {
  if (way === undefined) return 'no_way_out'
  return way === 'mail' && !hasAddress ? 'address_unknown' : undefined
}
