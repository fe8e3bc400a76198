// The unique values of accounts in Redis. Each is claimed as a name is (claims.ts), and the account says
// which ones it has: a claim alone is nobody's value.
import { hash } from 'node:crypto'
import type { UniqueValue, ValueTaken } from '../../../ports/directory.ts'
import type { RedisAdapter } from '../../adapter.ts'
import type { AccountReader } from '../account-reader.ts'
import { createClaims } from './claims.ts'
import { valueField } from '../index/entries.ts'

export interface UniqueValues {
  /** The tag that has claimed the value. */
  ownerOf(value: UniqueValue): Promise<string | undefined>
  /** Whether another tag's account has it, or is just being written with it. */
  isOthers(value: UniqueValue, tag: string): Promise<boolean>
  /**
   * Those that the tag still has to claim, of the values that its account is to have: what the account has
   * and has claimed is its own. A claim that was lost is wanted again.
   */
  unclaimed(
    tag: string,
    values: readonly UniqueValue[],
    had: readonly UniqueValue[],
  ): Promise<readonly UniqueValue[]>
  /** Claims all of them, or none: then the first one that another account has. */
  claimAll(tag: string, values: readonly UniqueValue[]): Promise<ValueTaken | undefined>
  /** Gives those up that the tag's account hasn't got. */
  giveUp(tag: string, values: readonly UniqueValue[]): Promise<void>
}

/** Two digits in hex: 256 hashes. Ten million values are 5 MB in each. */
const SHARD_DIGITS = 2

/** The shards of the claims on unique values. */
export const VALUE_SHARDS: readonly string[] = Array.from(
  { length: 16 ** SHARD_DIGITS },
  (_, index) => index.toString(16).padStart(SHARD_DIGITS, '0'),
)

/** Makes the unique values. */
export function createUniqueValues(
  adapter: RedisAdapter,
  { read }: Pick<AccountReader, 'read'>,
): UniqueValues {
  const claims = createClaims(adapter, {
    at: (field, work) => work(adapter.keys.values(shardOf(field))),
    holds: async (tag, field) =>
      (await read(tag))?.uniqueValues.some(value => valueField(value) === field) ?? false,
  })

  async function giveUp(tag: string, values: readonly UniqueValue[]): Promise<void> {
    await Promise.all(values.map(value => claims.giveUp(valueField(value), tag)))
  }

  async function firstTaken(
    tag: string,
    values: readonly UniqueValue[],
  ): Promise<ValueTaken | undefined> {
    for (const value of values) {
      if (await claims.claim(valueField(value), tag)) continue
      return { kind: 'value_taken', attribute: value.attribute }
    }
    return undefined
  }

  return {
    ownerOf: value => claims.ownerOf(valueField(value)),
    async unclaimed(tag, values, had) {
      const fresh = new Set(without(values, had))
      const owners = await Promise.all(
        values.map(value => (fresh.has(value) ? '' : claims.ownerOf(valueField(value)))),
      )
      return values.filter((_, place) => owners[place] !== tag)
    },
    isOthers: (value, tag) => claims.isOthers(valueField(value), tag),
    giveUp,
    async claimAll(tag, values) {
      try {
        const taken = await firstTaken(tag, values)
        if (taken !== undefined) await giveUp(tag, values)
        return taken
      } catch (error) {
        // A claim that didn't reach the replicas is given up, so that a second try finds the value free.
        await giveUp(tag, values)
        throw error
      }
    },
  }
}

/** Those of the values that aren't among others. */
export function without(
  values: readonly UniqueValue[],
  others: readonly UniqueValue[],
): readonly UniqueValue[] {
  const fields = new Set(others.map(valueField))
  return values.filter(value => !fields.has(valueField(value)))
}

/** Where an account's value is claimed: the hash's shard and the field in it. */
export function claimPlace(value: UniqueValue): {
  readonly shard: string
  readonly field: string
} {
  const field = valueField(value)
  return { shard: shardOf(field), field }
}

function shardOf(field: string): string {
  return hash('sha256', field, 'hex').slice(0, SHARD_DIGITS)
}
