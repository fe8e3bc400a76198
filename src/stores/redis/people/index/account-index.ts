// The index of accounts: which there are, by the instant of their creation, by their names and by their
// unique values. It lies in shards, each of which has a hash slot of its own. The entries of an account are
// written before it and taken away after it. A writer that dies in between leaves an entry that no account
// has: whatever reads the index asks the account.
import type { RedisAdapter } from '../../adapter.ts'
import type { AccountReader, FoundAccount } from '../account-reader.ts'
import { entriesIn, entriesOf, shardOf, type Entries, type Indexed } from './entries.ts'

/** The index. Promises reject with StoreUnavailable. */
export interface AccountIndex {
  /**
   * Writes the entries of an account, which is created now where it doesn't say when. Each write of an
   * account has one before and one after it: `tidy` may come in between. Durable when it resolves; resolves
   * to the instant of creation.
   */
  put(account: Omit<Indexed, 'createdAt'> & Partial<Indexed>): Promise<number>
  /** Takes those of the entries away that the account of the tag hasn't got. */
  tidy(tag: string, entries: Entries): Promise<void>
}

/** Makes the index. */
export function createAccountIndex(
  { link, keys, time, durably }: RedisAdapter,
  { read }: Pick<AccountReader, 'read'>,
): AccountIndex {
  const putScript = durably('people/index/put')

  const put: AccountIndex['put'] = async ({ createdAt, ...account }) => {
    const { created, texts } = entriesOf({ ...account, createdAt: 0 })
    const shard = shardOf(account.tag)
    const [instant] = await putScript(
      [keys.accounts('created', shard), keys.accounts('texts', shard)],
      [createdAt ?? time(), ...created, ...texts],
    )
    return Number(instant)
  }

  const tidy: AccountIndex['tidy'] = async (tag, entries) => {
    const gone = orphansOf(await read(tag), entries)
    if (sizeOf(gone) === 0) return
    const shard = shardOf(tag)
    await Promise.all(
      (['created', 'texts'] as const)
        .filter(order => gone[order].length > 0)
        .map(order =>
          link.run(client => client.zrem(keys.accounts(order, shard), ...gone[order])),
        ),
    )
    // The account may have got one meanwhile. Its writer puts the entries once more after that: one of the
    // two sees the other.
    const found = await read(tag)
    if (found === undefined) return
    const left = orphansOf(found, gone)
    // No change moves an instant of creation: it was damaged, or is repaired now.
    const isMoved = gone.created.length > 0
    if (isMoved || sizeOf(left) < sizeOf(gone)) await put(indexedOf(found))
  }

  return { put, tidy }
}

/** What the entries of a record are made of. */
export function indexedOf({ account, uniqueValues }: FoundAccount): Indexed {
  return { ...account, uniqueValues }
}

/** The entries of one account, of those that a page has shown. */
export function entriesFor(order: keyof Entries, entries: readonly string[]): Entries {
  return { created: [], texts: [], [order]: entries }
}

/** Whether the account has the entry. */
export function holdsEntry(
  found: FoundAccount | undefined,
  order: keyof Entries,
  entry: string,
): found is FoundAccount {
  return found !== undefined && entriesIn(order, indexedOf(found)).includes(entry)
}

function orphansOf(found: FoundAccount | undefined, entries: Entries): Entries {
  const left = (order: keyof Entries) =>
    entries[order].filter(entry => !holdsEntry(found, order, entry))
  // Nobody knows which entry is right while the account's instant can't be read.
  const isUnreadable = found !== undefined && !Number.isFinite(found.account.createdAt)
  return { created: isUnreadable ? [] : left('created'), texts: left('texts') }
}

function sizeOf({ created, texts }: Entries): number {
  return created.length + texts.length
}
