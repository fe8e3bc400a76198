// Reads every form of password hash that Latchkey knows: its own, and those of the systems that people
// migrate from. It computes nothing; the hasher calls it with every stored hash.
import { readArgon2 } from './argon2-text.ts'
import { readBcrypt } from './bcrypt-text.ts'
import type { HashCost, StoredHash } from './cost.ts'
import { readPbkdf2 } from './pbkdf2-text.ts'
import { readPhpass } from './phpass-text.ts'
import { readFirebase, readScrypt } from './scrypt-text.ts'
import { readSpring } from './spring-text.ts'

/**
 * Reads a stored hash. A hash that costs no more than `today` is always bearable.
 *
 * @returns undefined when it is of no known form
 */
export function readHash(text: string, today: HashCost): StoredHash | undefined {
  return (
    readArgon2(text, today) ??
    readBcrypt(text) ??
    readPbkdf2(text) ??
    readScrypt(text) ??
    readFirebase(text) ??
    readPhpass(text) ??
    readSpring(text, today)
  )
}
