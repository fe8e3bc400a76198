// Finds accounts that have the same value of an attribute which is to be unique.
import { hash } from 'node:crypto'
import type { Account, UniqueValue } from '../../stores/ports/directory.ts'

/** Whom an operator has to ask about. */
export type Twin = Pick<Account, 'name' | 'sub'>

/** Accounts of which only one may keep the value. */
export interface Twins {
  readonly attribute: string
  readonly accounts: readonly Twin[]
}

/** What is looked through. */
export interface FindTwinsOptions {
  /** Every account, as often as it is asked for. */
  readonly pages: () => AsyncIterable<readonly Account[]>
  /** What of an account nobody else may have. */
  readonly valuesOf: (account: Account) => readonly UniqueValue[]
}

/** So much of a value's hash is kept while looking: what agrees in it is looked at once more. */
const HASH_BYTES = 6

/**
 * Finds them: one look at every account where there are none, a second one where there may be. Keeps some
 * 50 bytes for each value meanwhile. Rejects with StoreUnavailable.
 */
export async function findTwins({
  pages,
  valuesOf,
}: FindTwinsOptions): Promise<readonly Twins[]> {
  const seen = new Set<number>()
  const suspects = new Set<number>()
  for await (const accounts of pages()) {
    for (const short of accounts.flatMap(valuesOf).map(shortHash)) {
      if (seen.has(short)) suspects.add(short)
      seen.add(short)
    }
  }
  if (suspects.size === 0) return []
  const found = new Map<string, { attribute: string; accounts: Twin[] }>()
  for await (const accounts of pages()) {
    for (const account of accounts) {
      const { name, sub } = account
      for (const value of valuesOf(account)) {
        if (!suspects.has(shortHash(value))) continue
        const { attribute } = value
        const twins = found.get(keyOf(value)) ?? { attribute, accounts: [] }
        twins.accounts.push({ name, sub })
        found.set(keyOf(value), twins)
      }
    }
  }
  return [...found.values()].filter(({ accounts }) => accounts.length > 1)
}

function shortHash(value: UniqueValue): number {
  return hash('sha256', keyOf(value), 'buffer').readUIntBE(0, HASH_BYTES)
}

function keyOf({ attribute, value }: UniqueValue): string {
  return JSON.stringify([attribute, value])
}
