// Hashes and checks passwords. New hashes are argon2id (RFC 9106), foreign ones are checked in the form in
// which they came; this folder decides how many run at once, and nothing about accounts. src/users/ and the
// import call it, at login and wherever a password is set.
import { argon2 } from './argon2.ts'
import { monotonicClock, type Monotonic } from '../../base/clock.ts'
import { thisMachine } from '../../base/machine.ts'
import { systemRandom, type Random } from '../../base/random.ts'
import {
  planCapacity,
  type Capacity,
  type CapacityOptions,
  type HashMachine,
} from './capacity.ts'
import { readArgon2 } from './formats/argon2-text.ts'
import type { HashCost, StoredHash } from './formats/cost.ts'
import { readHash } from './formats/read.ts'
import { schemeOf } from './formats/scheme.ts'
import { createHashSlots } from './hash-slots.ts'
import { createHashQueue, type QueueRequest, type HashQueue } from './queue.ts'

/** What a job in the queue may do with passwords. */
export interface Hashing {
  /** Makes an argon2id PHC string. */
  hash(password: string): Promise<string>
  /**
   * Whether the password belongs to the hash. A hash of no known form, or one that would cost too much,
   * belongs to no password.
   */
  verify(hash: string, password: string): Promise<boolean>
  /**
   * Takes as long as `verify` for a hash of today's cost: the time must not show which names exist.
   */
  verifyDummy(password: string): Promise<void>
}

/** Why a hash isn't taken over, with its scheme or its cost; never with any of its digest. */
export interface HashFault {
  readonly reason: 'hash_unsupported' | 'hash_too_costly'
  readonly detail: string
}

/** Makes and checks password hashes. */
export interface PasswordHasher {
  /**
   * Runs the job when the queue reaches it. Rejects with OAuthError temporarily_unavailable when that can't
   * be in time.
   */
  enqueue<Result>(
    request: QueueRequest,
    job: (hashing: Hashing) => Promise<Result>,
  ): Promise<Result>
  /** Makes an argon2id PHC string in a job of its own; by default in the place of operators. */
  hash(password: string, request?: QueueRequest): Promise<string>
  /** Whether the hash was made by another algorithm or at another cost than today's. */
  needsUpgrade(hash: string): boolean
  /**
   * A hash of today's cost that belongs to no password. It stands in where a name has no account, so that
   * both cost the same.
   */
  readonly dummyHash: string
  /** Why a hash that was made elsewhere can't be taken over; undefined when it can. */
  checkForeign(hash: string): HashFault | undefined
  /** The algorithm of a hash, such as `bcrypt`; undefined: of no known form. */
  algorithmOf(hash: string): string | undefined
  /** Whether a job would start without waiting. */
  isFree: HashQueue['isFree']
  /** How many jobs wait, and how many run. */
  load: HashQueue['load']
  /** What hashing may use. */
  readonly capacity: Capacity
}

/** The cost of one hash, and how many may run and wait. */
export interface HashingOptions extends CapacityOptions {
  /** How many logins may wait. */
  readonly queue: number
  /** Milliseconds. */
  readonly maxWait: number
  /** Default: the system's. */
  readonly monotonic?: Monotonic
  /** Default: the system's. */
  readonly random?: Random
  /** Called with the wait of each login; milliseconds. */
  readonly onWaited?: (ms: number) => void
}

// While one login asks the store, another hashes: no core waits for a round trip.
const EXTRA_JOBS = 1

const VERSION = 0x13

const OPERATOR: QueueRequest = { lane: ['operator', ''] }

/**
 * Makes the hasher. Throws RangeError, which names the numbers, when the machine's memory doesn't suffice.
 */
