// Makes the message of an entry when it is sent: whom it goes to is looked up now, and a ticket is made now,
// so that neither waits in the store.
import type { Known } from '../base/events/events.ts'
import {
  NOTICES,
  type MessageType,
  type TicketPurpose,
} from '../base/events/message-types.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { Accounts } from '../users/accounts.ts'
import type { TakenItem } from '../stores/ports/outbox.ts'
import type { MadeTicket, Message } from './delivery.ts'
import { ALREADY, purposeOf, type Entry, type Person } from './messages.ts'

/** A ticket that is to be made. */
export interface TicketRequest {
  readonly purpose: TicketPurpose
  readonly sub: string
  /** The account's sessions epoch: a ticket of an earlier one is void. */
  readonly epoch: number
  /** The address that it is sent to; empty: none is known. */
  readonly address: string
}

/** Makes a ticket; undefined: the account gets none for this purpose. */
export type MakeTicket = (request: TicketRequest) => Promise<MadeTicket | undefined>

/** What messages are made of. */
export interface ComposeOptions {
  readonly accounts: Pick<Accounts, 'bySub' | 'findLogin'>
  readonly byTag: (tag: string) => Promise<Account | undefined>
  readonly makeTicket: MakeTicket
  readonly personOf: (account: Known) => Person
  /** Whether a message goes out by any way, as configured now. */
  readonly isSent: (type: MessageType) => boolean
}

/**
 * Makes the message of an entry; undefined: there is nobody to send it to. Rejects with StoreUnavailable.
 */
export type Compose = (
  item: Pick<TakenItem, 'id' | 'tries'>,
  entry: Entry,
) => Promise<Message | undefined>

/** Makes the composer. */
export function createCompose(options: ComposeOptions): Compose {
  const { accounts, byTag, makeTicket, personOf, isSent } = options

  async function find({ whom }: Entry): Promise<Account | undefined> {
    if ('tag' in whom) return byTag(whom.tag)
    return 'sub' in whom ? accounts.bySub(whom.sub) : accounts.findLogin(whom.name)
  }

  async function ticketFor(entry: Entry, account: Account, purpose: TicketPurpose) {
    if (account.disabled && purpose === 'recovery') return undefined
    return makeTicket({
      purpose,
      sub: account.sub,
      epoch: account.sessionsEpoch,
      address: entry.address ?? textOf(account.attributes['email']) ?? '',
    })
  }

  return async function compose({ id, tries }, asked) {
    const { person } = asked
    if (person !== undefined) return messageOf(id, asked, { person })
    const account = await find(asked)
    if (account === undefined) return undefined
    const entry = asked.isTaken === true ? { ...asked, type: ALREADY } : asked
    if (entry.isTaken === true && !isSent(ALREADY)) return undefined
    const purpose = purposeOf(entry.type)
    const known = { person: personOf(account), attributes: account.attributes }
    if (purpose === undefined) return messageOf(id, entry, known)
    const ticket = await ticketFor(entry, account, purpose)
    // Each try makes another ticket, which voids the one before: who drops what it has seen must not drop it.
    return ticket && messageOf(`${id}-${tries}`, entry, { ...known, ticket })
  }
}

/**
 * Makes what takes from an account what is known of whom a message goes to.
 *
 * @param mayTypeAddress whether users may set their address themselves, as configured now: what an operator
 * has set is theirs to answer for
 */
export function createPersonOf(
  mayTypeAddress: () => boolean,
): (account: Known) => Person {
  return ({ sub, name, attributes, emailVerified, pending }) => {
    const email = textOf(attributes['email'])
    const locale = textOf(attributes['locale'])
    const isProven = emailVerified || !mayTypeAddress()
    return {
      sub,
      name,
      isAddressProven: isProven && pending?.signUp !== true,
      ...(email !== undefined && { email }),
      ...(locale !== undefined && { locale }),
    }
  }
}

interface Found {
  readonly person: Person
  readonly attributes?: Account['attributes']
  readonly ticket?: MadeTicket
}

/** The message; undefined: a notice goes to no address that somebody typed and nobody proved. */
function messageOf(id: string, entry: Entry, found: Found): Message | undefined {
  const { person, attributes = {}, ticket } = found
  const isNotice = NOTICES.some(each => each === entry.type)
  if (isNotice && person.email !== undefined && person.isAddressProven !== true) {
    return undefined
  }
  return {
    id,
    type: entry.type,
    at: entry.at,
    sub: person.sub,
    name: person.name,
    email: entry.address ?? person.email,
    // Another address than the account's is one that nobody has proved to read yet.
    isAddressProven: entry.address === undefined && person.isAddressProven === true,
    locale: entry.locale ?? person.locale,
    network: entry.network,
    sid: entry.sid,
    ticket,
    attributes,
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
