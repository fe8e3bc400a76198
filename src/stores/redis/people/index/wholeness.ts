// Whether the index of accounts has everybody. Accounts of earlier releases have no entries, and a failover
// may lose some: a walk over all claims finds whoever is missing. A mark says that one was made a while ago,
// and the counts say whether an earlier release has added somebody since.
import type { Cluster, Redis } from 'ioredis'
import type { RedisAdapter } from '../../adapter.ts'
import type { AccountReader } from '../account-reader.ts'
import { ownerIn } from '../claims/claims.ts'
import { VALUE_SHARDS } from '../claims/unique-values.ts'
import { indexedOf, holdsEntry, type AccountIndex } from './account-index.ts'
import { boundsOf, NAMES, nameField, shardOf, SHARDS, textEntry } from './entries.ts'

/** Promises reject with StoreUnavailable. */
export interface Wholeness {
  /** Whether the index is known to have everybody: one round trip. */
  isWhole(): Promise<boolean>
  /** Looks at every claim and writes the entries that are missing. */
  walk(): Promise<void>
  /** Walks where the index isn't known to have everybody. */
  ensure(): Promise<void>
  /** Walks also where that will soon be no longer known. */
  settle(): Promise<void>
}

/** How long a walk is believed, in milliseconds: servers walk again after half of it. */
const BELIEVED_MS = 7_200_000
/** So many claims are looked at in one step. */
const STEP = 500
/** The counts lie on several nodes: an account that is removed between two of them looks as if missing. */
const TRIES = 3

/** What the walk needs. */
export interface WholenessParts {
  readonly reader: Pick<AccountReader, 'read'>
  readonly index: Pick<AccountIndex, 'put'>
}

/** Makes the walk. */
export function createWholeness(
  { link, keys, names }: RedisAdapter,
  { reader, index }: WholenessParts,
): Wholeness {
  /** Whether the entry of a claim is there now; false: nobody has what was claimed. */
  async function complete(entry: string, tag: string): Promise<boolean> {
    const key = keys.accounts('texts', shardOf(tag))
    if ((await link.run(client => client.zscore(key, entry))) !== null) return true
    const found = await reader.read(tag)
    if (!holdsEntry(found, 'texts', entry)) return false
    await index.put(indexedOf(found))
    return true
  }

  /** The claims of one hash; resolves to the number of those that no account has. */
  async function walkClaims(
    key: string,
    fieldOf = (claimed: string) => claimed,
  ): Promise<number> {
    let dead = 0
    let cursor = '0'
    do {
      const at = cursor
      const [next, pairs] = await link.run(client => client.hscan(key, at, 'COUNT', STEP))
      cursor = next
      const completed = await Promise.all(
        claimsIn(pairs).map(([claimed, tag]) =>
          complete(textEntry(fieldOf(claimed), tag), tag),
        ),
      )
      dead += completed.filter(isThere => !isThere).length
    } while (cursor !== '0')
    return dead
  }

  async function walk(): Promise<void> {
    const dead = await names.everywhere(async hashes => {
      let found = 0
      for (const key of hashes) found += await walkClaims(key, nameField)
      return found
    })
    for (const shard of VALUE_SHARDS) await walkClaims(keys.values(shard))
    await link.run(client => client.set(keys.indexWalked, dead, 'PX', BELIEVED_MS))
  }

  async function isWhole(): Promise<boolean> {
    const [dead, claimed, entries] = await names.everywhere(hashes =>
      link.run(client =>
        Promise.all([
          client.get(keys.indexWalked),
          sumOf(hashes.map(key => client.hlen(key))),
          sumOf(SHARDS.map(shard => countNames(client, keys.accounts('texts', shard)))),
        ]),
      ),
    )
    return isWholeBy({
      dead: dead === null ? undefined : Number(dead),
      claimed,
      listed: entries,
    })
  }

  async function ensure(): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) if (await isWhole()) return
    await walk()
  }

  return {
    isWhole,
    walk,
    ensure,
    async settle() {
      const leftMs = await link.run(client => client.pttl(keys.indexWalked))
      await (leftMs > BELIEVED_MS / 2 ? ensure() : walk())
    },
  }
}

/** What says whether the index has everybody. */
export interface Counts {
  /** How many names nobody has; undefined: no walk is known. */
  readonly dead: number | undefined
  /** How many names are claimed. */
  readonly claimed: number
  /** How many names have an entry. */
  readonly listed: number
}

/**
 * Whether the index has everybody, by these counts. An entry is written before the name is claimed and goes
 * after it, so that what is under way makes no difference. Names that nobody has, because their writers died,
 * were counted by the walk.
 */
export function isWholeBy({ dead, claimed, listed }: Counts): boolean {
  return dead !== undefined && claimed - listed <= dead
}

function claimsIn(pairs: readonly string[]): Array<readonly [string, string]> {
  return pairs.flatMap((claimed, index) =>
    index % 2 === 0 ? [[claimed, String(ownerIn(pairs[index + 1]))] as const] : [],
  )
}

async function sumOf(counts: ReadonlyArray<Promise<number>>): Promise<number> {
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

function countNames(client: Redis | Cluster, key: string): Promise<number> {
  return client.zlexcount(key, ...boundsOf(NAMES))
}
