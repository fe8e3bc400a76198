// Walking over all keys of Redis, part by part; a call that is left unanswered is made again.
import { setTimeout as wait } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import type { Caller } from '../connection/caller.ts'
import { primariesOf } from '../safety/inspect.ts'

type Work<T> = (client: Redis | Cluster) => Promise<T>
/** Runs something against Redis, again where it is left unanswered. */
export type Ask = <T>(work: Work<T>) => Promise<T>

/** So many keys are read or written at once. */
export const BATCH = 200
/** A busy server may leave a call unanswered; all calls here can be made again. */
const TRIES = 30
/** How long before the next try, in milliseconds. */
const PAUSE_MS = 100

/** The names that a pattern finds, on every primary; a name may come twice. */
export async function* scan(link: Caller, pattern: string): AsyncGenerator<string[]> {
  for (const node of primariesOf(link.client)) {
    let cursor = '0'
    do {
      const at = cursor
      const [next, names] = await again(() =>
        link.run(() => node.scan(at, 'MATCH', pattern, 'COUNT', BATCH)),
      )
      cursor = next
      yield names
    } while (cursor !== '0')
  }
}

/** How many keys there are, on all primaries. */
export async function sizeOf(link: Caller): Promise<number> {
  const sizes = await Promise.all(
    primariesOf(link.client).map(node => again(() => link.run(() => node.dbsize()))),
  )
  return Math.max(
    1,
    sizes.reduce((sum, size) => sum + size, 0),
  )
}

/** The same items, some at a time. */
export async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** Runs something that can be repeated; rejects when the last try fails. */
export async function again<T>(work: () => Promise<T>, left = TRIES): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (left <= 1) throw error
    await wait(PAUSE_MS)
    return again(work, left - 1)
  }
}
