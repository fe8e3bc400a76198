// The account that an operator means: by its name, its `sub`, what else somebody may log in with, or what the
// audit log calls it.
import type { Account } from '../../stores/ports/directory.ts'
import { isSub } from '../../users/accounts.ts'
import { createNameInLogs } from '../../users/names/name-in-logs.ts'
import type { StoreTools } from '../tools.ts'

/** As `username` stands in the audit log. */
const HASH = /^h:[\w-]{22}$/

/** Finds the account; a hash of the audit log is looked for among all accounts. */
export async function findAccount(
  { accounts, config }: Pick<StoreTools, 'accounts' | 'config'>,
  text: string,
): Promise<Account | undefined> {
  const found = (await accounts.find(text)) ?? (await accounts.findLogin(text))
  if (found !== undefined) return found
  const bySub = isSub(text) ? await accounts.bySub(text) : undefined
  if (bySub !== undefined || !HASH.test(text)) return bySub
  const hashes = config.secrets.map(secret =>
    createNameInLogs({ secrets: [secret], plain: () => false }),
  )
  for await (const account of accounts.all()) {
    const names = [account.name, account.attributes['email']].map(String)
    if (hashes.some(hash => names.some(name => hash(name) === text))) return account
  }
  return undefined
}
