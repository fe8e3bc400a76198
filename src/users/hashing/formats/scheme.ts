// Names the scheme of a stored hash, for the message that it isn't supported.
import { pattern } from './pattern.ts'

const MARKED = /^(?:\$[A-Za-z0-9-]{1,20}\$|\{[A-Za-z0-9@_.-]{1,40}\})/
// A word without a mark may be a password in the wrong column: only these words are scheme names.
const WORD = pattern(
  /^(?:argon2|bcrypt|bcrypt_sha256|pbkdf2_sha1|pbkdf2_sha256|scrypt|md5|sha1)\$|/,
  /^(?:unsalted_md5|unsalted_sha1|crypt)\$|^(?:pbkdf2|scrypt):/,
)

const SUPPORTED = pattern(
  /^\$(?:argon2(?:id|i|d)|2[aby]|pbkdf2(?:-sha256|-sha512)?|scrypt|fbscrypt|bcrypt-sha256|wp|[PH])\$$|/,
  /^\{(?:bcrypt|(?:argon2|pbkdf2|scrypt)(?:@SpringSecurity_v5_8)?)\}$|/,
  /^(?:argon2\$|bcrypt(?:_sha256)?\$|pbkdf2_sha(?:1|256)\$|scrypt[$:]|pbkdf2:)$/,
)

/**
 * The scheme at the beginning of a hash, such as `$2b$`, `{noop}` or `md5$`, and nothing of the digest.
 *
 * @returns undefined when there is none; `supported`: Latchkey reads this scheme, so this hash is damaged
 */
export function schemeOf(
  text: string,
): { readonly scheme: string; readonly supported: boolean } | undefined {
  const [scheme] = MARKED.exec(text) ?? WORD.exec(text) ?? []
  return scheme === undefined ? undefined : { scheme, supported: SUPPORTED.test(scheme) }
}
