// Pages of accounts by the index: every shard is asked for its next entries at once, what they say is merged,
// and each entry is checked against its account. Two round trips where nothing is amiss.
import type { Account, BuiltInDirectory, FoundText } from '../../../ports/directory.ts'
import type { RedisAdapter } from '../../adapter.ts'
import type { AccountReader, FoundAccount } from '../account-reader.ts'
import { entriesFor, holdsEntry, type AccountIndex } from './account-index.ts'
import {
  compareEntries,
  createdRange,
  entriesOf,
  nameField,
  rangeBehind,
  SHARDS,
  tagIn,
  textRange,
  valueField,
  type Order,
  type Range,
} from './entries.ts'
import { createWholeness } from './wholeness.ts'

/** How many accounts a walk over all of them reads in one step. */
const WALK_PAGE = 200

/** What pages are made of. */
export interface PageParts {
  readonly reader: AccountReader
  readonly index: AccountIndex
}

/** A part of an order. */
interface Wanted {
  readonly order: Order
  readonly range: Range
  readonly limit: number
}

/** An account, and the entry that has led to it. */
interface Found extends FoundAccount {
  readonly entry: string
}

/** The next entries, and whether there are no more. */
interface Merged {
  readonly entries: readonly string[]
  readonly isLast: boolean
}

type Pages = Pick<BuiltInDirectory, 'page' | 'search' | 'all' | 'settle'>

/** Makes the pages. */
export function createPages(adapter: RedisAdapter, parts: PageParts): Pages {
  const { isWhole, ensure, walk, settle } = createWholeness(adapter, parts)
  const take = createTake(adapter, parts)

  /** Whoever has no entry yet gets one first: a page is never short. */
  async function takeOfAll(wanted: Wanted): Promise<readonly Found[]> {
    const [hasEverybody, found] = await Promise.all([isWhole(), take(wanted)])
    if (hasEverybody) return found
    await ensure()
    return take(wanted)
  }

  return {
    settle,
    async page({ after, limit }) {
      const range = createdRange(after)
      const found = await takeOfAll({ order: 'created', range, limit })
      return found.map(({ account }) => account)
    },
    async search({ attribute, prefix, after, limit }) {
      const fieldOf = (value: string) =>
        attribute === undefined ? nameField(value) : valueField({ attribute, value })
      const range = textRange(
        fieldOf(prefix),
        after === undefined ? undefined : fieldOf(after),
      )
      const found = await takeOfAll({ order: 'texts', range, limit })
      return found.map(textOf)
    },
    async *all() {
      // Whoever reads everybody can wait for a look at everybody.
      await walk()
      let after: Account | undefined
      do {
        const range = createdRange(after)
        const found = await take({
          order: 'created',
          range,
          limit: WALK_PAGE,
        })
        for (const { account } of found) yield account
        after = found.at(-1)?.account
      } while (after !== undefined)
    },
  }
}

/** Makes the way to read accounts in an order: as many as are wanted, unless there are no more. */
function createTake(
  adapter: RedisAdapter,
  { reader, index }: PageParts,
): (wanted: Wanted) => Promise<readonly Found[]> {
  const merge = createMerge(adapter)

  /** Their accounts; an entry that no account has goes, whatever has left it. */
  async function check(order: Order, entries: readonly string[]) {
    const found = await Promise.all(entries.map(entry => reader.read(tagIn(entry))))
    return Promise.all(
      entries.map(async (entry, place) => {
        const account = found[place]
        if (holdsEntry(account, order, entry)) return { ...account, entry }
        await index.tidy(tagIn(entry), entriesFor(order, [entry]))
        return undefined
      }),
    )
  }

  return async function take({ order, range, limit }) {
    const accounts: Found[] = []
    for (let left = range; ;) {
      const { entries, isLast } = await merge({
        order,
        range: left,
        limit: limit - accounts.length,
      })
      const found = await check(order, entries)
      accounts.push(...found.filter(account => account !== undefined))
      if (isLast || accounts.length === limit) return accounts
      left = rangeBehind(String(entries.at(-1)), range)
    }
  }
}

/** Makes the step that merges what the shards have. */
function createMerge({ link, keys }: RedisAdapter): (wanted: Wanted) => Promise<Merged> {
  return async function merge({ order, range: { from, before }, limit }) {
    const most = mostOf(limit)
    const [min, max] = [
      Buffer.concat([Buffer.from('['), from]),
      Buffer.concat([Buffer.from('('), before]),
    ]
    const shards = await link.run(client =>
      Promise.all(
        SHARDS.map(shard =>
          client.zrangebylex(keys.accounts(order, shard), min, max, 'LIMIT', 0, most),
        ),
      ),
    )
    // A shard that has more than it gave says nothing of what follows its last entry.
    const [horizon] = shards
      .filter(({ length }) => length === most)
      .map(entries => String(entries.at(-1)))
      .toSorted(compareEntries)
    const known = shards
      .flat()
      .filter(entry => horizon === undefined || compareEntries(entry, horizon) <= 0)
      .toSorted(compareEntries)
    return {
      entries: known.slice(0, limit),
      isLast: horizon === undefined && known.length <= limit,
    }
  }
}

/**
 * How many entries a shard is asked for: tags are spread evenly by a hash, so that hardly ever one shard has
 * more than this of a page.
 */
function mostOf(limit: number): number {
  const mean = limit / SHARDS.length
  return Math.ceil(mean + 6 * Math.sqrt(mean) + 4)
}

/** The account with the text by which it was found. */
function textOf({ entry, account, uniqueValues }: Found): FoundText {
  const texts = [account.foldedName, ...uniqueValues.map(({ value }) => value)]
  const { texts: entries } = entriesOf({ ...account, uniqueValues })
  return { account, text: String(texts[entries.indexOf(entry)]) }
}
