// Changes an account's record and its subject in one step.
import type { Account } from '../../ports/directory.ts'
import type { RedisAdapter } from '../adapter.ts'
import { writeFields } from './account-record.ts'

/** Members of an account that may change. */
type Changes = Partial<Pick<Account, 'passwordHash' | 'disabled' | 'scopes' | 'roles'>>

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
  const { keys, durably, statusBits } = adapter
  const script = durably('people/user-change')
  return async ({ tag, set = {}, endsSessions }) => {
    const [changed, tokens] = await script(
      [keys.user(tag), keys.live(tag)],
      [Number(endsSessions), ...writeFields(set)],
    )
    await statusBits.setAll(tokens)
    return changed === 1
  }
}
