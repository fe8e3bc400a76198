// bcrypt as everybody writes it ($2a$, $2b$, $2y$), and Django's two forms. It looks at the first 72 bytes of
// a password only.
import { createHash } from 'node:crypto'
import bcrypt from 'bcrypt'
import { MOST, type StoredHash } from './cost.ts'

const BCRYPT =
  /^(?<django>bcrypt\$|bcrypt_sha256\$)?\$2[aby]\$(?<rounds>\d{2})\$(?<rest>[./A-Za-z0-9]{53})$/

const LEAST_ROUNDS = 4
const MEMORY_KIB = 8

/** Reads a bcrypt hash. */
export function readBcrypt(text: string): StoredHash | undefined {
  const { django, rounds, rest } = BCRYPT.exec(text)?.groups ?? {}
  if (rounds === undefined || Number(rounds) < LEAST_ROUNDS) return undefined
  const sha256First = django === 'bcrypt_sha256$'
  // One algorithm, three names: 2a for all, 2y where a PHP version told its repaired hashes apart, 2b since
  // OpenBSD repaired its own.
  const hash = `$2b$${rounds}$${rest}`
  return {
    algorithm: sha256First ? 'bcrypt-sha256' : 'bcrypt',
    memoryKiB: MEMORY_KIB,
    bearable: Number(rounds) <= MOST.bcryptRounds,
    verify: password =>
      bcrypt.compare(
        sha256First ? createHash('sha256').update(password).digest('hex') : password,
        hash,
      ),
  }
}
