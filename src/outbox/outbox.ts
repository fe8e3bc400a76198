// The outbox takes what has to reach a person or an app, and answers at once: it looks nobody up.
// Workers of the servers (worker.ts) send it later, by the webhook, again and again until it arrives.
// Nothing is lost while the store keeps its data, and whatever is sent may arrive twice.
import type { Clock } from '../base/clock.ts'
import type { MessageType, TicketPurpose } from '../base/events/message-types.ts'
import type { Random } from '../base/random.ts'
import type { OutboxItems, Way } from '../stores/ports/outbox.ts'
import type { Envelope } from './envelope.ts'
import { ALREADY, ticketType, type Entry, type Whom } from './messages.ts'

/** A ticket that somebody has asked for, or was invited to. */
export interface TicketWanted {
  readonly purpose: TicketPurpose
  readonly whom: Whom
  /** The language that was asked for (BCP 47). */
  readonly locale?: string | undefined
  /** The /24 or /64 that the request came from. */
  readonly network?: string | undefined
  /** The address that the ticket proves, where that is not the account's yet. */
  readonly address?: string | undefined
  /** The account has that address already: its owner is told so, and gets no ticket. */
  readonly isTaken?: true | undefined
}

/** What comes of appending. `full`: nothing was appended, and the request is answered 503. */
export type Appended = 'appended' | 'full'

/** The outbox. Promises reject with StoreUnavailable. */
export interface Outbox {
  /**
   * Notes that a ticket is to be made and sent. Durable when it resolves. Takes the same time whether the
   * name is anybody's or not: nobody is looked up. A ticket for somebody who signs up and the notice that
   * the address is taken find room together, or neither does: `full` must not say who has it.
   */
  append(wanted: TicketWanted): Promise<Appended>
  /** Whether a ticket of that purpose would be noted now. */
  hasRoom(purpose: TicketPurpose): Promise<boolean>
  /** Notes that something else is to be sent, by each way that is configured for it. */
  appendAll(entries: readonly Entry[]): Promise<Appended>
  /** Calls back whenever something was appended here: there is no need to wait for the next look. */
  onAppended(listener: () => void): void
}

/** What the outbox is made of. */
export interface OutboxOptions {
  readonly items: Pick<OutboxItems, 'append' | 'backlog'>
  readonly envelope: Pick<Envelope, 'seal'>
  /** By which ways a message goes out, as configured now. */
  readonly waysOf: (type: MessageType) => readonly Way[]
  /** How many items may wait, as configured now. */
  readonly maxItems: () => number
  readonly clock: Clock
  readonly random: Pick<Random, 'uuid'>
}

/** Makes the outbox. */
export function createOutbox(options: OutboxOptions): Outbox {
  const { items, envelope, waysOf, maxItems, clock, random } = options
  const listeners: Array<() => void> = []

  function itemsOf(entry: Entry) {
    return waysOf(entry.type).map(way => {
      const id = `msg_${random.uuid()}`
      return { id, way, content: envelope.seal(id, entry) }
    })
  }

  async function appendAll(entries: readonly Entry[]): Promise<Appended> {
    const added = entries.flatMap(itemsOf)
    if (added.length === 0) return 'appended'
    if (!(await items.append(added, maxItems()))) return 'full'
    for (const listener of listeners) listener()
    return 'appended'
  }

  async function hasRoom(purpose: TicketPurpose): Promise<boolean> {
    const types = [ticketType(purpose), ...(purpose === 'verification' ? [ALREADY] : [])]
    const ways = new Set(types.flatMap(waysOf))
    const backlogs = await Promise.all([...ways].map(way => items.backlog(way)))
    return backlogs.every(({ length }) => length < maxItems())
  }

  return {
    appendAll,
    async append({ purpose, whom, ...known }) {
      // Either may go by a way that the other doesn't.
      if (purpose === 'verification' && !(await hasRoom(purpose))) return 'full'
      const type = known.isTaken === true ? ALREADY : ticketType(purpose)
      return appendAll([{ type, whom, at: clock(), ...known }])
    },
    hasRoom,
    onAppended(listener) {
      listeners.push(listener)
    },
  }
}
