// The form of Spring Security's DelegatingPasswordEncoder: the encoder's name in braces, then its hash. The
// encoder's defaults stand for what the hash doesn't state.
import { readArgon2 } from './argon2-text.ts'
import { readBcrypt } from './bcrypt-text.ts'
import type { HashCost, StoredHash } from './cost.ts'
import { readSpringPbkdf2 } from './pbkdf2-text.ts'
import { readSpringScrypt } from './scrypt-text.ts'

const DELEGATED = /^\{(?<id>[^{}]{1,40})\}(?<hash>\$[^]*|[0-9a-f]*)$/

type Reader = (hash: string, today: HashCost) => StoredHash | undefined

// {noop} is the password itself; {MD4}, {MD5}, {SHA-1}, {SHA-256} and {ldap} are guessed too fast.
const ENCODERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['bcrypt', hash => readBcrypt(hash)],
  ['argon2', readArgon2],
  ['argon2@SpringSecurity_v5_8', readArgon2],
  [
    'pbkdf2',
    hash => readSpringPbkdf2(hash, { digest: 'sha1', iterations: 185_000, saltBytes: 8 }),
  ],
  [
    'pbkdf2@SpringSecurity_v5_8',
    hash =>
      readSpringPbkdf2(hash, { digest: 'sha256', iterations: 310_000, saltBytes: 16 }),
  ],
  ['scrypt', readSpringScrypt],
  ['scrypt@SpringSecurity_v5_8', readSpringScrypt],
])

/** Reads a hash that follows the name of its encoder. */
export function readSpring(text: string, today: HashCost): StoredHash | undefined {
  const { id, hash } = DELEGATED.exec(text)?.groups ?? {}
  return ENCODERS.get(String(id))?.(String(hash), today)
}
