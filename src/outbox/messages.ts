// What is kept of a message until it is sent.
import {
  TICKETS,
  type MessageType,
  type TicketPurpose,
  type TicketType,
} from '../base/events/message-types.ts'

/** Whom it is about: what somebody has typed to log in, which may be nobody's, or an account. */
export type Whom =
  | { readonly name: string }
  | { readonly sub: string }
  /** By the tag of the `sub`. */
  | { readonly tag: string }

/** What was known of somebody who may be gone when it is sent. */
export interface Person {
  readonly sub: string
  readonly name: string
  readonly email?: string
  readonly locale?: string
  /** Whether they have proved to read that address; default: no. */
  readonly isAddressProven?: boolean
}

/** What waits in the outbox. Nothing in it was looked up for it, and no secret is in it. */
export interface Entry {
  readonly type: MessageType
  readonly whom: Whom
  /** When it happened, in milliseconds since the Unix epoch. */
  readonly at: number
  /** The language that was asked for (BCP 47). */
  readonly locale?: string | undefined
  /** The /24 or /64 that the request came from. */
  readonly network?: string | undefined
  /** The address that it goes to, where that is not the account's. */
  readonly address?: string | undefined
  /** The session that it is about. */
  readonly sid?: string | undefined
  /** Somebody signed up with the address that the account has already. */
  readonly isTaken?: true | undefined
  /** As it was; undefined: the account is looked up when it is sent. */
  readonly person?: Person | undefined
}

/** The purpose of the ticket that a message carries; undefined: it carries none. */
export function purposeOf(type: MessageType): TicketPurpose | undefined {
  const ticket = TICKETS.find(each => each === type)
  return ticket && TICKET_PURPOSES[ticket]
}

/** What the owner of an address is told when somebody signs up with it. */
export const ALREADY: MessageType = 'notice.already_registered'

/** The message that carries the ticket of a purpose. */
export function ticketType(purpose: TicketPurpose): TicketType {
  return `ticket.${purpose}`
}

const TICKET_PURPOSES: Readonly<Record<TicketType, TicketPurpose>> = {
  'ticket.verification': 'verification',
  'ticket.recovery': 'recovery',
  'ticket.invitation': 'invitation',
}
