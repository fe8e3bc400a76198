// Adds an account in Redis: its entries in the index are written and its name and its unique values claimed
// first, then its record is written.
import type { BuiltInDirectory, NewAccount } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { writeAccount } from './account-record.ts'
import type { Claims } from './claims/claims.ts'
import type { AccountIndex } from './index/account-index.ts'
import { entriesOf } from './index/entries.ts'
import type { FindTaken } from './claims/login-texts.ts'
import type { UniqueValues } from './claims/unique-values.ts'

/** What adding needs beside the adapter. */
interface AddParts {
  readonly names: Claims
  readonly values: UniqueValues
  readonly index: AccountIndex
  readonly findTaken: FindTaken
}

/** Makes `add`. */
export function createAddAccount(
  { keys, time, durably }: RedisAdapter,
  { names, values, index, findTaken }: AddParts,
): BuiltInDirectory['add'] {
  const addScript = durably('people/user-add')
  const removeScript = durably('people/user-remove')

  async function write(
    { logins: _, ...account }: NewAccount,
    createdAt: number,
  ): Promise<boolean> {
    const fields = writeAccount(account)
    const [added] = await addScript([keys.user(account.tag)], [createdAt, ...fields])
    return added === 1
  }

  /** Gives up what was claimed, unless the tag's own account has it. */
  async function giveUp({ foldedName, tag, uniqueValues }: NewAccount): Promise<void> {
    await names.giveUp(foldedName, tag)
    await values.giveUp(tag, uniqueValues)
  }

  async function textTaken({ tag, logins }: NewAccount) {
    const taken = await findTaken({ tag, logins, isNamed: true, had: [] })
    return taken?.kind === 'name_taken' ? taken.kind : taken
  }

  /** A claim that didn't reach the replicas is given up, so that a second try finds the name free. */
  async function claim(account: NewAccount): ReturnType<BuiltInDirectory['add']> {
    const { tag, foldedName, uniqueValues } = account
    try {
      if (!(await names.claim(foldedName, tag))) return 'name_taken'
      const taken =
        (await values.claimAll(tag, uniqueValues)) ?? (await textTaken(account))
      if (taken === undefined) return 'added'
      await giveUp(account)
      return taken
    } catch (error) {
      await giveUp(account)
      throw error
    }
  }

  /** Whether nobody took a claim over while we were slow. */
  async function keepsClaims(account: NewAccount) {
    const { tag, foldedName, uniqueValues } = account
    if ((await names.ownerOf(foldedName)) !== tag) return 'name_taken'
    const lost = await values.claimAll(tag, uniqueValues)
    return lost ?? (await textTaken(account)) ?? 'added'
  }

  async function addAt(
    account: NewAccount,
    createdAt: number,
  ): ReturnType<BuiltInDirectory['add']> {
    const claimed = await claim(account)
    if (claimed !== 'added') return claimed
    if (!(await write(account, createdAt))) {
      // The tag has an account already.
      await giveUp(account)
      return 'name_taken'
    }
    await index.put({ ...account, createdAt })
    const kept = await keepsClaims(account)
    if (kept === 'added') return kept
    await removeScript([keys.user(account.tag), keys.live(account.tag)], [time()])
    await giveUp(account)
    return kept
  }

  return async function addAccount(account) {
    const createdAt = await index.put(account)
    const outcome = await addAt(account, createdAt)
    if (outcome !== 'added') {
      await index.tidy(account.tag, entriesOf({ ...account, createdAt }))
    }
    return outcome
  }
}
