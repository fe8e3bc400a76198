// Finds accounts that want one thing of which there is one: the same value of an attribute that is to be
// unique, or a value that logs somebody else in, whose name it is.
import { hash } from 'node:crypto'
import type { Account, UniqueValue } from '../../stores/ports/directory.ts'

/** Whom an operator has to ask about. */
export type Twin = Pick<Account, 'name' | 'sub'>

/** Accounts of which only one may keep the value. */
export interface Twins {
  readonly attribute: string
  readonly accounts: readonly Twin[]
}

/** What an account wants for itself. */
export interface Wanted {
  /** Equal where two want the same. */
  readonly key: string
  /** The attribute because of which it does; undefined: its name. */
  readonly attribute?: string
  /** Not if the account has claimed that: then the two have come to terms before. */
  readonly unless?: UniqueValue
}

/** What is looked through. */
export interface FindTwinsOptions {
  /** Every account, as often as it is asked for. */
  readonly pages: () => AsyncIterable<readonly Account[]>
  readonly wantedBy: (account: Account) => readonly Wanted[]
  /** Whether the account has the value for itself. */
  readonly isClaimed: (account: Account, value: UniqueValue) => Promise<boolean>
}

interface Group {
  attribute: string | undefined
  readonly accounts: Map<string, Twin>
}

/** So much of a key's hash is kept while looking: what agrees in it is looked at once more. */
const HASH_BYTES = 6

/**
 * Finds them: one look at every account where there are none, a second one where there may be. Keeps some
 * 50 bytes for each key meanwhile. Rejects with StoreUnavailable.
 */
export async function findTwins(options: FindTwinsOptions): Promise<readonly Twins[]> {
  const suspects = await findSuspects(options)
  if (suspects.isEmpty()) return []
  const { pages, wantedBy, isClaimed } = options
  const found = new Map<string, Group>()
  for await (const accounts of pages()) {
    for (const account of accounts) {
      for (const { key, attribute, unless } of wantedBy(account)) {
        if (!suspects.has(shortHash(key))) continue
        if (unless !== undefined && (await isClaimed(account, unless))) continue
        const group = found.get(key) ?? { attribute: undefined, accounts: new Map() }
        group.attribute ??= attribute
        const { name, sub } = account
        group.accounts.set(sub, { name, sub })
        found.set(key, group)
      }
    }
  }
  return [...found.values()].flatMap(({ attribute, accounts }) =>
    attribute === undefined || accounts.size === 1
      ? []
      : [{ attribute, accounts: [...accounts.values()] }],
  )
}

async function findSuspects({ pages, wantedBy }: FindTwinsOptions): Promise<Numbers> {
  const seen = createNumbers()
  const suspects = createNumbers()
  for await (const accounts of pages()) {
    for (const account of accounts) {
      for (const key of new Set(wantedBy(account).map(wanted => wanted.key))) {
        const short = shortHash(key)
        if (seen.has(short)) suspects.add(short)
        seen.add(short)
      }
    }
  }
  return suspects
}

/** A set of whole numbers. */
interface Numbers {
  has(number: number): boolean
  add(number: number): void
  isEmpty(): boolean
}

/** So many sets hold what one can't: V8 ends with a RangeError at 2^24 values. */
const SETS = 256

function createNumbers(): Numbers {
  const sets = new Map<number, Set<number>>()
  return {
    has: number => sets.get(number % SETS)?.has(number) === true,
    add(number) {
      const set = sets.get(number % SETS) ?? new Set()
      sets.set(number % SETS, set.add(number))
    },
    isEmpty: () => sets.size === 0,
  }
}

function shortHash(key: string): number {
  return hash('sha256', key, 'buffer').readUIntBE(0, HASH_BYTES)
}
