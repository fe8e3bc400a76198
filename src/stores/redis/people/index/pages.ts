// Pages of accounts by the index: every shard is asked for its next entries at once, what they say is merged,
// and each entry is checked against its account.
import type { Account, BuiltInDirectory, FoundText } from '../../../ports/directory.ts'
import type { RedisAdapter } from '../../adapter.ts'
import type { AccountReader, FoundAccount } from '../account-reader.ts'
import { entriesFor, holdsEntry, type AccountIndex } from './account-index.ts'
import {
  createdRange,
  entriesIn,
  nameField,
  rangeBehind,
  SHARDS,
  tagIn,
  textRange,
  valueField,
  type Order,
} from './entries.ts'
import { createLook, type Look, type LookAtIndex, type Wanted } from './look.ts'
import { mergeShards } from './merge.ts'
import { createWholeness } from './wholeness.ts'

/** How many accounts a walk over all of them reads in one step. */
const WALK_PAGE = 200

/** What pages are made of. */
export interface PageParts {
  readonly reader: AccountReader
  readonly index: AccountIndex
}

/** A part of an order. */
interface Part extends Pick<Wanted, 'order' | 'range'> {
  readonly limit: number
}

/** An account, and the entry that has led to it. */
interface Found extends FoundAccount {
  readonly entry: string
}

type Pages = Pick<BuiltInDirectory, 'page' | 'search' | 'all' | 'settle'>

/** Makes the pages. */
export function createPages(adapter: RedisAdapter, parts: PageParts): Pages {
  const wholeness = createWholeness(adapter, parts)
  const { ensure, walk, settle } = wholeness
  const look = createLook(adapter, wholeness)
  const take = createTake(look, parts)

  /** Whoever has no entry yet gets one first: a page is never short. */
  async function takeOfAll(part: Part): Promise<readonly Found[]> {
    const first = await look(wantedOf(part))
    if (first.isWhole) return take(part, first)
    await ensure()
    return take(part)
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
  look: LookAtIndex,
  { reader, index }: PageParts,
): (part: Part, first?: Look) => Promise<readonly Found[]> {
  /** Their accounts; an entry that no account has goes, whatever has left it. */
  async function check(order: Order, entries: readonly string[]) {
    const found = await reader.readAll(entries.map(tagIn))
    return Promise.all(
      entries.map(async (entry, place) => {
        const account = found[place]
        if (holdsEntry(account, order, entry)) return { ...account, entry }
        await index.tidy(tagIn(entry), entriesFor(order, [entry]))
        return undefined
      }),
    )
  }

  return async function take({ order, range, limit }, first) {
    const accounts: Found[] = []
    let known = first
    for (let left = range; ;) {
      const part = { order, range: left, limit: limit - accounts.length }
      const wanted = wantedOf(part)
      const { shards } = known ?? (await look(wanted))
      const { entries, isLast } = mergeShards(shards, { ...part, ...wanted })
      const found = await check(order, entries)
      accounts.push(...found.filter(account => account !== undefined))
      if (isLast || accounts.length === limit) return accounts
      left = rangeBehind(String(entries.at(-1)), range)
      known = undefined
    }
  }
}

function wantedOf({ order, range, limit }: Part): Wanted {
  return { order, range, most: mostOf(limit) }
}

/**
 * How many entries a shard is asked for: tags are spread evenly by a hash, so that hardly ever one shard has
 * more than this of a page.
 */
function mostOf(limit: number): number {
  const mean = limit / SHARDS.length
  return Math.ceil(mean + 4 * Math.sqrt(mean) + 2)
}

/** The account with the text by which it was found. */
function textOf({ entry, account, uniqueValues }: Found): FoundText {
  const texts = [account.foldedName, ...uniqueValues.map(({ value }) => value)]
  const entries = entriesIn('texts', { ...account, uniqueValues })
  return { account, text: String(texts[entries.indexOf(entry)]) }
}
