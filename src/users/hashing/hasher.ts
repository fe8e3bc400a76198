// Passwords as hashes: made with argon2id (RFC 9106), checked in whatever form they came, never more at once
// than the machine bears.
import { argon2 } from './argon2.ts'
import { monotonicClock, type Monotonic } from '../../base/clock.ts'
import { thisMachine } from '../../base/machine.ts'
import { systemRandom, type Random } from '../../base/random.ts'
import { planCapacity, type Capacity, type CapacityOptions } from './capacity.ts'
import { readArgon2 } from './formats/argon2-text.ts'
import type { HashCost, StoredHash } from './formats/cost.ts'
import { readHash } from './formats/read.ts'
import { schemeOf } from './formats/scheme.ts'
import { createLimiter } from './hash-slots.ts'
import { createTurns, type TurnRequest, type Turns } from './queue.ts'

/** What may be done with passwords while it is one's turn. */
export interface Hashing {
  /** Makes an argon2id PHC string. */
  hash(password: string): Promise<string>
  /**
   * Whether the password belongs to the hash. A hash of no known form, or one that would cost too much,
   * belongs to no password.
   */
  verify(hash: string, password: string): Promise<boolean>
  /**
   * Takes as long as `verify` takes for a hash of today's cost, so that time does not tell which names exist.
   */
  verifyNothing(password: string): Promise<void>
}

/**
 * Why a hash isn't taken over, with what it says of itself: its scheme or its cost, nothing of its digest.
 */
export interface HashFault {
  readonly reason: 'hash_unsupported' | 'hash_too_costly'
  readonly detail: string
}

/** Makes and checks password hashes. */
export interface PasswordHasher {
  /**
   * Does the work when it is its turn. Rejects with OAuthError temporarily_unavailable when that can't be in
   * time.
   */
  inTurn<Result>(
    request: TurnRequest,
    work: (hashing: Hashing) => Promise<Result>,
  ): Promise<Result>
  /** Makes an argon2id PHC string, in a turn of its own: for operators. */
  hash(password: string): Promise<string>
  /** Whether the hash was made by another algorithm or at another cost than today's. */
  needsUpgrade(hash: string): boolean
  /**
   * A hash of today's cost that belongs to no password: where a name has none, what is done with hashes is
   * done with it.
   */
  readonly nobodysHash: string
  /** Why a hash that was made elsewhere can't be taken over; undefined when it can. */
  checkForeign(hash: string): HashFault | undefined
  /** What a hash is made with, such as `bcrypt`; undefined: of no known form. */
  algorithmOf(hash: string): string | undefined
  /** Whether a turn is to be had without waiting. */
  isFree: Turns['isFree']
  /** How many wait for their turn, and how many have it. */
  load: Turns['load']
  /** What hashing may use. */
  readonly capacity: Capacity
}

/** The cost of one hash, and how many there may be. */
export interface HashingOptions extends CapacityOptions {
  /** How many logins may wait. */
  readonly queue: number
  /** Milliseconds. */
  readonly maxWait: number
  /** Default: the system's. */
  readonly monotonic?: Monotonic
  /** Default: the system's. */
  readonly random?: Random
  /** Told how long each login has waited; milliseconds. */
  readonly onWaited?: (ms: number) => void
}

// While one login asks the store, another hashes: no core waits for a round trip.
const TURNS_AHEAD = 1

const VERSION = 0x13

const OPERATOR: TurnRequest = { lane: ['operator', ''] }

/**
 * Makes the hasher. Throws RangeError, which names the numbers, when the machine's memory doesn't suffice.
 */
export function createPasswordHasher(
  options: HashingOptions,
  machine = thisMachine(),
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
  const turns = createTurns({
    turns: capacity.concurrency + TURNS_AHEAD,
    queue,
    maxWaitMs: maxWait,
    monotonic,
    ...(onWaited !== undefined && { onWaited }),
  })
  const nobodysHash = makeNobodysHash(cost, random)
  const hashing = createHashing(cost, capacity, nobodysHash)
  const inTurn: PasswordHasher['inTurn'] = (request, work) =>
    turns.take(request, () => work(hashing))
  return {
    inTurn,
    hash: password => inTurn(OPERATOR, ({ hash }) => hash(password)),
    needsUpgrade: hash => !isOfToday(hash, cost),
    nobodysHash,
    checkForeign(hash) {
      const stored = readHash(hash, cost)
      if (stored === undefined) return unsupported(hash)
      return isBearable(stored, capacity) ? undefined : tooCostly(stored, capacity)
    },
    algorithmOf: hash => readHash(hash, cost)?.algorithm,
    isFree: turns.isFree,
    load: turns.load,
    capacity,
  }
}

function createHashing(cost: HashCost, capacity: Capacity, nobodysHash: string): Hashing {
  const limited = createLimiter({
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
      if (await limited(stored.memoryKiB, () => stored.verify(spelling))) return true
    }
    return false
  }

  async function verify(hash: string, password: string): Promise<boolean> {
    const stored = readHash(hash, cost)
    if (stored !== undefined && isBearable(stored, capacity)) {
      return check(stored, password)
    }
    // The same work as for a good hash: a fast answer would tell that this account is an odd one.
    return verify(nobodysHash, password)
  }

  return {
    hash: password =>
      limited(cost.memoryKiB, () => argon2.hash(password.normalize('NFC'), settings)),
    verify,
    async verifyNothing(password) {
      await verify(nobodysHash, password)
    },
  }
}

// One keyboard writes é as one character, another as two: ours are made of NFC (RFC 8265 §4.2.1), foreign
// ones of what was typed.
function spellings(password: string): string[] {
  return [...new Set([password.normalize('NFC'), password])]
}

function isBearable({ bearable, memoryKiB }: StoredHash, capacity: Capacity): boolean {
  return bearable && memoryKiB <= capacity.memoryKiB
}

function unsupported(hash: string): HashFault {
  const found = schemeOf(hash)
  const reason = 'hash_unsupported'
  if (found === undefined) return { reason, detail: 'the hash is of no known scheme' }
  const { scheme, supported } = found
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
      ? `${algorithm} asks for ${memoryKiB} KiB, hashing has ${capacity.memoryKiB} KiB (passwords.memoryShare)`
      : `${algorithm} asks for ${bounds}`,
  }
}

// The library compares neither the algorithm nor the version.
function isOfToday(hash: string, { memoryKiB, passes, parallelism }: HashCost): boolean {
  const found = hash.startsWith('$argon2id$')
    ? readArgon2(hash, { memoryKiB, passes, parallelism })
    : undefined
  return (
    found?.version === VERSION &&
    found.cost.memoryKiB === memoryKiB &&
    found.cost.passes === passes &&
    found.cost.parallelism === parallelism
  )
}

// Random bytes stand where the result would.
function makeNobodysHash(cost: HashCost, random: Random): string {
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
