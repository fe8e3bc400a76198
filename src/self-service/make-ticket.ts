// Makes a ticket when it is sent, if it is still of use to the account.
import type { MadeTicket, TicketRequest, Tickets } from '../tickets/tickets.ts'
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
    return account !== undefined && mayGet(account, request.purpose)
      ? make(request)
      : undefined
  }
}
