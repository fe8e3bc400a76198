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
}

/** What is there. */
export interface Look {
  /** Whether the index is known to have everybody. */
  readonly isWhole: boolean
  /** The entries of each shard, in their order; as many as were asked for: there may be more. */
  readonly shards: ReadonlyArray<readonly string[]>
}

/** Looks at the index: one round trip, or two in a cluster. Rejects with StoreUnavailable. */
export type LookAtIndex = (wanted: Wanted) => Promise<Look>

/** Makes the look. */
export function createLook(
  { link, keys, names }: RedisAdapter,
  { isWhole }: Pick<Wholeness, 'isWhole'>,
): LookAtIndex {
  const lookScript = loadScript(link, 'people/index/look')
  const read = createReadTogether(link)
  const shardsOf = (order: Order) => SHARDS.map(shard => keys.accounts(order, shard))

  function together({ order, range, most }: Wanted): Promise<Look> {
    return names.everywhere(async hashes => {
      const [reply] = await lookScript(
        [keys.indexWalked, ...shardsOf(order), ...shardsOf('texts'), ...hashes],
        [SHARDS.length, ...boundsOf(range), most, ...boundsOf(NAMES)],
      )
      const [dead, claimed, listed, shards] = listOf(JSON.parse(String(reply)))
      return {
        isWhole: isWholeBy({
          dead: dead === false ? undefined : Number(dead),
          claimed: Number(claimed),
          listed: Number(listed),
        }),
        shards: listOf(shards).map(textsOf),
      }
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

/** What Lua makes of a list: an empty one is an object. */
function textsOf(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.map(String) : []
}
