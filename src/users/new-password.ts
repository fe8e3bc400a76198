// The rules for new passwords (NIST SP 800-63B rev. 4 §3.1.1.2, ASVS 5 §6.2): a minimal length, nothing that
// is easily guessed, and no rules of composition.
import { decodeFormComponent } from '../oauth/form.ts'
import { foldName } from './names/user-name.ts'

const MAX_BYTES = 256

/** Whether a password stands on a list of breached ones. */
export type IsBreached = (password: string) => Promise<boolean>

/** The rules for a new password. */
export interface PasswordRules {
  /** In code points of the normalised password, as set now. */
  readonly minLength: () => number
  /** The issuer's URL: its name is no password. */
  readonly issuer: string
  readonly isBreached: IsBreached
}

/** Why a new password is refused. */
export type PasswordFault =
  | 'password_malformed'
  | 'password_too_short'
  | 'password_too_long'
  | 'password_is_name'
  | 'password_breached'

/**
 * Checks a new password.
 *
 * @returns undefined when it is good; rejects when the list can't be read
 */
export type CheckNewPassword = (
  password: string,
  userName: string,
) => Promise<PasswordFault | undefined>

/** Makes the check. */
export function createCheckNewPassword({
  minLength,
  issuer,
  isBreached,
}: PasswordRules): CheckNewPassword {
  return async (password, userName) => {
    if (!fitsIntoForm(password)) return 'password_malformed'
    const normal = password.normalize('NFC')
    if (Array.from(normal).length < minLength()) return 'password_too_short'
    if (Buffer.byteLength(normal) > MAX_BYTES) return 'password_too_long'
    if (isMadeOf(normal, [userName, new URL(issuer).hostname])) return 'password_is_name'
    return (await isBreached(normal)) ? 'password_breached' : undefined
  }
}

// A password that the token endpoint can't read back would lock its user out.
function fitsIntoForm(password: string): boolean {
  try {
    decodeFormComponent(encodeURIComponent(password))
    return true
  } catch {
    return false
  }
}

/**
 * Whether the password consists of the names or their parts, repeated, and of digits and signs between them.
 */
function isMadeOf(password: string, names: readonly string[]): boolean {
  const words = names.flatMap(wordsOf).sort((a, b) => b.length - a.length)
  const rest = words.reduce((left, word) => left.replaceAll(word, ''), simplify(password))
  // Digits alone are no name.
  return rest !== simplify(password) && !/\p{L}/u.test(rest)
}

function wordsOf(name: string): string[] {
  const simple = simplify(name)
  return [simple, ...simple.split(/[^\p{L}\p{N}]+/u)].filter(word => /\p{L}/u.test(word))
}

// As names are compared, and blanks are no difference.
function simplify(text: string): string {
  const bare = text.replaceAll(/\p{Z}/gu, '')
  return foldName(bare) ?? bare.toLowerCase()
}
