// A walk over all accounts of a store whose pages are enough for it.
import type { Account, BuiltInDirectory } from '../directory.ts'

/** All accounts, read in pages of so many; one that changes meanwhile is met once at the most. */
export async function* walkPages(
  page: BuiltInDirectory['page'],
  limit: number,
): AsyncGenerator<Account> {
  let after: Account | undefined
  do {
    const accounts: readonly Account[] = await page({ after, limit })
    yield* accounts
    after = accounts.at(-1)
  } while (after !== undefined)
}
