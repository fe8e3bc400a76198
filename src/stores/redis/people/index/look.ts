// One look at the index of accounts: the next entries of every shard, and whether the index has everybody.
import type { RedisAdapter } from '../../adapter.ts'
import { listOf } from '../../replies.ts'
import { loadScript } from '../../scripts.ts'
import { boundsOf, NAMES, SHARDS, type Order, type Range } from './entries.ts'
import { createReadTogether } from './reach.ts'
import { isWholeBy, type Wholeness } from './wholeness.ts'

/** What is looked for: so many entries of each shard. */
export interface Wanted {
  readonly order: Order
  readonly range: Range
  readonly most: number
  /** Whether the shards are looked at a few at a time: others have their turn in between. */
  readonly inParts: boolean
}

/** What one step looks at: shards, and the hashes whose claims are counted. */
interface Part {
  readonly shards: readonly string[]
  readonly hashes: readonly string[]
}

/** A tenth or two of a millisecond of Redis' time. */
const SHARDS_OF_A_PART = 16

/** What is there. */
export interface Look {
  /** Whether the index is known to have everybody. */
  readonly isWhole: boolean
  /** The entries of each shard, in their order; as many as were asked for: there may be more. */
  readonly shards: ReadonlyArray<readonly string[]>
}

/** Looks at the index: one round trip, four in parts, two in a cluster. Rejects with StoreUnavailable. */
export type LookAtIndex = (wanted: Wanted) => Promise<Look>

/** Makes the look. */
export function createLook(
  { link, keys, names }: RedisAdapter,
  { isWhole }: Pick<Wholeness, 'isWhole'>,
): LookAtIndex {
  const lookScript = loadScript(link, 'people/index/look')
  const read = createReadTogether(link)
  const shardsOf = (order: Order, shards = SHARDS) =>
    shards.map(shard => keys.accounts(order, shard))

  async function lookAt({ order, range, most }: Wanted, { shards, hashes }: Part) {
    const [reply] = await lookScript(
      [
        keys.indexWalked,
        ...shardsOf(order, shards),
        ...shardsOf('texts', shards),
        ...hashes,
      ],
      [shards.length, ...boundsOf(range), most, ...boundsOf(NAMES)],
    )
    const [dead, claimed, listed, entries] = listOf(JSON.parse(String(reply)))
    return {
      dead: dead === false ? undefined : Number(dead),
      claimed: Number(claimed),
      listed: Number(listed),
      shards: listOf(entries).map(textsOf),
    }
  }

  function together(wanted: Wanted): Promise<Look> {
    return names.everywhere(async hashes => {
      // The claims are counted first: whoever is added meanwhile has got an entry before.
      const { shards, ...counts } = await lookAt(wanted, {
        shards: firstOf(wanted),
        hashes,
      })
      const found = [...shards]
      let { listed } = counts
      while (found.length < SHARDS.length) {
        const next = SHARDS.slice(found.length, found.length + SHARDS_OF_A_PART)
        const part = await lookAt(wanted, { shards: next, hashes: [] })
        found.push(...part.shards)
        listed += part.listed
      }
      return { isWhole: isWholeBy({ ...counts, listed }), shards: found }
    })
  }

  async function entriesApart({ order, range, most }: Wanted) {
    const [min, max] = boundsOf(range)
    return link.run(client =>
      Promise.all(
        shardsOf(order).map(key => client.zrangebylex(key, min, max, 'LIMIT', 0, most)),
      ),
    )
  }

  async function apart(wanted: Wanted): Promise<Look> {
    // In this order: what another server's walk has added just now is among the entries.
    const hasEverybody = await isWhole()
    return { isWhole: hasEverybody, shards: await entriesApart(wanted) }
  }

  return wanted =>
    read(
      () => together(wanted),
      () => apart(wanted),
    )
}

function firstOf({ inParts }: Wanted): readonly string[] {
  return inParts ? SHARDS.slice(0, SHARDS_OF_A_PART) : SHARDS
}

/** What Lua makes of a list: an empty one is an object. */
function textsOf(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.map(String) : []
}
