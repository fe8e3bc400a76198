// Long work in pieces: between two of them, whatever else has arrived has its turn.
import { setImmediate as nextTurn } from 'node:timers/promises'

/** So many make a piece, unless it is said: a tenth of a millisecond, where one takes four microseconds. */
const PIECE = 25

/** What becomes of each item, in their order; `size`: of a piece. */
export async function mapInPieces<Item, Result>(
  items: readonly Item[],
  map: (item: Item) => Result,
  size = PIECE,
): Promise<Result[]> {
  const results: Result[] = []
  for (let at = 0; at < items.length; at += size) {
    if (at > 0) await nextTurn()
    for (const item of items.slice(at, at + size)) results.push(map(item))
  }
  return results
}

/**
 * Reads a list piece by piece, each behind the last item of the one before.
 *
 * @param read the next ones, at most so many; fewer: nothing follows
 */
export async function readInPieces<Item>(
  limit: number,
  read: (last: Item | undefined, most: number) => Promise<readonly Item[]>,
): Promise<readonly Item[]> {
  const items: Item[] = []
  for (;;) {
    const most = Math.min(PIECE, limit - items.length)
    const piece = await read(items.at(-1), most)
    items.push(...piece)
    if (piece.length < most || items.length >= limit) return items
    await nextTurn()
  }
}
