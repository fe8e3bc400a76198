// Makes a ticket when it is sent, if it is still of use to the account.
import {
  LONGEST_TTL_MS,
  type MadeTicket,
  type TicketRequest,
  type Tickets,
} from '../tickets/tickets.ts'
import type { Accounts } from '../users/accounts.ts'
import { mayGet } from './pending.ts'

/** Makes a ticket; undefined: the account gets none for this purpose. Rejects with StoreUnavailable. */
export type MakeTicket = (request: TicketRequest) => Promise<MadeTicket | undefined>

/** Makes the function. */
export function createMakeTicket(
  { make }: Pick<Tickets, 'make'>,
  { bySub }: Pick<Accounts, 'bySub'>,
): MakeTicket {
  return async function makeTicket(request) {
    const account = await bySub(request.sub)
    if (account === undefined || !mayGet(account, request.purpose)) return undefined
    // Nobody waits for an invitation.
    const isInvitation = request.purpose === 'invitation'
    return make(isInvitation ? { ttl: LONGEST_TTL_MS, ...request } : request)
  }
}
