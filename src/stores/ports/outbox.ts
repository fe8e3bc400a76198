// What the outbox needs of a store (store.ts has the rest). Promises reject with StoreUnavailable. Spans
// (`…Ms`) are milliseconds by the store's own clock.

/** By which way something goes out. */
export const WAYS = ['webhook', 'mail'] as const

/** One of them. */
export type Way = (typeof WAYS)[number]

/** What waits apart from each other: for each way out, and what commands leave for the servers' audit log. */
export type Queue = Way | 'audit'

/** Something that is to be delivered. */
export interface NewItem {
  /** Names it for good: an item whose id is there already is not added again. */
  readonly id: string
  readonly way: Queue
  /** Sealed: the store can't read it. */
  readonly content: string
}

/** An item that is leased: nobody else gets it until the lease ends. */
export interface TakenItem extends NewItem {
  /** How often it was taken, this time included. */
  readonly tries: number
  /** How long ago it was appended. */
  readonly ageMs: number
}

/** Which lease is meant. */
export type Lease = Pick<TakenItem, 'id' | 'way' | 'tries'>

/** What waits for one way. */
export interface Backlog {
  readonly length: number
  /** How long its oldest item waits; 0 when there is none. */
  readonly oldestMs: number
}

/**
 * What has to be delivered, at least once. An item stays until somebody removes it; each is leased to one
 * worker at a time, and a lease that ends without a word lets the next worker have it.
 */
export interface OutboxItems {
  /**
   * Appends all of the items, which are due at once, or none. Durable when it resolves.
   *
   * @returns false when there would be more than `most` items of a way; nothing is appended then
   */
  append(items: readonly NewItem[], most: number): Promise<boolean>
  /** Leases up to `limit` items of a way that are due, those that are due longest first. */
  take(way: Queue, limit: number, leaseMs: number): Promise<readonly TakenItem[]>
  /**
   * Removes an item: it is delivered, or given up.
   *
   * @returns false when it is gone, or leased to somebody else since; nothing is changed then
   */
  remove(lease: Lease): Promise<boolean>
  /**
   * Ends a lease: the item is due again after `delayMs`.
   *
   * @returns false as remove does
   */
  postpone(lease: Lease, delayMs: number): Promise<boolean>
  /** What waits for a way, leased items included. */
  backlog(way: Queue): Promise<Backlog>
}
