// What one-time tickets need of a store (store.ts has the rest). A ticket lies beside its account, and goes
// in the same step as the change that it allows. Spans (`…Ms`) are milliseconds by the store's own clock.
import type { AttributesChange, AttributesOutcome } from '../directory.ts'

/** What a ticket may be for. */
export const TICKET_PURPOSES = ['verification', 'recovery', 'invitation'] as const

/** One of them. An account has at most one living ticket of each. */
export type TicketPurpose = (typeof TICKET_PURPOSES)[number]

/** Which ticket is meant. */
export interface TicketRef {
  readonly tag: string
  readonly purpose: TicketPurpose
}

/** A ticket that is to be kept. The store learns neither the ticket nor its code. */
export interface NewTicket extends TicketRef {
  /** SHA-256 of the ticket, in base64url. */
  readonly hash: string
  /** The subject's epoch when it was made: whatever ends all sessions voids the ticket. */
  readonly sessionsEpoch: number
  /** A hash of the address that it goes to. */
  readonly address: string
  readonly forMs: number
  /** A keyed hash of the short code beside it; absent: there is none. */
  readonly code?: string | undefined
  /** How many wrong codes void the code, at least 1; the ticket itself lives on. */
  readonly codeTries: number
}

/** A ticket that somebody presents: by itself, or by its code. */
export interface PresentedTicket extends TicketRef {
  /** SHA-256 of the ticket, in base64url; empty: it is presented by its code. */
  readonly hash: string
  /** The keyed hashes that the code may have, one for each secret. */
  readonly codes: readonly string[]
  /** A hash of the address that the account has now for this purpose. */
  readonly address: string
}

/** Why a ticket is no good. */
export const TICKET_FAULTS = [
  'ticket_unknown',
  'ticket_expired',
  'ticket_outdated',
  'ticket_code_wrong',
] as const

/** `ticket_outdated`: the account's sessions were all ended since, or its address is another one. */
export type TicketFault = (typeof TICKET_FAULTS)[number]

/** A ticket that is no good; nothing was changed but the count of wrong codes. */
export interface TicketRefused {
  readonly kind: 'ticket_refused'
  readonly reason: TicketFault
}

/** A new password, set with a ticket. */
export interface PasswordByTicket {
  readonly ticket: PresentedTicket
  readonly passwordHash: string
  /** Whether the ticket has also proved that its holder reads the address. */
  readonly provesAddress: boolean
  /** The account's version from which the change was made. */
  readonly version: number
}

/**
 * The tickets. Whatever takes one does so in the same step as its change: of two at once, one wins. A call
 * that takes a ticket and is repeated after a lost answer finds no ticket any more.
 */
export interface Tickets {
  /**
   * Keeps a ticket, in the place of the older one of that purpose.
   *
   * @returns when it expires; undefined where there is no such account in that epoch: nothing is kept
   */
  make(ticket: NewTicket): Promise<number | undefined>
  /** Whether a ticket is good; changes nothing but the count of wrong codes. */
  look(ticket: PresentedTicket): Promise<TicketFault | undefined>
  /**
   * Takes the ticket, sets the hash and ends all sessions; with that all other tickets are void. What was
   * signed up and not verified is verified where the ticket proves the address. Durable when it resolves.
   */
  setPassword(
    change: PasswordByTicket,
  ): Promise<{ readonly kind: 'changed' | 'superseded' | 'user_unknown' } | TicketRefused>
  /** Takes the ticket and changes the attributes as the directory does. Durable when it resolves. */
  setAttributes(
    change: AttributesChange & { readonly ticket: PresentedTicket },
  ): Promise<AttributesOutcome | TicketRefused>
}
