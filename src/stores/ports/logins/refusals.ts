// The record of refused logins: what an operator is told who asks why somebody can't log in (../store.ts has
// the rest). It is bounded, it expires, and it holds no name: only keyed hashes.

/** Refusals of one name for one reason, from one network, with one client. Instants in milliseconds. */
export interface LoginRefusal {
  /** A code of src/base/events/reasons.ts, or one of a newer release, which this one doesn't know. */
  readonly reason: string
  /** The tag of the account that had the name then; undefined: nobody had it, or nobody had looked. */
  readonly tag?: string
  /** The client as the request named it; undefined: it named none. */
  readonly clientId?: string
  /** The /24 or /64 that the last of them came from. */
  readonly network: string
  readonly count: number
  readonly firstAt: number
  readonly lastAt: number
  /** When the next try is let in; undefined: nothing delays it. */
  readonly until?: number
}

/**
 * Names in two groups, so that a flood of made-up names doesn't push out what is known of accounts; and
 * accounts by themselves, which may be called otherwise by now.
 */
export const REFUSED_GROUPS = ['accounts', 'names', 'subjects'] as const

/** One of them. */
export type RefusedGroup = (typeof REFUSED_GROUPS)[number]

/** What was refused of one name. */
export interface RefusedName {
  readonly group: RefusedGroup
  /** The keyed hash of the folded name, as the audit log has it; of `subjects` the account's tag. */
  readonly name: string
  /** The newest first. */
  readonly refusals: readonly LoginRefusal[]
}

/** How much is kept. */
export interface RefusalBounds {
  /** Of each group so many names, those that were refused last. */
  readonly names: number
  /** Of each name so many refusals. */
  readonly refusals: number
  /** For so long after the last one; milliseconds by the store's clock. */
  readonly keepMs: number
}

/** The record. Each call is one atomic step and one round trip. */
export interface LoginRefusals {
  /** Adds to what is there, and drops what is beyond the bounds. */
  add(names: readonly RefusedName[], bounds: RefusalBounds): Promise<void>
  /** What is kept of these names in all groups, in no order; it may be older than the bounds allow. */
  of(names: readonly string[]): Promise<readonly LoginRefusal[]>
}

/**
 * Adds refusals to older ones, both with the newest first: what is refused alike counts up and comes to the
 * front. `most`: how many are kept.
 */
export function mergeRefusals(
  newer: readonly LoginRefusal[],
  older: readonly LoginRefusal[],
  most: number,
): LoginRefusal[] {
  const merged = newer.map(refusal => {
    const before = older.find(other => isAlike(other, refusal))
    if (before === undefined) return refusal
    const { count, firstAt } = before
    return { ...refusal, count: refusal.count + count, firstAt }
  })
  const rest = older.filter(other => !newer.some(refusal => isAlike(other, refusal)))
  return [...merged, ...rest].slice(0, most)
}

/** Whether both are refusals of one kind, which are counted together. */
export function isAlike(one: LoginRefusal, other: LoginRefusal): boolean {
  return (
    one.reason === other.reason &&
    one.tag === other.tag &&
    one.clientId === other.clientId &&
    one.network === other.network
  )
}
