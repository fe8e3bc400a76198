// Reads the record of an account in Redis.
import type { Account, UniqueValue } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { readAccount, readUniqueValues } from './account-record.ts'

/** What a record says. */
export interface FoundAccount {
  readonly account: Account
  readonly uniqueValues: readonly UniqueValue[]
}

/** Looks at single accounts. Promises reject with StoreUnavailable. */
export interface AccountReader {
  read(tag: string): Promise<FoundAccount | undefined>
  byTag(tag: string): Promise<Account | undefined>
  /** Whether the tag has an account of that name. */
  holds(tag: string, foldedName: string): Promise<boolean>
}

/** Makes the reader. */
export function createAccountReader({ link, keys }: RedisAdapter): AccountReader {
  async function read(tag: string): Promise<FoundAccount | undefined> {
    const hash = await link.run(client => client.hgetall(keys.user(tag)))
    const account = readAccount(tag, hash)
    return account && { account, uniqueValues: readUniqueValues(hash) }
  }

  const byTag = async (tag: string) => (await read(tag))?.account

  return {
    read,
    byTag,
    holds: async (tag, foldedName) => (await byTag(tag))?.foldedName === foldedName,
  }
}
