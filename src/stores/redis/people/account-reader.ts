// Reads the record of an account in Redis.
import type { Account } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { readAccount } from './account-record.ts'

/** Looks at single accounts. Promises reject with StoreUnavailable. */
export interface AccountReader {
  byTag(tag: string): Promise<Account | undefined>
  /** Whether the tag has an account of that name. */
  holds(tag: string, foldedName: string): Promise<boolean>
}

/** Makes the reader. */
export function createAccountReader({ link, keys }: RedisAdapter): AccountReader {
  async function byTag(tag: string): Promise<Account | undefined> {
    const hash = await link.run(client => client.hgetall(keys.user(tag)))
    return readAccount(tag, hash)
  }

  return {
    byTag,
    holds: async (tag, foldedName) => (await byTag(tag))?.foldedName === foldedName,
  }
}
