// Makes the message of an entry when it is sent: whom it goes to is looked up now, and a ticket is made now,
// so that neither waits in the store.
import type { TicketPurpose } from '../base/events/message-types.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { Accounts } from '../users/accounts.ts'
import type { MadeTicket, Message } from './delivery.ts'
import { purposeOf, type Entry, type Person } from './messages.ts'

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
  readonly makeTicket: MakeTicket
}

/**
 * Makes the message of an entry; undefined: there is nobody to send it to. Rejects with StoreUnavailable.
 */
export type Compose = (id: string, entry: Entry) => Promise<Message | undefined>

/** Makes the composer. */
export function createCompose({ accounts, makeTicket }: ComposeOptions): Compose {
  const find = ({ whom }: Entry) =>
    'sub' in whom ? accounts.bySub(whom.sub) : accounts.findLogin(whom.name)

  async function ticketFor(entry: Entry, account: Account, purpose: TicketPurpose) {
    if (account.disabled && purpose === 'recovery') return undefined
    return makeTicket({
      purpose,
      sub: account.sub,
      epoch: account.sessionsEpoch,
      address: entry.address ?? textOf(account.attributes['email']) ?? '',
    })
  }

  return async function compose(id, entry) {
    if (entry.person !== undefined) {
      return messageOf(id, entry, { person: entry.person })
    }
    const account = await find(entry)
    if (account === undefined) return undefined
    const purpose = purposeOf(entry.type)
    const known = { person: personOf(account), attributes: account.attributes }
    if (purpose === undefined) return messageOf(id, entry, known)
    const ticket = await ticketFor(entry, account, purpose)
    return ticket && messageOf(id, entry, { ...known, ticket })
  }
}

/** What was known of an account, for a message that is sent when the account may be gone. */
export function personOf({ sub, name, attributes, emailVerified }: Account): Person {
  const email = textOf(attributes['email'])
  const locale = textOf(attributes['locale'])
  return {
    sub,
    name,
    isAddressProven: emailVerified,
    ...(email !== undefined && { email }),
    ...(locale !== undefined && { locale }),
  }
}

interface Known {
  readonly person: Person
  readonly attributes?: Account['attributes']
  readonly ticket?: MadeTicket
}

function messageOf(id: string, entry: Entry, known: Known): Message {
  const { person, attributes = {}, ticket } = known
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
