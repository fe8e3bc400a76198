// What somebody does who has a ticket, or its code: at the account of it, once, and for its purpose only.
import type { Emit, Origin } from '../base/events/events.ts'
import { userTag } from '../base/ids.ts'
import { changedMeanwhile, invalidTicket } from '../oauth/account-errors.ts'
import type { Account } from '../stores/ports/directory.ts'
import type {
  PresentedTicket,
  TicketFault,
  TicketPurpose,
  TicketRefused,
  Tickets as TicketStore,
} from '../stores/ports/people/tickets.ts'
import type { Shown, Tickets } from '../tickets/tickets.ts'
import type { Directory } from '../users/directory/directory.ts'
import type { EvenTime } from './even-time.ts'
import { addressFor } from './pending.ts'

/** What is presented: a ticket, or a code and the name that it was sent for. */
export type Proof =
  { readonly ticket: string } | { readonly name: string; readonly code: string }

/** The request that it is presented in. */
export interface Caller {
  /** The /24 or /64 that it comes from. */
  readonly network: string
  readonly origin: Origin
}

/** How a ticket is used. */
export interface Redemption<Prepared, Done> {
  readonly purpose: TicketPurpose
  readonly proof: Proof
  readonly caller: Caller
  /** What takes long and needs no more than a good ticket; whatever it throws leaves the ticket good. */
  readonly prepare: (account: Account) => Promise<Prepared>
  /** Takes the ticket together with the change. */
  readonly take: (
    account: Account,
    ticket: PresentedTicket,
    prepared: Prepared,
  ) => Promise<Done | TicketRefused | { readonly kind: 'superseded' | 'user_unknown' }>
}

/**
 * Uses a ticket.
 *
 * @throws OAuthError invalid_ticket, the same whatever is wrong with it; conflict when somebody else changes
 * the account again and again; StoreUnavailable
 */
export type Redeem = <Prepared, Done extends { readonly kind: string }>(
  redemption: Redemption<Prepared, Done>,
) => Promise<{ readonly account: Account; readonly outcome: Done }>

/** What it is made of. */
export interface RedeemOptions {
  readonly directory: Pick<Directory, 'byTag' | 'findLogin'>
  readonly tickets: Pick<Tickets, 'read' | 'presented'>
  readonly store: Pick<TicketStore, 'look'>
  readonly evenTime: EvenTime
  readonly emit: Emit
}

/** Of writers at once one is first, and the others look again: so many times. */
const MOST_TRIES = 100

/** Makes the function. */
export function createRedeem(options: RedeemOptions): Redeem {
  const { directory, tickets, emit } = options
  const findGood = createFindGood(options)

  return async function redeem({ purpose, proof, caller, prepare, take }) {
    const refuse = (reason: TicketFault, sub?: string) => {
      const about = { purpose, network: caller.network, reason }
      const event = { type: 'ticket.refused', ...about, ...(sub && { sub }) } as const
      emit(event, caller.origin)
      return invalidTicket(reason)
    }
    const { shown, fault, account: found } = await findGood(proof, purpose)
    if (found === undefined || shown === undefined || fault !== undefined) {
      throw refuse(fault ?? 'ticket_unknown', found?.sub)
    }
    const prepared = await prepare(found)
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const account = await directory.byTag(found.tag)
      if (account === undefined) throw refuse('ticket_unknown', found.sub)
      const ticket = tickets.presented(shown, purpose, addressFor(account, purpose))
      const outcome = await take(account, ticket, prepared)
      if (isRefused(outcome)) throw refuse(outcome.reason, found.sub)
      if (!isAgain(outcome)) return { account, outcome }
    }
    throw changedMeanwhile()
  }
}

interface Found {
  readonly shown?: Shown
  readonly account?: Account | undefined
  readonly fault?: TicketFault | undefined
}

/** Makes the look at what was presented, before anything costs much. */
function createFindGood({ directory, tickets, store, evenTime }: RedeemOptions) {
  async function look(shown: Shown, purpose: TicketPurpose, account?: Account) {
    const address = account === undefined ? '' : addressFor(account, purpose)
    const fault = await store.look(tickets.presented(shown, purpose, address))
    return { shown, account, fault }
  }

  return async function findGood(proof: Proof, purpose: TicketPurpose): Promise<Found> {
    if ('ticket' in proof) {
      const shown = tickets.read(proof.ticket)
      if (shown === undefined) return {}
      return look(shown, purpose, await directory.byTag(shown.tag))
    }
    const { name, code } = proof
    // A code at a name that nobody has takes as long as a wrong one.
    return evenTime(async () => {
      const account = await directory.findLogin(name)
      const tag = account?.tag ?? userTag(name)
      return look({ kind: 'code', tag, code }, purpose, account)
    })
  }
}

function isRefused(outcome: { readonly kind: string }): outcome is TicketRefused {
  return outcome.kind === 'ticket_refused'
}

function isAgain(outcome: {
  readonly kind: string
}): outcome is { readonly kind: 'superseded' | 'user_unknown' } {
  return outcome.kind === 'superseded' || outcome.kind === 'user_unknown'
}
