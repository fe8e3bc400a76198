// The core's outbox: what is appended to it, and what a worker needs to send it.
import { createCountOne } from '../base/counts/shared-counts.ts'
import type { Emit } from '../base/events/events.ts'
import type { MessageType } from '../base/events/message-types.ts'
import { createAnnouncer, type Announcer } from '../outbox/announce.ts'
import { createAuditLines, type AuditLines } from '../outbox/audit-lines.ts'
import { createCompose, createPersonOf, type Compose } from '../outbox/compose.ts'
import { createEnvelope, type Envelope } from '../outbox/envelope.ts'
import { createOutbox, type Outbox } from '../outbox/outbox.ts'
import { waysOf } from '../outbox/ways.ts'
import { createMakeTicket, type MakeTicket } from '../self-service/make-ticket.ts'
import type { Way } from '../stores/ports/outbox.ts'
import { StoreUnavailable } from '../stores/ports/unavailable.ts'
import { createTickets, type Tickets } from '../tickets/tickets.ts'
import type { ComposeOptions } from './options.ts'
import type { People } from './people.ts'
import type { Signing } from './signing.ts'

/** What the core can do with messages. */
export interface Messages extends Noted {
  readonly tickets: Tickets
  /** Makes a ticket when it is sent. */
  readonly makeTicket: MakeTicket
  /** Makes a message when it is sent. */
  readonly compose: Compose
}

/** What notes that something is to be sent. */
export interface Noted {
  readonly outbox: Outbox
  readonly envelope: Envelope
  readonly announcer: Announcer
  /** What commands leave for the audit log of the servers. */
  readonly auditLines: AuditLines
}

type NotedParts = ComposeOptions & Pick<Signing, 'knownSecrets'>

/** What messages are composed from. */
type MessageParts = ComposeOptions & Noted & Pick<People, 'accounts' | 'directory'>

/** Composes what notes messages. */
export function composeNoted({
  settings,
  store,
  addressCounts,
  clock,
  monotonic,
  random,
  emit,
  knownSecrets,
}: NotedParts): Noted {
  const { secrets } = settings
  const { isEverywhere } = knownSecrets
  const envelope = createEnvelope(secrets, isEverywhere)
  const auditLines = createAuditLines({
    items: store.outbox,
    envelope: createEnvelope<string>(secrets, isEverywhere, 'audit-lines'),
    random,
  })
  const waysNow = (type: MessageType) => waysOf(settings.notify(), type)
  const onLost = createOnLost(emit, waysNow)
  const outbox = createOutbox({
    items: store.outbox,
    envelope,
    waysOf: waysNow,
    maxItems: () => settings.notify().maxItems,
    clock,
    random,
  })
  const count = createCountOne(addressCounts, monotonic)
  const announcer = createAnnouncer({
    appendAll: outbox.appendAll,
    isSent: type => waysNow(type).length > 0,
    async isTooMany(type, sub) {
      const endsInMs = await count(
        `notice ${type} ${sub}`,
        settings.notify().noticesPerAccount,
      )
      return endsInMs !== undefined
    },
    personOf: createPersonOf(mayTypeAddress(settings)),
    clock,
    onWithheld(message, sub) {
      emit({ type: 'message.withheld', message, sub })
    },
    onLost,
  })
  return {
    envelope,
    outbox,
    announcer,
    auditLines,
  }
}

/** Makes what reports messages that could not be noted, for each way that they would have gone by. */
function createOnLost(emit: Emit, waysNow: (type: MessageType) => readonly Way[]) {
  return (types: readonly MessageType[], why: unknown): void => {
    const about = { type: 'message.abandoned', tries: 0, error: reasonOf(why) } as const
    for (const message of types) {
      for (const way of waysNow(message)) emit({ ...about, way, message })
    }
  }
}

/** In words of ours: an error's own might say anything. */
function reasonOf(why: unknown): string {
  if (why === 'full') return 'the outbox is full'
  if (why instanceof StoreUnavailable) return 'the store is away'
  return `it could not be noted (${Object(why).name})`
}

/** Composes the messages' side. */
export function composeMessages({
  settings,
  store,
  random,
  accounts,
  directory,
  ...noted
}: MessageParts): Messages {
  const tickets = createTickets({
    tickets: store.tickets,
    secrets: settings.secrets,
    policy: settings.ticketPolicy,
    random,
  })
  const makeTicket = createMakeTicket(tickets, accounts)
  return {
    ...noted,
    tickets,
    makeTicket,
    compose: createCompose({
      accounts,
      byTag: directory.byTag,
      makeTicket,
      personOf: createPersonOf(mayTypeAddress(settings)),
      isSent: type => waysOf(settings.notify(), type).length > 0,
    }),
  }
}

function mayTypeAddress({ attributes, selfService }: ComposeOptions['settings']) {
  return () =>
    attributes().get('email')?.self === true &&
    (selfService.account || selfService.registration === 'open')
}

/** Emits, and has whoever is to know of it told. */
export function announcing(emit: Emit, { hear }: Pick<Announcer, 'hear'>): Emit {
  return function emitAndAnnounce(event, origin, aside) {
    emit(event, origin)
    hear(event, origin, aside)
  }
}
