// The account that an operator means: by its name, its `sub`, a unique attribute, or what the audit log calls
// it.
import type { Config } from '../../config/schema.ts'
import type { Account } from '../../stores/ports/directory.ts'
import { isSub } from '../../users/accounts.ts'
import { declarationsOf } from '../../users/attributes/declarations.ts'
import { findByValue, textsOf } from '../../users/attributes/find-by-value.ts'
import { createNameInLogs } from '../../users/names/name-in-logs.ts'
import type { StoreTools } from '../tools.ts'

/** As `username` stands in the audit log. */
const HASH = /^h:[\w-]{22}$/

/** Finds the account; a hash of the audit log is looked for among all accounts. */
export async function findAccount(
  {
    accounts,
    config,
  }: Pick<StoreTools, 'accounts'> & {
    readonly config: Pick<Config, 'secrets' | 'attributes'>
  },
  text: string,
): Promise<Account | undefined> {
  const found = (await accounts.find(text)) ?? (await accounts.findLogin(text))
  if (found !== undefined) return found
  const bySub = isSub(text) ? await accounts.bySub(text) : undefined
  if (bySub !== undefined) return bySub
  const declarations = declarationsOf(config.attributes)
  const byValue = await findByValue(text, { byValue: accounts.byValue, declarations })
  if (byValue !== undefined || !HASH.test(text)) return byValue
  const hashes = config.secrets.map(secret =>
    createNameInLogs({ secrets: [secret], plain: () => false }),
  )
  for await (const account of accounts.all()) {
    const texts = textsOf(account, declarations)
    if (hashes.some(hash => texts.some(each => hash(each) === text))) return account
  }
  return undefined
}
