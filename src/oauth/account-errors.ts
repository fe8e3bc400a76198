// The errors of the routes by which users keep their own account. Codes are ours where no standard has one.
import type { Reason } from '../base/events/reasons.ts'
import { invalidRequest, OAuthError } from './errors.ts'

/** How long ago somebody may have logged in who changes what an account is guarded by; seconds. */
export const FRESH_SECONDS = 300

/**
 * 401: the token is good, but what is asked for needs a login of a moment ago, or the current password (RFC
 * 9470 §3).
 */
export function insufficientUserAuthentication(
  scheme: 'Bearer' | 'DPoP',
  reason: Reason,
): OAuthError {
  const description = 'the current password, or a login of the last 5 minutes, is needed'
  return new OAuthError(401, 'insufficient_user_authentication', {
    description,
    reason,
    headers: {
      'www-authenticate':
        `${scheme} realm="latchkey", error="insufficient_user_authentication", ` +
        `error_description="${description}", max_age="${FRESH_SECONDS}"`,
    },
  })
}

/** Why a new password is refused. */
export type PasswordRefusal =
  | 'password_malformed'
  | 'password_too_short'
  | 'password_too_long'
  | 'password_is_name'
  | 'password_breached'

/**
 * 400: the new password is refused, and the answer says why, so that the user can choose another one (NIST SP
 * 800-63B-4 §3.1.1.2).
 *
 * @param minLength in characters
 */
export function passwordRefused(fault: PasswordRefusal, minLength: number): OAuthError {
  const why: Readonly<Record<PasswordRefusal, string>> = {
    password_malformed: 'the password holds characters that can not be sent',
    password_too_short: `the password is too short: at least ${minLength} characters`,
    password_too_long: 'the password is too long: at most 256 bytes',
    password_is_name: 'the password is like the name',
    password_breached: 'the password is known to be breached',
  }
  return new OAuthError(400, fault, { description: why[fault], reason: fault })
}

/** 400: the name can't be anybody's. */
export function nameRefused(): OAuthError {
  return new OAuthError(400, 'name_invalid', {
    description:
      'the name is empty, too long, ends in a dot, or holds a blank or an invisible character',
    reason: 'name_invalid',
  })
}

/** 400: the same whatever is wrong with a ticket or a code. */
export function invalidTicket(reason: Reason): OAuthError {
  return new OAuthError(400, 'invalid_ticket', {
    description: 'the ticket or the code is unknown, expired, used or void',
    reason,
  })
}

/** 400: an attribute isn't what it has to be. `expected` may hold any character. */
export function attributeRefused(
  path: string,
  expected: string,
  reason: Reason,
): OAuthError {
  return new OAuthError(400, reason, {
    description: sendable(`the attribute ${path}: ${expected}`),
    reason,
  })
}

/** 400: the body isn't the object that is wanted. */
export function malformedBody(description: string): OAuthError {
  return invalidRequest(sendable(description))
}

/** 404: there is no session of that id at this account. */
export function noSuchSession(): OAuthError {
  return new OAuthError(404, 'not_found', {
    description: 'there is no such session',
    reason: 'family_unknown',
  })
}

/** 409: somebody else has changed the account in the same moment. */
export function changedMeanwhile(): OAuthError {
  return new OAuthError(409, 'conflict', {
    description: 'the account has changed meanwhile: try again',
    reason: 'changed_meanwhile',
  })
}

// The alphabet of error_description (RFC 6749 §5.2).
function sendable(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('±', '+-')
    .replaceAll(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, '?')
    .slice(0, 300)
}
