// What a stored hash calls itself: for whoever reads that it isn't supported.

const MARKED = /^(?:\$[A-Za-z0-9-]{1,20}\$|\{[A-Za-z0-9@_.-]{1,40}\})/
// Words without a mark might be a password that stands in the wrong column: only these are one's own.
const WORD =
  /^(?:argon2|bcrypt|bcrypt_sha256|pbkdf2_sha1|pbkdf2_sha256|scrypt|md5|sha1|unsalted_md5|unsalted_sha1|crypt)\$|^(?:pbkdf2|scrypt):/

const READ =
  /^(?:\$(?:argon2(?:id|i|d)|2[aby]|pbkdf2(?:-sha256|-sha512)?|scrypt|fbscrypt|bcrypt-sha256)\$|\{(?:bcrypt|(?:argon2|pbkdf2|scrypt)(?:@SpringSecurity_v5_8)?)\}|argon2\$|bcrypt(?:_sha256)?\$|pbkdf2_sha(?:1|256)\$|scrypt[$:]|pbkdf2:)$/

/**
 * The mark that a hash begins with, such as `$2b$`, `{noop}` or `md5$`, and nothing of the hash.
 *
 * @returns undefined when it has none; `supported`: hashes of this scheme are read, so this one isn't whole
 */
export function schemeOf(
  text: string,
): { readonly scheme: string; readonly supported: boolean } | undefined {
  const [scheme] = MARKED.exec(text) ?? WORD.exec(text) ?? []
  return scheme === undefined ? undefined : { scheme, supported: READ.test(scheme) }
}
