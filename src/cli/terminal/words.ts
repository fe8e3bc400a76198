// What commands say in words for people: counts, and why something is refused, with the number or the rule
// that was not kept.
import { judgeName } from '../../users/names/user-name.ts'
import type { PasswordFault } from '../../users/new-password.ts'

/** So many of a thing, as English counts: `1 client`, `2 clients`; `many` where an s doesn't do it. */
export function countOf(count: number, thing: string, many = `${thing}s`): string {
  return `${count} ${count === 1 ? thing : many}`
}

/** What new passwords are held to. */
export interface PasswordLimits {
  /** In characters. */
  readonly minLength: number
}

type Words = (limits: PasswordLimits) => string

const PASSWORD_WORDS: Readonly<Record<PasswordFault, Words>> = {
  password_malformed: () =>
    'password malformed: it holds a control character, or half a character',
  password_too_short: ({ minLength }) =>
    `password too short: at least ${minLength} characters (passwords.minLength)`,
  password_too_long: () => 'password too long: at most 256 bytes',
  password_is_name: () => "password is name: the user's, or that of this server",
  password_breached: () =>
    'password breached: it stands on the list of passwords.blocklist',
}

/** Whether a code is of a password that is refused. */
export function isPasswordFault(reason: string): reason is PasswordFault {
  return Object.hasOwn(PASSWORD_WORDS, reason)
}

/** Why a password is refused. */
export function passwordWords(reason: PasswordFault, limits: PasswordLimits): string {
  return PASSWORD_WORDS[reason](limits)
}

/** That only the directory may change an account, and what to do. */
export function ownedElsewhereWords(name: string): string {
  return `directory owns: ${name} is the user of a directory elsewhere; change it there, or adopt it first`
}

/** Why a command on an account is refused; undefined: the code says it all. */
export function accountWords(
  reason: string,
  { name, ...limits }: PasswordLimits & { readonly name: string },
): string | undefined {
  if (isPasswordFault(reason)) return passwordWords(reason, limits)
  if (reason === 'directory_owns') {
    return ownedElsewhereWords(name)
  }
  if (reason === 'name_taken') return 'name taken: another account has it'
  const judged = judgeName(name)
  return 'fault' in judged ? `name invalid: the name ${judged.fault}` : undefined
}
