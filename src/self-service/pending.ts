// What an account waits for, and the address that a ticket of it is about.
import type { Account } from '../stores/ports/directory.ts'
import type { TicketPurpose } from '../stores/ports/people/tickets.ts'

/**
 * The address that a ticket of that purpose is bound to, as the account is now: a new one that waits to be
 * verified, or the account's; empty: there is none.
 */
export function addressFor(
  { attributes, pending }: Pick<Account, 'attributes' | 'pending'>,
  purpose: TicketPurpose,
): string {
  const { email } = attributes
  const own = typeof email === 'string' ? email : ''
  return purpose === 'verification' ? (pending?.email ?? own) : own
}

/** Whether a ticket of that purpose is any use to the account. */
export function mayGet(account: Account, purpose: TicketPurpose): boolean {
  // A directory elsewhere alone says what its users' passwords and addresses are.
  if (account.external !== undefined) return false
  if (purpose !== 'verification') return !account.disabled
  // Nobody proves an address of an account that is to be erased.
  if (account.pending?.deleteAt !== undefined) return false
  return account.pending?.email !== undefined || !account.emailVerified
}
