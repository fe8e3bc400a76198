// Renames an account in Redis: the new name is claimed first, then the record is written, then the old name
// is given up. Whoever dies in between leaves a claim that no account holds, which others may take over.
import type { Account, BuiltInDirectory, NameChange } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import type { AccountReader } from './account-reader.ts'
import { createChangeAt } from './change-account.ts'
import type { Claims } from './claims.ts'

/** What a rename needs beside the adapter. */
interface RenameParts {
  readonly reader: AccountReader
  readonly names: Claims
}

/** Makes `rename`. */
export function createRename(
  adapter: RedisAdapter,
  { reader, names }: RenameParts,
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

  return async function rename(change) {
    const { tag, foldedName } = change
    const before = await reader.byTag(tag)
    if (before === undefined) return 'user_unknown'
    if (!(await names.claim(foldedName, tag))) return 'name_taken'
    // Somebody else has changed the account, and not in vain: this ends.
    if (!(await move(change, before))) return rename(change)
    // Somebody may have taken the claim over while we were slow.
    if (!(await names.claim(foldedName, tag))) {
      await write(before, { version: before.version + 1 })
      return 'name_taken'
    }
    await names.giveUp(before.foldedName, tag)
    return 'renamed'
  }
}