export function createPasswordHasher(
  options: HashingOptions,
  machine: HashMachine = thisMachine(),
): PasswordHasher {
  const {
    queue,
    maxWait,
    monotonic = monotonicClock,
    random = systemRandom,
    onWaited,
    memoryKiB,
    passes,
    parallelism,
  } = options
  const capacity = planCapacity(options, machine)
  const cost: HashCost = { memoryKiB, passes, parallelism }
  const hashQueue = createHashQueue({
    concurrency: capacity.concurrency + EXTRA_JOBS,
    queue,
    maxWaitMs: maxWait,
    monotonic,
    ...(onWaited !== undefined && { onWaited }),
  })
  const dummyHash = makeDummyHash(cost, random)
  const hashing = createHashing(cost, capacity, dummyHash)
  const enqueue: PasswordHasher['enqueue'] = (request, job) =>
    hashQueue.enqueue(request, () => job(hashing))
  return {
    enqueue,
    hash: (password, request = OPERATOR) =>
      enqueue(request, ({ hash }) => hash(password)),
    needsUpgrade: hash => !isOfToday(hash, cost),
    dummyHash,
    checkForeign(hash) {
      const stored = readHash(hash, cost)
      if (stored === undefined) return unsupported(hash)
      return isBearable(stored, capacity) ? undefined : tooCostly(stored, capacity)
    },
    algorithmOf: hash => readHash(hash, cost)?.algorithm,
    isFree: hashQueue.isFree,
    load: hashQueue.load,
    capacity,
  }
}

function createHashing(cost: HashCost, capacity: Capacity, dummyHash: string): Hashing {
  const inSlot = createHashSlots({
    slots: capacity.concurrency,
    memoryKiB: capacity.memoryKiB,
  })
  const settings = {
    type: argon2.argon2id,
    memoryCost: cost.memoryKiB,
    timeCost: cost.passes,
    parallelism: cost.parallelism,
  }

  async function check(stored: StoredHash, password: string): Promise<boolean> {
    for (const spelling of spellings(password)) {
      if (await inSlot(stored.memoryKiB, () => stored.verify(spelling))) return true
    }
    return false
  }

  async function verify(hash: string, password: string): Promise<boolean> {
    const stored = readHash(hash, cost)
    if (stored !== undefined && isBearable(stored, capacity)) {
      return check(stored, password)
    }
    // The same work as for a good hash: a fast answer would show that this account is an odd one.
    return verify(dummyHash, password)
  }

  return {
    hash: password =>
      inSlot(cost.memoryKiB, () => argon2.hash(password.normalize('NFC'), settings)),
    verify,
    async verifyDummy(password) {
      await verify(dummyHash, password)
    },
  }
}

// One keyboard writes é as one character, another as two. Our hashes are made of NFC (RFC 8265 §4.2.1),
// foreign ones of the text as it was typed.
function spellings(password: string): string[] {
  return [...new Set([password.normalize('NFC'), password])]
}

function isBearable({ bearable, memoryKiB }: StoredHash, capacity: Capacity): boolean {
  return bearable && memoryKiB <= capacity.memoryKiB
}

function unsupported(hash: string): HashFault {
  const known = schemeOf(hash)
  const reason = 'hash_unsupported'
  if (known === undefined) return { reason, detail: 'the hash is of no known scheme' }
  const { scheme, supported } = known
  return {
    reason,
    detail: supported
      ? `the hash begins with ${scheme} but does not go on as such a hash does`
      : `hash scheme ${scheme} is not supported`,
  }
}

function tooCostly(
  { algorithm, bearable, bounds, memoryKiB }: StoredHash,
  capacity: Capacity,
): HashFault {
  return {
    reason: 'hash_too_costly',
    detail: bearable
      ? `${algorithm} asks for ${memoryKiB} KiB, hashing has ${capacity.memoryKiB} KiB ` +
        '(passwords.memoryShare)'
      : `${algorithm} asks for ${bounds}`,
  }
}

// The library compares neither the algorithm nor the version.
function isOfToday(hash: string, { memoryKiB, passes, parallelism }: HashCost): boolean {
  const argon2id = hash.startsWith('$argon2id$')
    ? readArgon2(hash, { memoryKiB, passes, parallelism })
    : undefined
  return (
    argon2id?.version === VERSION &&
    argon2id.cost.memoryKiB === memoryKiB &&
    argon2id.cost.passes === passes &&
    argon2id.cost.parallelism === parallelism
  )
}

// Random bytes in place of a digest: no password has it.
function makeDummyHash(cost: HashCost, random: Random): string {
  const { memoryKiB, passes, parallelism } = cost
  const [salt, hash] = [random.bytes(16), random.bytes(32)].map(bytes =>
    bytes.toString('base64').replaceAll('=', ''),
  )
  const text = `$argon2id$v=${VERSION}$m=${memoryKiB},t=${passes},p=${parallelism}$${salt}$${hash}`
  if (readArgon2(text, cost) === undefined) {
    throw new TypeError('argon2 knows no such cost')
  }
  return text
}
