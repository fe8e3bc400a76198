// What status lists need of a store (store.ts has the rest): one bit for each access token, that verifiers
// fetch by the list (IETF Token Status List). A list is named after the hour in which its tokens expire, and
// goes with them.
import { systemRandom, type Random } from '../../base/random.ts'

/** How many tokens a list has bits for. */
export const LIST_SIZE = 2 ** 20
/** How many indices are leased at once. */
export const BLOCK_SIZE = 1024
/** How many blocks a list has. */
export const BLOCKS = LIST_SIZE / BLOCK_SIZE

const HOUR_MS = 3_600_000

/**
 * How long a list is kept by the store's clock after its tokens have expired by ours: either clock may be
 * set, or jump.
 */
const MARGIN_MS = 2 * HOUR_MS

/** Where the status of one token is told. */
export interface StatusEntry {
  /** The list's name. */
  readonly list: string
  /** 0 to LIST_SIZE - 1. */
  readonly idx: number
}

/** The entry of a token that is about to be issued. */
export interface NewStatusEntry extends StatusEntry {
  /** How long the token lives, at the most. */
  readonly forMs: number
}

/** BLOCK_SIZE indices of a list. */
export interface StatusBlock {
  readonly list: string
  /** The first one. */
  readonly first: number
}

/** For whom a block was leased that serves a client's own tokens. */
export interface BlockOwner {
  /** The credential by which the client gets them: its derived id, CREDENTIAL_LENGTH characters. */
  readonly credential: string
  /** Since when the server that leased it has known its clients' credentials; an instant. */
  readonly since: number
}

/** The length of a credential's id. */
export const CREDENTIAL_LENGTH = 22

/** A block, and for whom it was leased. */
export interface OwnedBlock extends BlockOwner {
  /** The first index. */
  readonly first: number
}

/** A list, and what has become of it. */
export interface StatusNews {
  readonly list: string
  /** How many of its tokens are revoked; fewer than before: the store has lost some. */
  readonly count: number
  /** Those that the asker doesn't know yet; all of them where the store has lost some. */
  readonly revoked: readonly number[]
  /** How many of its blocks have an owner; fewer than before: the store has lost some. */
  readonly ownedCount: number
  /** Those that the asker doesn't know yet; all of them where the store has lost some. */
  readonly owned: readonly OwnedBlock[]
}

/** What the asker knows of a list. */
export interface KnownOfList {
  /** How many of its revoked tokens, in the order in which they were told. */
  readonly revoked: number
  /** How many of its blocks that have an owner, in the same way. */
  readonly owned: number
}

/**
 * The status lists. Revoking a token, and whatever ends a family (families.ts), sets the bits of the living
 * tokens as well.
 */
export interface StatusLists {
  /**
   * Takes a block that nobody has, from a list for tokens that expire in that hour (of the epoch). Which
   * block is left to chance: should the store lose what it has leased, it hardly gives it out again. Durable
   * when it resolves. With an owner, the block serves that owner's tokens alone, and every server is told
   * whose it is.
   */
  lease(hour: number, owner?: BlockOwner): Promise<StatusBlock>
  /**
   * Sets bits, by list; a list that the store doesn't know, or has lost, is known from then on. Durable when
   * it resolves; repeating it is harmless.
   */
  revoke(revoked: ReadonlyMap<string, readonly number[]>): Promise<void>
  /** Every list that is kept; `known` says what the asker knows of each. */
  read(known: ReadonlyMap<string, KnownOfList>): Promise<readonly StatusNews[]>
}

/** A name for a new list: one that no other list has, also if the store has forgotten the others. */
export function newListName(hour: number, random: Random = systemRandom): string {
  return `${hour}-${random.int(2 ** 47).toString(36)}`
}

/** When the last token of a list expires; undefined: the name is none of a list. */
export function listEndsAt(list: string): number | undefined {
  const [, hour] = /^(\d{1,8})-[a-z0-9]{1,10}$/.exec(list) ?? []
  return hour === undefined ? undefined : (Number(hour) + 1) * HOUR_MS
}

/** When a store may let a list go, which is at once when it is none. */
export function listGoneAt(list: string): number {
  return (listEndsAt(list) ?? -MARGIN_MS) + MARGIN_MS
}

/** The hour of an instant. */
export function hourOf(at: number): number {
  return Math.floor(at / HOUR_MS)
}

/** Entries by list. */
export function byList(entries: readonly StatusEntry[]): Map<string, number[]> {
  const lists = new Map<string, number[]>()
  for (const { list, idx } of entries) {
    const found = lists.get(list)
    if (found === undefined) lists.set(list, [idx])
    else found.push(idx)
  }
  return lists
}
