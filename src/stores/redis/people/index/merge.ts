// Merges what the shards of the index have into one order.

/** The next entries, and whether there are no more. */
export interface Merged {
  readonly entries: readonly string[]
  readonly isLast: boolean
}

/** A list, and how far it has been read. */
interface Head {
  readonly list: readonly string[]
  readonly at: number
  readonly entry: string
}

/**
 * The first entries of lists that are in order: at most `limit`. A list of `most` entries may go on: nothing
 * is known of what follows its last one.
 */
export function mergeShards(
  shards: ReadonlyArray<readonly string[]>,
  { limit, most }: { readonly limit: number; readonly most: number },
): Merged {
  const entries: string[] = []
  const heads = shards
    .flatMap(list => headOf(list, 0) ?? [])
    .toSorted((a, b) => compareEntries(a.entry, b.entry))
  while (entries.length < limit) {
    const first = heads.shift()
    if (first === undefined) break
    entries.push(first.entry)
    const next = headOf(first.list, first.at + 1)
    if (next === undefined && first.list.length === most) {
      return { entries, isLast: false }
    }
    if (next !== undefined) heads.splice(placeOf(next, heads), 0, next)
  }
  return { entries, isLast: heads.length === 0 }
}

function headOf(list: readonly string[], at: number): Head | undefined {
  const entry = list[at]
  return entry === undefined ? undefined : { list, at, entry }
}

/** Where it belongs among those that are in order. */
function placeOf({ entry }: Head, heads: readonly Head[]): number {
  let [from, to] = [0, heads.length]
  while (from < to) {
    const middle = (from + to) >> 1
    const other = heads[middle]
    if (other !== undefined && compareEntries(other.entry, entry) < 0) from = middle + 1
    else to = middle
  }
  return from
}

/** The order of Redis, which is that of bytes in UTF-8: not that of JavaScript beyond U+FFFF. */
export function compareEntries(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (one !== other) return rankOf(one) - rankOf(other)
  }
  return a.length - b.length
}

const SURROGATES = { first: 0xd800, last: 0xdfff }
const UNITS = 0x10000

/** Halves of a pair stand for what is beyond all other units. */
function rankOf(unit: number): number {
  const isHalf = unit >= SURROGATES.first && unit <= SURROGATES.last
  return isHalf ? unit + UNITS : unit
}
