// Whoever changes what guards an account proves anew who they are: by the current password, or by a login of
// the last minutes. A stolen access token alone must not be enough.
import type { Clock } from '../base/clock.ts'
import type { Emit } from '../base/events/events.ts'
import { FRESH_SECONDS, insufficientUserAuthentication } from '../oauth/account-errors.ts'
import { slowDown } from '../oauth/errors.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { Authenticate } from '../users/authenticate.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import type { NameInLogs } from '../users/names/name-in-logs.ts'
import type { Owner } from './owner.ts'

/**
 * Resolves when somebody has proved who they are, to the account as it is then: a proof by a password may
 * make another version of it.
 *
 * @throws OAuthError insufficient_user_authentication (RFC 9470 §3) without a proof or with a wrong password;
 * slow_down after too many; temporarily_unavailable when no turn to hash is to be had in time;
 * StoreUnavailable
 */
export type RequireFresh = (
  owner: Owner,
  currentPassword: string | undefined,
) => Promise<Account>

/** What the proof is checked by. */
export interface FreshProofOptions {
  readonly authenticate: Authenticate
  readonly nameInLogs: NameInLogs
  readonly emit: Emit
  readonly clock: Clock
}

/** Makes the check. A password counts and waits as one of a login does. */
export function createRequireFresh(options: FreshProofOptions): RequireFresh {
  const { authenticate, nameInLogs, emit, clock } = options

  async function checkPassword(owner: Owner, password: string): Promise<Account> {
    const { account, clientId, address, signal, origin, scheme } = owner
    const { sub, name } = account
    const outcome = await authenticate({
      account,
      name,
      password,
      clientId,
      address,
      signal,
      origin,
    })
    // A directory elsewhere may know somebody else by that name.
    if (outcome.kind === 'ok' && outcome.account.tag === account.tag) {
      return outcome.account
    }
    const network = networkOf(address)
    const attempt = { clientId, username: nameInLogs(name), network, sub }
    if (outcome.kind !== 'throttled') {
      const reason = outcome.kind === 'ok' ? 'password_wrong' : outcome.reason
      emit({ type: 'login.failed', ...attempt, reason }, origin)
      throw insufficientUserAuthentication(scheme, reason)
    }
    const reason = `throttled_by_${outcome.by}` as const
    const retryAfterSeconds = Math.ceil(outcome.retryAfterMs / 1000)
    emit({ type: 'login.throttled', ...attempt, reason, retryAfterSeconds }, origin)
    throw slowDown(retryAfterSeconds, reason)
  }

  return async function requireFresh(owner, currentPassword) {
    if (currentPassword !== undefined) return checkPassword(owner, currentPassword)
    if (clock() - owner.authenticatedAt <= FRESH_SECONDS * 1000) {
      return owner.account
    }
    throw insufficientUserAuthentication(owner.scheme, 'login_too_old')
  }
}
