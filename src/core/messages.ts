// The core's outbox: what is appended to it, and what a worker needs to send it.
import { createCompose, type Compose } from '../outbox/compose.ts'
import { createEnvelope, type Envelope } from '../outbox/envelope.ts'
import { createOutbox, type Outbox } from '../outbox/outbox.ts'
import { waysOf } from '../outbox/ways.ts'
import { createMakeTicket, type MakeTicket } from '../self-service/make-ticket.ts'
import { createTickets, type Tickets } from '../tickets/tickets.ts'
import type { ComposeOptions } from './options.ts'
import type { People } from './people.ts'
import type { Signing } from './signing.ts'

/** What the core can do with messages. */
export interface Messages {
  readonly tickets: Tickets
  readonly outbox: Outbox
  readonly envelope: Envelope
  /** Makes a ticket when it is sent. */
  readonly makeTicket: MakeTicket
  /** Makes a message when it is sent. */
  readonly compose: Compose
}

/** What messages are composed from. */
type MessageParts = ComposeOptions &
  Pick<Signing, 'knownSecrets'> &
  Pick<People, 'accounts'>

/** Composes the messages' side. */
export function composeMessages({
  settings,
  store,
  clock,
  random,
  knownSecrets,
  accounts,
}: MessageParts): Messages {
  const envelope = createEnvelope(settings.secrets, knownSecrets.isEverywhere)
  const tickets = createTickets({
    tickets: store.tickets,
    secrets: settings.secrets,
    policy: settings.ticketPolicy,
    random,
  })
  const makeTicket = createMakeTicket(tickets, accounts)
  return {
    tickets,
    makeTicket,
    envelope,
    outbox: createOutbox({
      items: store.outbox,
      envelope,
      waysOf: type => waysOf(settings.notify(), type),
      maxItems: () => settings.notify().maxItems,
      clock,
      random,
    }),
    compose: createCompose({ accounts, makeTicket }),
  }
}
