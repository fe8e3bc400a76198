// What self-service sends, by whatever way: it only notes what is wanted. Whom it is about is looked up, and
// the ticket made, when it is sent; so the answer takes the same time for names that nobody has.
import { temporarilyUnavailable, type OAuthError } from '../oauth/errors.ts'
import type { TicketPurpose } from '../stores/ports/people/tickets.ts'

/** A ticket that somebody has asked for. */
export interface TicketWanted {
  readonly purpose: TicketPurpose
  readonly whom: { readonly name: string } | { readonly sub: string }
  /** The language that was asked for (BCP 47). */
  readonly locale?: string | undefined
  /** The /24 or /64 that the request came from. */
  readonly network?: string | undefined
  /** Where it goes, unless to the account's address. */
  readonly address?: string | undefined
  /** Somebody signed up with the account's address: its owner is told so, and gets no ticket. */
  readonly isTaken?: true | undefined
}

/** Takes what is to be sent. */
export interface Outgoing {
  /**
   * Notes it, durably. Rejects with StoreUnavailable.
   *
   * @returns `full`: nothing was noted, and the request is answered 503
   */
  append(wanted: TicketWanted): Promise<'appended' | 'full'>
  /** Whether a ticket of that purpose would be noted now. Rejects with StoreUnavailable. */
  hasRoom(purpose: TicketPurpose): Promise<boolean>
}

/** There is no way out: nothing is ever sent. */
export const NO_WAY_OUT: Outgoing = {
  append: async () => 'appended',
  hasRoom: async () => true,
}

/**
 * Notes what is to be sent.
 *
 * @throws OAuthError temporarily_unavailable where too much waits already; StoreUnavailable
 */
export async function send(outgoing: Outgoing, wanted: TicketWanted): Promise<void> {
  if ((await outgoing.append(wanted)) === 'full') throw outboxFull()
}

/** Too much waits already. */
export function outboxFull(): OAuthError {
  return temporarilyUnavailable('outbox_full')
}
