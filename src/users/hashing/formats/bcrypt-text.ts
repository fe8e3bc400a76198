// bcrypt in its common form ($2a$, $2b$, $2y$), and the ways round its limit: it reads only the first 72
// bytes of a password, so Django, Flask-Bcrypt, passlib and WordPress hash the password first.
import { createHash, createHmac } from 'node:crypto'
import bcrypt from 'bcrypt'
import { MOST, type StoredHash } from './cost.ts'
import { pattern } from './pattern.ts'
import { trimAsPhp } from './trim-as-php.ts'

// bcrypt$$2b$12$… and bcrypt_sha256$$2b$12$… are Django's
const PLAIN = pattern(
  /^(?<django>bcrypt\$|bcrypt_sha256\$)?\$2[aby]\$(?<rounds>\d{2})/,
  /\$(?<salt>[./A-Za-z0-9]{22})(?<digest>[./A-Za-z0-9]{31})$/,
)
// $bcrypt-sha256$v=2,t=2b,r=12$salt$digest, and the first version: $bcrypt-sha256$2b,12$salt$digest
const PASSLIB = pattern(
  /^\$bcrypt-sha256\$(?:(?<version>v=2),t=2b,r=|2[ab],)(?<rounds>\d{1,2})/,
  /\$(?<salt>[./A-Za-z0-9]{22})\$(?<digest>[./A-Za-z0-9]{31})$/,
)
// $wp$2y$10$… is WordPress's since 6.8
const WORDPRESS = pattern(
  /^\$wp\$2y\$(?<rounds>\d{2})/,
  /\$(?<salt>[./A-Za-z0-9]{22})(?<digest>[./A-Za-z0-9]{31})$/,
)

const LEAST_ROUNDS = 4
const MEMORY_KIB = 8

/** Makes the text that bcrypt gets in place of the password. */
type Prehash = (password: string, salt: string) => string

const AS_TYPED: Prehash = password => password
const SHA256_HEX: Prehash = password =>
  createHash('sha256').update(password).digest('hex')
const SHA256: Prehash = password => createHash('sha256').update(password).digest('base64')
const HMAC_SHA256: Prehash = (password, salt) =>
  createHmac('sha256', salt).update(password).digest('base64')
// wp_hash_password in wp-includes/pluggable.php hashes, and wp_authenticate checks, what PHP's trim leaves.
const WORDPRESS_SHA384: Prehash = password =>
  createHmac('sha384', 'wp-sha384').update(trimAsPhp(password)).digest('base64')

const ALGORITHMS = new Map([
  [AS_TYPED, 'bcrypt'],
  [WORDPRESS_SHA384, 'bcrypt-sha384'],
])

/** Reads a bcrypt hash. */
export function readBcrypt(text: string): StoredHash | undefined {
  const plain = PLAIN.exec(text)?.groups
  if (plain !== undefined) {
    return stored(plain, plain['django'] === 'bcrypt_sha256$' ? SHA256_HEX : AS_TYPED)
  }
  const wordpress = WORDPRESS.exec(text)?.groups
  if (wordpress !== undefined) return stored(wordpress, WORDPRESS_SHA384)
  const passlib = PASSLIB.exec(text)?.groups
  return (
    passlib && stored(passlib, passlib['version'] === undefined ? SHA256 : HMAC_SHA256)
  )
}

// The patterns guarantee the groups; String only convinces the compiler.
function stored(
  groups: Readonly<Record<string, string | undefined>>,
  prehash: Prehash,
): StoredHash | undefined {
  const rounds = Number(groups['rounds'])
  if (rounds < LEAST_ROUNDS) return undefined
  const salt = String(groups['salt'])
  // One algorithm, three names: 2a is the oldest, PHP marks its repaired hashes 2y, OpenBSD its own 2b.
  const hash = `$2b$${String(rounds).padStart(2, '0')}$${salt}${groups['digest']}`
  return {
    algorithm: ALGORITHMS.get(prehash) ?? 'bcrypt-sha256',
    memoryKiB: MEMORY_KIB,
    bearable: rounds <= MOST.bcryptRounds,
    bounds: `${rounds} rounds, at most ${MOST.bcryptRounds}`,
    verify: password => bcrypt.compare(prehash(password, salt), hash),
  }
}
