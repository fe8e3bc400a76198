// Reads the records of accounts in Redis.
import type { Account, UniqueValue } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { listOf } from '../replies.ts'
import { loadScript } from '../scripts.ts'
import {
  hashFrom,
  readAccount,
  readUniqueValues,
  RECORD_FIELDS,
} from './account-record.ts'
import { createReadTogether } from './index/reach.ts'

/** What a record says. */
export interface FoundAccount {
  readonly account: Account
  readonly uniqueValues: readonly UniqueValue[]
}

/** Looks at accounts. Promises reject with StoreUnavailable. */
export interface AccountReader {
  read(tag: string): Promise<FoundAccount | undefined>
  /** The same for many, in their order, a few at a time. */
  readAll(tags: readonly string[]): Promise<ReadonlyArray<FoundAccount | undefined>>
  byTag(tag: string): Promise<Account | undefined>
  /** Whether the tag has an account of that name. */
  holds(tag: string, foldedName: string): Promise<boolean>
}

/** So many are read by one script: neither Redis nor the event loop is held for long. */
const AT_ONCE = 25

/** And so many such scripts share a round trip: a list that a person looks at takes one. */
const SCRIPTS_OF_A_TURN = 2

/** Makes the reader. */
export function createAccountReader({ link, keys }: RedisAdapter): AccountReader {
  const readScript = loadScript(link, 'people/index/read')
  const readTogether = createReadTogether(link)

  async function read(tag: string): Promise<FoundAccount | undefined> {
    const values = await link.run(client =>
      client.hmget(keys.user(tag), ...RECORD_FIELDS),
    )
    return foundIn(tag, values)
  }

  async function together(tags: readonly string[]) {
    const [reply] = await readScript(tags.map(keys.user), RECORD_FIELDS)
    const records = listOf(JSON.parse(String(reply)))
    return tags.map((tag, place) => foundIn(tag, listOf(records[place])))
  }

  const byTag = async (tag: string) => (await read(tag))?.account

  return {
    read,
    async readAll(tags) {
      const found: Array<FoundAccount | undefined> = []
      for (const turn of chunksOf(tags, AT_ONCE * SCRIPTS_OF_A_TURN)) {
        const parts = chunksOf(turn, AT_ONCE).map(some =>
          readTogether(
            () => together(some),
            () => Promise.all(some.map(read)),
          ),
        )
        found.push(...(await Promise.all(parts)).flat())
      }
      return found
    },
    byTag,
    holds: async (tag, foldedName) => (await byTag(tag))?.foldedName === foldedName,
  }
}

function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, place) =>
    items.slice(place * size, (place + 1) * size),
  )
}

function foundIn(tag: string, values: readonly unknown[]): FoundAccount | undefined {
  const hash = hashFrom(values)
  try {
    const account = readAccount(tag, hash)
    return account && { account, uniqueValues: readUniqueValues(hash) }
  } catch {
    // Its cause would say what is in it.
    throw new Error(
      `the account in the key that ends in {${tag}}:u can't be read: put it back from a back-up`,
    )
  }
}
