// The latest revocations that this server made, kept in memory: where Redis comes back with data of another
// time, they are made again.

/** How many; some 10 MB. */
const MOST = 50_000
/** How many are made again at once. */
const AT_ONCE = 200

export interface Revocations {
  /** Keeps a revocation, under its key: the way to make it again. */
  remember(key: string, again: () => Promise<unknown>): void
  /** Makes all of them again. Rejects when one fails. */
  repeat(): Promise<void>
  /** How many are kept, and how many were made again. */
  count(): { readonly kept: number; readonly repeated: number }
}

/** Makes an empty memory. */
export function createRevocations(most = MOST): Revocations {
  const kept = new Map<string, () => Promise<unknown>>()
  let repeated = 0
  return {
    remember(key, again) {
      kept.delete(key)
      kept.set(key, again)
      const [oldest] = kept.keys()
      if (kept.size > most && oldest !== undefined) kept.delete(oldest)
    },
    async repeat() {
      const all = [...kept.values()]
      for (let start = 0; start < all.length; start += AT_ONCE) {
        const some = all.slice(start, start + AT_ONCE)
        await Promise.all(some.map(again => again()))
        repeated += some.length
      }
    },
    count: () => ({ kept: kept.size, repeated }),
  }
}
