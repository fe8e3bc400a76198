// What a server's answer to a user's bind says of the user. Only what is surely about the user is a verdict;
// anything else is a fault (RFC 4511 appendix A).
import type { Barred, Unavailable } from '../external.ts'
import type { LdapResult } from './server.ts'

/** What it says; `barred` only where the server says why. */
export type BindVerdict = { readonly kind: 'wrong' | 'unknown' } | Barred | Unavailable

const CONSTRAINT_VIOLATION = 19
const NO_SUCH_OBJECT = 32
const INAPPROPRIATE_AUTHENTICATION = 48
const INVALID_CREDENTIALS = 49
const UNWILLING_TO_PERFORM = 53

/** Active Directory says in the text of result 49 why, as `data 533`. */
const ACTIVE_DIRECTORY: Readonly<Record<string, Barred['reason']>> = {
  530: 'user_barred_now',
  531: 'user_barred_now',
  532: 'password_expired',
  533: 'user_disabled',
  701: 'user_expired',
  773: 'password_must_change',
  775: 'user_locked',
}

/** Reads the answer to the bind of somebody whose entry says `disabled` or not. */
export function readBindResult(
  { code, message }: LdapResult,
  isDisabled: boolean,
): BindVerdict {
  switch (code) {
    case INVALID_CREDENTIALS: {
      const reason = ACTIVE_DIRECTORY[/\bdata ([\da-f]+)/i.exec(message)?.[1] ?? '']
      return reason === undefined ? { kind: 'wrong' } : { kind: 'barred', reason }
    }
    // The entry has no password that could be right.
    case INAPPROPRIATE_AUTHENTICATION:
      return { kind: 'wrong' }
    case NO_SUCH_OBJECT:
      return { kind: 'unknown' }
    // 389 Directory Server, and so FreeIPA: too many failures.
    case CONSTRAINT_VIOLATION:
      return { kind: 'barred', reason: 'user_locked' }
    case UNWILLING_TO_PERFORM:
      return isDisabled
        ? { kind: 'barred', reason: 'user_disabled' }
        : {
            kind: 'unavailable',
            scope: 'question',
            fault: bindFault(code),
          }
    default:
      return { kind: 'unavailable', fault: bindFault(code) }
  }
}

function bindFault(code: number): string {
  return `it answered a user's bind with result code ${code}`
}
