// What a way out is given, and what it may say of it.
import type { MessageType } from '../base/events/message-types.ts'

/** What is sent: everything that it says is known. */
export interface Message {
  /** Whoever gets it twice knows it by this: the same for every try, but where each makes a ticket. */
  readonly id: string
  readonly type: MessageType
  /** When it happened, in milliseconds since the Unix epoch. */
  readonly at: number
  readonly sub: string
  readonly name: string
  /** Where it goes to; undefined: no address is known. */
  readonly email: string | undefined
  /** BCP 47; undefined: none is known. */
  readonly locale: string | undefined
  /** Whether its owner has proved to read that address. */
  readonly isAddressProven: boolean
  readonly network: string | undefined
  readonly sid: string | undefined
  /** The one-time token that it carries, and until when that is good; undefined: it carries none. */
  readonly ticket: MadeTicket | undefined
  /** What else is known of the account. */
  readonly attributes: Readonly<Record<string, unknown>>
}

/** A ticket that was made to be sent. */
export interface MadeTicket {
  readonly ticket: string
  readonly code?: string | undefined
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

/**
 * Sends a message. Resolves when it has arrived.
 *
 * @throws DeliveryFailed
 */
export type Send = (message: Message, signal: AbortSignal) => Promise<void>

/** A message did not arrive. Its text names no ticket, no address and no answer's body. */
export class DeliveryFailed extends Error {
  override readonly name = 'DeliveryFailed'
  /** Whether trying again is no use. */
  readonly isFinal: boolean

  constructor(message: string, { isFinal = false, cause }: DeliveryFailedOptions = {}) {
    super(message, { cause })
    this.isFinal = isFinal
  }
}

/** More about it. */
export interface DeliveryFailedOptions {
  readonly isFinal?: boolean
  readonly cause?: unknown
}
