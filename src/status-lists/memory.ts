// The status lists in this process's memory: what verifiers fetch depends on nothing else. Read from the
// store twice a second.
import type { Clock } from '../base/clock.ts'
import {
  BLOCK_SIZE,
  LIST_SIZE,
  type BlockOwner,
  type KnownOfList,
  type StatusEntry,
  type StatusLists,
  type StatusNews,
} from '../stores/ports/status-lists.ts'
import { hasBit, indicesOf, setBit } from './encode.ts'
import { mayLive } from './indices.ts'

/** A list as it was read last. */
export interface HeldList {
  readonly list: string
  /** Undefined: nothing is revoked. */
  readonly bits: Uint8Array | undefined
  /** How many are revoked. Grows with each change. */
  readonly revoked: number
  /** The blocks that have an owner, by their first index. */
  readonly owners: ReadonlyMap<number, BlockOwner>
}

export interface StatusMemory {
  /** Reads what is new, and puts back what the store has lost. Rejects with StoreUnavailable. */
  sync(): Promise<void>
  /** A list whose tokens may live. */
  find(list: string): HeldList | undefined
  /** Whether a token is known to be revoked. */
  isRevoked(entry: StatusEntry): boolean
  /** For whom the block of a token was leased; undefined: for nobody, as far as is known. */
  ownerOf(entry: StatusEntry): BlockOwner | undefined
  /** All of them. */
  all(): HeldList[]
  /** When the last sync began that succeeded; milliseconds since the epoch, by this process's clock. */
  syncedAt(): number
}

interface Held extends HeldList {
  bits: Uint8Array | undefined
  revoked: number
  readonly owners: Map<number, BlockOwner>
  /** How many revoked tokens, and how many owned blocks, the store has told of. */
  known: KnownOfList
}

const NOTHING: KnownOfList = { revoked: 0, owned: 0 }

/** Makes an empty memory. */
export function createStatusMemory({
  lists,
  clock,
}: {
  readonly lists: Pick<StatusLists, 'read' | 'revoke'>
  readonly clock: Clock
}): StatusMemory {
  const held = new Map<string, Held>()
  let syncedAt = -Infinity
  let syncing: Promise<void> | undefined

  /** Takes news in; true when the store has lost what was known. */
  function take({ list, count, revoked, ownedCount, owned }: StatusNews): boolean {
    const found: Held = held.get(list) ?? {
      list,
      bits: undefined,
      revoked: 0,
      owners: new Map(),
      known: NOTHING,
    }
    held.set(list, found)
    for (const idx of revoked) {
      found.bits ??= new Uint8Array(LIST_SIZE / 8)
      if (setBit(found.bits, idx)) found.revoked += 1
    }
    for (const { first, ...owner } of owned) found.owners.set(first, owner)
    const isLost = count < found.known.revoked
    found.known = { revoked: count, owned: ownedCount }
    return isLost
  }

  async function look(): Promise<void> {
    const now = clock()
    for (const list of held.keys()) {
      if (!mayLive(list, now)) held.delete(list)
    }
    const known = [...held.values()].map(({ list, known }) => [list, known] as const)
    const answer = await lists.read(new Map(known))
    const news = answer.filter(({ list }) => mayLive(list, now))
    const shrunk = namesOf(news.filter(take))
    const told = namesOf(news)
    const isLost = (list: string) => shrunk.has(list) || !told.has(list)
    await putBack([...held.values()].filter(({ list }) => isLost(list)))
    syncedAt = now
  }

  async function putBack(lost: readonly Held[]): Promise<void> {
    if (lost.length === 0) return
    // It is read again with the next sync.
    for (const each of lost) each.known = NOTHING
    await lists.revoke(
      new Map(
        lost.map(({ list, bits }) => [list, bits === undefined ? [] : indicesOf(bits)]),
      ),
    )
  }

  return {
    sync() {
      syncing ??= look().finally(() => {
        syncing = undefined
      })
      return syncing
    },
    find: list => (mayLive(list, clock()) ? held.get(list) : undefined),
    isRevoked({ list, idx }) {
      const bits = held.get(list)?.bits
      return bits !== undefined && hasBit(bits, idx)
    },
    ownerOf: ({ list, idx }) => held.get(list)?.owners.get(idx - (idx % BLOCK_SIZE)),
    all: () => [...held.values()],
    syncedAt: () => syncedAt,
  }
}

function namesOf(lists: readonly StatusNews[]): ReadonlySet<string> {
  return new Set(lists.map(({ list }) => list))
}
