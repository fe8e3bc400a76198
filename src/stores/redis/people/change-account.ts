// Changes an account's record and its subject in one step.
import type { Account, UniqueValue } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { writeFields } from './account-record.ts'

/** Members of an account that may change. */
type Changes = Partial<Pick<Account, 'passwordHash' | 'disabled' | 'scopes' | 'roles'>>

/** Members that change together, and only of the version that somebody has read. */
interface ChangeAt {
  readonly tag: string
  readonly version: number
  readonly set:
    | Pick<Account, 'name' | 'foldedName'>
    | (Pick<Account, 'attributes' | 'emailVerified'> & {
        readonly uniqueValues: readonly UniqueValue[]
      })
}

/** What is done to an account. */
export interface AccountChange {
  readonly tag: string
  readonly set?: Changes
  /** Whether every session of the user ends with it. */
  readonly endsSessions: boolean
}

/** False when there is no account of that tag. Rejects with StoreUnavailable. */
export type ChangeAccount = (change: AccountChange) => Promise<boolean>

/** Makes the change, whose effect is durable when it resolves. */
export function createChangeAccount(adapter: RedisAdapter): ChangeAccount {
  const { keys, time, durably, statusBits } = adapter
  const script = durably('people/user-change')
  return async ({ tag, set = {}, endsSessions }) => {
    const [changed, tokens] = await script(
      [keys.user(tag), keys.live(tag)],
      [time(), '', Number(endsSessions), ...writeFields(set)],
    )
    await statusBits.setAll(tokens)
    return changed === 1
  }
}

/** Makes a change of one version of an account, whose effect is durable when it resolves. */
export function createChangeAt({
  keys,
  time,
  durably,
}: RedisAdapter): (
  change: ChangeAt,
) => Promise<'changed' | 'superseded' | 'user_unknown'> {
  const script = durably('people/user-change')
  return async ({ tag, version, set }) => {
    const [reply] = await script(
      [keys.user(tag), keys.live(tag)],
      [time(), version, 0, ...writeFields(set)],
    )
    if (reply === 'superseded') return 'superseded'
    return reply === 1 ? 'changed' : 'user_unknown'
  }
}
