// Unlocking: the failures of an account's name are forgotten, so that nothing delays its next login.
import type { Emit } from '../../base/events/events.ts'
import type { Account } from '../../stores/ports/directory.ts'
import type { FailedLogins } from '../failed-logins/failed-logins.ts'
import type { LoginRefusals } from './login-refusals.ts'

/** What is unlocked beside what is on record. */
export interface UnlockOptions {
  /** Addresses or networks whose failures are forgotten as well as those on record. */
  readonly networks?: readonly string[]
}

/** What was done. */
export interface Unlocked {
  /** The networks from which failures of the name were looked for. */
  readonly networks: readonly string[]
  /** How many counts were forgotten. */
  readonly cleared: number
}

/**
 * Forgets the failures of the account's name in every network that the record of refusals has of it. What is
 * counted of a network or of a password stays: others share it. Rejects with StoreUnavailable.
 */
export type Unlock = (account: Account, options?: UnlockOptions) => Promise<Unlocked>

/** Makes the service. */
export function createUnlock({
  refusals,
  failedLogins,
  emit,
}: {
  readonly refusals: Pick<LoginRefusals, 'ofAccount' | 'lift'>
  readonly failedLogins: Pick<FailedLogins, 'forget'>
  readonly emit: Emit
}): Unlock {
  return async function unlock(account, { networks: named = [] } = {}) {
    const onRecord = await refusals.ofAccount(account)
    const networks = [...new Set([...onRecord.map(({ network }) => network), ...named])]
    const cleared = await failedLogins.forget(account.foldedName, networks)
    await refusals.lift(account)
    emit({ type: 'user.changed', sub: account.sub, change: 'unlocked' })
    return { networks, cleared }
  }
}
