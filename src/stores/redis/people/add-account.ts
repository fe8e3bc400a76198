// Adds an account in Redis: its name is claimed first, then its record is written.
import type { BuiltInDirectory, NewAccount } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import type { AccountReader } from './account-reader.ts'
import { writeAccount } from './account-record.ts'
import type { Names } from './names.ts'

/** What adding needs beside the adapter. */
interface AddParts {
  readonly names: Names
  readonly reader: AccountReader
}

/** Makes `add`. */
export function createAddAccount(
  { keys, time, durably }: RedisAdapter,
  { names, reader }: AddParts,
): BuiltInDirectory['add'] {
  const addScript = durably('people/user-add')
  const removeScript = durably('people/user-remove')

  async function write(account: NewAccount): Promise<boolean> {
    const fields = writeAccount(account)
    const [added] = await addScript([keys.user(account.tag)], [time(), ...fields])
    return added === 1
  }

  /** Gives the name up, unless the tag's own account has it. */
  async function giveUp({ foldedName, tag }: NewAccount): Promise<void> {
    if (!(await reader.holds(tag, foldedName))) await names.release(foldedName, tag)
  }

  /** A claim that didn't reach the replicas is given up, so that a second try finds the name free. */
  async function claim(account: NewAccount): Promise<boolean> {
    try {
      return await names.claim(account.foldedName, account.tag)
    } catch (error) {
      await giveUp(account)
      throw error
    }
  }

  return async function addAccount(account) {
    const { tag, foldedName } = account
    if (!(await claim(account))) return 'name_taken'
    if (!(await write(account))) {
      // The tag has an account already.
      await giveUp(account)
      return 'name_taken'
    }
    if ((await names.ownerOf(foldedName)) === tag) return 'added'
    // Somebody took our claim over while we were slow.
    await removeScript([keys.user(tag), keys.live(tag)], [time()])
    return 'name_taken'
  }
}
