// Where the status of the next token is told: an index that this process has leased, so that a token costs no
// round trip of its own.
import type { Clock } from '../base/clock.ts'
import { systemRandom, type Random } from '../base/random.ts'
import {
  BLOCK_SIZE,
  hourOf,
  listEndsAt,
  type BlockOwner,
  type NewStatusEntry,
  type StatusBlock,
  type StatusLists,
} from '../stores/ports/status-lists.ts'

/** The next block is asked for when so many indices are left. */
const LOW = BLOCK_SIZE / 2
/** The next hour's first block is asked for so long before; milliseconds. */
const AHEAD_MS = 60_000

/**
 * Takes an entry for a token that lives so long, in milliseconds: at once, but for the first one of an hour
 * and where the store lags behind. A client's own token says by which credential it was got, and has an entry
 * of a block that serves no other.
 *
 * @throws StoreUnavailable, as a rejection, when none is left and none can be leased
 */
export type TakeStatusEntry = (
  forMs: number,
  credential?: string,
) => NewStatusEntry | Promise<NewStatusEntry>

export interface StatusIndicesOptions {
  readonly lists: Pick<StatusLists, 'lease'>
  /** Since when this server knows its clients' credentials. Blocks of before are not gone on with. */
  readonly since: () => number
  readonly clock: Clock
  /** Default: the system's. */
  readonly random?: Random | undefined
  /** Told of each block that was leased. */
  readonly leased?: () => void
}

/** The indices left to the tokens that expire in one hour, of one owner. */
interface Pool {
  readonly hour: number
  readonly owner: BlockOwner | undefined
  list: string
  /** In random order; the last one is next. */
  readonly indices: number[]
  /** Those to go on with. */
  next: StatusBlock | undefined
  /** Resolves when there is a next one. */
  leasing: Promise<void> | undefined
}

/** Makes the taker. */
export function createTakeStatusEntry({
  lists,
  since,
  clock,
  random = systemRandom,
  leased = () => {},
}: StatusIndicesOptions): TakeStatusEntry {
  const pools = new Map<string, Pool>()

  function poolOf(hour: number, owner: BlockOwner | undefined): Pool {
    const found = pools.get(idOf(hour, owner))
    if (found !== undefined) return found
    for (const [id, old] of pools) if (isOver(old)) pools.delete(id)
    const pool: Pool = {
      hour,
      owner,
      list: '',
      indices: [],
      next: undefined,
      leasing: undefined,
    }
    pools.set(idOf(hour, owner), pool)
    return pool
  }

  function isOver({ hour, owner }: Pool): boolean {
    return hour < hourOf(clock()) || (owner !== undefined && owner.since !== since())
  }

  function lease(pool: Pool): Promise<void> {
    pool.leasing ??= lists
      .lease(pool.hour, pool.owner)
      .then(block => {
        leased()
        pool.next = block
      })
      .finally(() => {
        pool.leasing = undefined
      })
    return pool.leasing
  }

  // Whoever needs it asks again, and is told why not.
  const leaseAhead = (pool: Pool) => {
    if (pool.next === undefined) lease(pool).catch(() => {})
  }

  function pop(pool: Pool, forMs: number): NewStatusEntry | undefined {
    if (pool.indices.length === 0 && pool.next !== undefined) {
      pool.list = pool.next.list
      pool.indices.push(...shuffled(pool.next, random))
      pool.next = undefined
    }
    const idx = pool.indices.pop()
    return idx === undefined ? undefined : { list: pool.list, idx, forMs }
  }

  async function wait(pool: Pool, forMs: number): Promise<NewStatusEntry> {
    await lease(pool)
    // Others may have waited for the same block, and taken all of it.
    return pop(pool, forMs) ?? wait(pool, forMs)
  }

  return (forMs, credential) => {
    const owner = credential === undefined ? undefined : { credential, since: since() }
    const expiresAt = clock() + forMs
    const hour = hourOf(expiresAt)
    const pool = poolOf(hour, owner)
    if (pool.indices.length <= LOW && pool.indices.length > 0) leaseAhead(pool)
    if (hourOf(expiresAt + AHEAD_MS) > hour && !pools.has(idOf(hour + 1, owner))) {
      leaseAhead(poolOf(hour + 1, owner))
    }
    return pop(pool, forMs) ?? wait(pool, forMs)
  }
}

function idOf(hour: number, owner: BlockOwner | undefined): string {
  return owner === undefined ? `${hour}` : `${hour} ${owner.since} ${owner.credential}`
}

/**
 * The indices of a block in random order: an index tells nothing of when its token was issued (§12.5.2 of the
 * draft).
 */
function shuffled({ first }: StatusBlock, random: Random): number[] {
  const indices = Array.from({ length: BLOCK_SIZE }, (_, index) => first + index)
  for (const index of indices.keys()) {
    swap(indices, index, index + random.int(BLOCK_SIZE - index))
  }
  return indices
}

function swap(list: number[], a: number, b: number): void {
  ;[list[a], list[b]] = [Number(list[b]), Number(list[a])]
}

/** Whether a name is one of a list whose tokens may live, give or take the clocks. */
export function mayLive(list: string, now: number): boolean {
  const endsAt = listEndsAt(list)
  return endsAt !== undefined && now < endsAt + CLOCK_SKEW_MS
}

/** How far verifiers' clocks, and the time that a token's making takes, may be from ours; milliseconds. */
const CLOCK_SKEW_MS = 300_000
