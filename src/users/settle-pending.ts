// What an account waits for is changed by its version: whoever else changes the account in the same moment
// undoes nothing of it, and nothing of theirs is undone.
import type { Account, Pending } from '../stores/ports/directory.ts'
import { MOST_TRIES } from './account-attributes.ts'
import type { Directory } from './directory/directory.ts'

/** When an account is erased that is being erased: nothing brings it back any more. */
export const ERASING = 0

/** What comes of it; `as_it_was`: nothing was to be changed. */
export type SettledPending =
  'changed' | 'as_it_was' | 'user_unknown' | 'changed_meanwhile'

/**
 * Changes what an account waits for, from its newest version; tries again where somebody else was first.
 * Rejects with StoreUnavailable.
 *
 * @param decide says of the account as it is now what it waits for next; null: nothing, undefined: no change
 */
export async function settlePending(
  directory: Pick<Directory, 'byTag' | 'changePending'>,
  tag: string,
  decide: (account: Account) => Pending | null | undefined,
): Promise<SettledPending> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const account = await directory.byTag(tag)
    if (account === undefined) return 'user_unknown'
    const pending = decide(account)
    if (pending === undefined) return 'as_it_was'
    const { version } = account
    const change = { tag, version, pending, endsSessions: false }
    if ((await directory.changePending(change)) === 'changed') return 'changed'
  }
  return 'changed_meanwhile'
}

/** What an account waits for that is not to be erased; undefined: it isn't, or nothing helps any more. */
export function withoutDeletion({ pending }: Account): Pending | null | undefined {
  const { deleteAt, ...rest } = pending ?? {}
  if (deleteAt === undefined || deleteAt === ERASING) return undefined
  return Object.keys(rest).length === 0 ? null : rest
}
