// Who keeps their own account: the user of an access token, and the request that it came with.
import type { Actor, Origin } from '../base/events/events.ts'
import { attributeRefused } from '../oauth/account-errors.ts'
import { invalidToken } from '../oauth/token-errors.ts'
import type { Account } from '../stores/ports/directory.ts'

/** A user who does something to their own account. */
export interface Owner {
  readonly account: Account
  /** The session that the token is from. */
  readonly sid: string
  /** When the user logged in; milliseconds. */
  readonly authenticatedAt: number
  readonly clientId: string
  /** How the token was sent: a challenge names it. */
  readonly scheme: 'Bearer' | 'DPoP'
  /** The address of the caller. */
  readonly address: string
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /** The request as audit events name it. */
  readonly origin: Origin
}

/** How events name a user who does something. */
export function actorOf({ account }: Pick<Owner, 'account'>): Actor {
  return `user:${account.sub}`
}

/** The refusal where a directory elsewhere has the account; `what` would have been changed. */
export function ownedElsewhere(what: string) {
  const expected = 'a directory elsewhere has this account, and alone changes it'
  return attributeRefused(what, expected, 'directory_owns')
}

/** @throws OAuthError where the account has gone since its token was looked at */
export function requireStill(isThere: boolean, owner: Owner): void {
  if (!isThere) throw gone(owner)
}

/** The refusal of a token whose account has gone since it was looked at. */
export function gone({ scheme }: Owner) {
  return invalidToken('user_unknown', scheme)
}
