// What a store tells of its own health (store.ts has the rest).

export interface StoreCondition {
  /** Whether calls are let through to the store at all. */
  readonly isReached: boolean
  /**
   * Whether it has lost its data, and nobody has accepted that yet: everything is refused with
   * StoreUnavailable.
   */
  readonly isLost: boolean
  /** Revocations that are kept in memory, and how often one was put back. */
  readonly revocations: { readonly kept: number; readonly repeated: number }
}

/** What may be amiss with how a store is set up. */
export const STORE_CHECKS = [
  'eviction',
  'authentication',
  'persistence',
  'clock',
  'replicas',
  'fence',
  'format',
  'memory',
  'tracking',
] as const

export type StoreCheck = (typeof STORE_CHECKS)[number]

/** Something that puts at risk what the store keeps. */
export interface StoreRisk {
  readonly check: StoreCheck
  /** What is amiss and what to set, for an operator. */
  readonly advice: string
}

/**
 * Why a release that knows formats up to `known` refuses a store that only releases which know `format` can
 * work on; follows the name of the store.
 */
export function unreadableFormat(format: number, known: number): string {
  return (
    `a newer Latchkey has changed it to format ${format}, and this one knows formats up to ${known}: ` +
    'run that release, or restore a back-up from before it into an empty store'
  )
}

/**
 * What to say of a store of that format to whoever runs a release that knows formats up to `known`. A newer
 * one is no fault: nothing of it is lost here.
 */
export function newerFormat(format: number, known: number): readonly StoreRisk[] {
  if (format <= known) return []
  const advice =
    `a newer Latchkey has written to the store (format ${format}, this one knows ${known}): it is ` +
    'worked on, and what this release does not know is kept; finish the upgrade, or the way back'
  return [{ check: 'format', advice }]
}

/** A call of the database that has the accounts, where that is another one than the store. */
export interface AccountsCall {
  readonly call: 'statement' | 'transaction'
  /** `refused`: it was known to be away, or too many waited; it wasn't asked. */
  readonly outcome: 'ok' | 'failed' | 'refused'
  /** With the wait for a connection. */
  readonly ms: number
}

/** Told of that database. */
export interface AccountsWatch {
  called(call: AccountsCall): void
  /** When it stops to answer, with what is the matter, and when it answers again. */
  changed(fault: string | undefined): void
}
