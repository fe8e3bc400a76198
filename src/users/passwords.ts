// Passwords: hashed with argon2id (RFC 9106), never more at once than the machine can bear; and the rules for new ones.
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import argon2 from 'argon2'
import pLimit from 'p-limit'
import { temporarilyUnavailable } from '../oauth/errors.ts'
import { decodeFormComponent } from '../oauth/form.ts'
import { foldName } from './names.ts'
import { readCost, type HashCost } from './phc.ts'

/** Makes and checks password hashes. Its promises reject with OAuthError temporarily_unavailable when too many wait already. */
export interface PasswordHasher {
  /** Makes an argon2id PHC string. */
  hash (password: string): Promise<string>
  /** Whether the password belongs to the hash. A hash that isn't argon2's or would cost too much belongs to no password. */
  verify (hash: string, password: string): Promise<boolean>
  /** Takes as long as `verify` takes for a hash of today's cost, so that time does not tell which names exist. */
  verifyNothing (password: string): Promise<void>
  /** Whether the hash was made by another algorithm or at another cost than today's. */
  needsUpgrade (hash: string): boolean
  /** Why a hash that was made elsewhere can't be taken over; undefined when it can. */
  checkForeign (hash: string): 'hash_unsupported' | 'hash_too_costly' | undefined
}

/** The cost of one hash, and how many there may be. */
export interface HashingOptions extends HashCost {
  /** Hashes computed at once; auto: one less than the machine has cores, so that the event loop keeps one. */
  readonly concurrency: number | 'auto'
  /** How many may wait beside those. */
  readonly queue: number
}

const ALGORITHM = '$argon2id$'

// The most that a stored hash may ask for, unless the configuration asks for more: memory is what RFC 9106 §4 recommends second.
const MOST: HashCost = { memoryKiB: 65_536, passes: 10, parallelism: 16 }

/** Makes the hasher. Passwords are normalised to NFC first (RFC 8265 §4.2.1): one keyboard writes é as one character, another as two. */
export function createPasswordHasher ({ concurrency, queue, ...cost }: HashingOptions): PasswordHasher {
  const run = createQueue(concurrency === 'auto' ? Math.max(1, availableParallelism() - 1) : concurrency, queue)
  const options = { type: argon2.argon2id, memoryCost: cost.memoryKiB, timeCost: cost.passes, parallelism: cost.parallelism }
  const dummy = makeDummy(cost)
  const verify = (hash: string, password: string) => run(() => argon2.verify(hash, password.normalize('NFC')))
  return {
    hash: password => run(() => argon2.hash(password.normalize('NFC'), options)),
    async verify (hash, password) {
      if (isBearable(hash, cost)) return verify(hash, password)
      // The same work as for a good hash: a fast answer would tell that this account is an odd one.
      await verify(dummy, password)
      return false
    },
    async verifyNothing (password) {
      await verify(dummy, password)
    },
    // The library compares costs only, not the algorithm.
    needsUpgrade: hash => !isOurs(hash) || argon2.needsRehash(hash, options),
    checkForeign (hash) {
      if (!isOurs(hash)) return 'hash_unsupported'
      return isBearable(hash, cost) ? undefined : 'hash_too_costly'
    },
  }
}

function isOurs (hash: string): boolean {
  return hash.startsWith(ALGORITHM) && readCost(hash) !== undefined
}

// A hostile hash in an import or in the store must not eat the memory of the process.
function isBearable (hash: string, today: HashCost): boolean {
  const cost = readCost(hash)
  if (cost === undefined) return false
  return cost.memoryKiB <= Math.max(MOST.memoryKiB, today.memoryKiB) &&
    cost.passes <= Math.max(MOST.passes, today.passes) &&
    cost.parallelism <= Math.max(MOST.parallelism, today.parallelism)
}

// The hash of no password that anybody could find: random bytes where the result would stand.
function makeDummy ({ memoryKiB, passes, parallelism }: HashCost): string {
  const [salt, hash] = [randomBytes(16), randomBytes(32)].map(bytes => bytes.toString('base64').replaceAll('=', ''))
  return `${ALGORITHM}v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${salt}$${hash}`
}

function createQueue (concurrency: number, queue: number) {
  const limit = pLimit(concurrency)
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (limit.activeCount + limit.pendingCount >= concurrency + queue) throw temporarilyUnavailable('hash_queue_full')
    return limit(work)
  }
}

const MAX_BYTES = 256

/** What a new password has to keep to. */
export interface PasswordRules {
  /** In code points of the normalised password (NIST SP 800-63B §3.1.1.2). */
  readonly minLength: number
  /** The user's name, which is no password. */
  readonly name: string
}

/** Why a new password is refused. */
export type PasswordFault = 'password_malformed' | 'password_too_short' | 'password_too_long' | 'password_is_name'

/**
 * Checks a password that somebody wants to have. There are no rules about kinds of characters (NIST SP 800-63B §3.1.1.2).
 *
 * @returns undefined when it is good
 */
export function checkNewPassword (password: string, { minLength, name }: PasswordRules): PasswordFault | undefined {
  if (!fitsIntoForm(password)) return 'password_malformed'
  const normal = password.normalize('NFC')
  if (Array.from(normal).length < minLength) return 'password_too_short'
  if (Buffer.byteLength(normal) > MAX_BYTES) return 'password_too_long'
  return isName(password, name) ? 'password_is_name' : undefined
}

function isName (password: string, name: string): boolean {
  const folded = foldName(password)
  return folded !== undefined && folded === foldName(name)
}

// A password that the token endpoint can't read back would lock its user out.
function fitsIntoForm (password: string): boolean {
  try {
    decodeFormComponent(encodeURIComponent(password))
    return true
  } catch {
    return false
  }
}
