// Renames an account in Redis: the new name is put into the index and claimed first, then the record is
// written, then the old name is given up. Whoever dies in between leaves an entry and a claim that no account
// holds: the first is never shown, the second may be taken over.
import type {
  Account,
  BuiltInDirectory,
  NameChange,
  RenameOutcome,
} from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import type { AccountReader } from './account-reader.ts'
import { createChangeAt } from './change-account.ts'
import type { Claims } from './claims/claims.ts'
import type { FindTaken } from './claims/login-texts.ts'
import { indexedOf, type AccountIndex } from './index/account-index.ts'
import { entriesOf, type Indexed } from './index/entries.ts'

/** What a rename needs beside the adapter. */
interface RenameParts {
  readonly reader: AccountReader
  readonly names: Claims
  readonly index: AccountIndex
  readonly findTaken: FindTaken
}

/** Makes `rename`. */
export function createRename(
  adapter: RedisAdapter,
  { reader, names, index, findTaken }: RenameParts,
): BuiltInDirectory['rename'] {
  const changeAt = createChangeAt(adapter)

  async function write(
    { tag, name, foldedName }: NameChange,
    { version }: Pick<Account, 'version'>,
  ): Promise<boolean> {
    const set = { name, foldedName }
    return (await changeAt({ tag, version, set })) === 'changed'
  }

  /** False: the account has changed since it was read; whatever was claimed is given up. */
  async function move(change: NameChange, before: Account): Promise<boolean> {
    try {
      return await write(change, before)
    } finally {
      // One of the two names is no longer the account's, or has not become it.
      await names.giveUp(change.foldedName, change.tag)
    }
  }

  /** Whether the account has the name, and nobody else logs in by it. */
  async function claim(
    { tag, foldedName, logins }: NameChange,
    before: Account,
  ): Promise<boolean> {
    if (!(await names.claim(foldedName, tag))) return false
    const isNamed = foldedName !== before.foldedName
    const taken = await findTaken({ tag, logins, isNamed, had: [] })
    if (taken !== undefined) await names.giveUp(foldedName, tag)
    return taken === undefined
  }

  async function renameFrom(
    change: NameChange,
    before: Account,
    next: Indexed,
  ): Promise<RenameOutcome | 'superseded'> {
    const { tag, foldedName } = change
    await index.put(next)
    if (!(await claim(change, before))) return 'name_taken'
    if (!(await move(change, before))) return 'superseded'
    await index.put(next)
    // Somebody may have taken the claim over while we were slow.
    if (!(await claim(change, before))) {
      await write(before, { version: before.version + 1 })
      await names.giveUp(foldedName, tag)
      return 'name_taken'
    }
    await names.giveUp(before.foldedName, tag)
    return 'renamed'
  }

  return async function rename(change): Promise<RenameOutcome> {
    const found = await reader.read(change.tag)
    if (found === undefined) return 'user_unknown'
    const before = indexedOf(found)
    const next = { ...before, foldedName: change.foldedName }
    const outcome = await renameFrom(change, found.account, next)
    const texts = [before, next].flatMap(each => entriesOf(each).texts)
    await index.tidy(change.tag, { created: [], texts })
    // Somebody else has changed the account, and not in vain: this ends.
    return outcome === 'superseded' ? rename(change) : outcome
  }
}
