// When keys are published, sign and go (DESIGN §6), as pure functions of the ring, the time and the policy.
import type { StoredKey } from '../stores/ports.ts'

/** How keys are rotated; spans in milliseconds. */
export interface KeyPolicy {
  /** Of the keys that are made from now on. */
  readonly algorithm: string
  /** How long a key signs. */
  readonly rotateEveryMs: number
  /** How long a key is published, at least, before it signs. */
  readonly publishAheadMs: number
  /** The longest life of an access token: how long a key's last token has to be verified. */
  readonly accessTtlMs: number
}

/** The instants of a key, in milliseconds since the epoch. */
export type Instants = Pick<StoredKey, 'publishAt' | 'signFrom' | 'signUntil' | 'removeAt'>

/** A key that is to be made. */
export interface KeyOrder extends Instants {
  readonly alg: string
}

/** A key as the ring is to hold it: one that exists, perhaps with other instants, or one that is to be made. */
export type Planned = StoredKey | KeyOrder

/**
 * How much longer than the life of its last token a key stays published, in milliseconds: for clocks that differ, and for servers that
 * read the ring once a minute and so sign a little longer with a key that was retired by hand.
 */
export const SKEW_MS = 300_000

/**
 * Finds the key that signs: of those whose time it is, the one that began last. A server that was cut off from the store for so long
 * that no key's time is left goes on with the last one, and before every key's time (a clock was set back) with the first: a
 * signature that verifies is worth more than a date.
 *
 * @returns undefined for an empty ring only
 */
export function signerAt<Key extends Instants> (keys: readonly Key[], now: number): Key | undefined {
  return current(keys, now) ?? inOrder(keys).findLast(key => key.signFrom <= now) ?? inOrder(keys)[0]
}

/**
 * Plans what is due: one key that signs, one that is published and will follow it, and those whose tokens may still live. Planning again
 * what was planned and made changes nothing.
 *
 * The next key is always there, not only when its time comes near: a key that has to go today then has a successor that every verifier
 * knows. A new algorithm replaces the next key, unless that one's turn is nearer than `publishAheadMs`: then it follows after.
 *
 * @returns the keys of the ring, in no order; those that need no change are the very objects of `ring`
 */
export function planRing (ring: readonly StoredKey[], now: number, policy: KeyPolicy): Planned[] {
  const kept = ring.filter(key => key.removeAt > now)
  // The signer is found before outdated keys go: one that verifiers know, of whatever algorithm, goes before one that they don't.
  const signer = current(kept, now) ?? promoted(kept, now, policy) ?? order(now, now, policy)
  const others = kept.filter(key => !('kid' in signer && signer.kid === key.kid) && !isOutdated(key, now, policy))
  if (others.some(key => key.signFrom > now)) return [signer, ...others].map(key => lasting(key, now, policy))
  // The successor is due: the signer goes on until it has been published for long enough.
  const signUntil = Math.max(signer.signUntil, now + policy.publishAheadMs)
  const next = order(signUntil, now, policy)
  return [signUntil === signer.signUntil ? signer : { ...signer, signUntil }, ...others, next].map(key => lasting(key, now, policy))
}

/**
 * Plans that the next key signs from now on; the one that signed retires. In the minute after a turn, when the next key isn't made yet,
 * it only makes that: nobody would know a key that is made and signs at once.
 */
export function planRotation (ring: readonly StoredKey[], now: number, policy: KeyPolicy): Planned[] {
  if (!ring.some(key => key.signFrom > now)) return planRing(ring, now, policy)
  const retired = ring.map(key => isSigning(key, now) ? { ...key, signUntil: now, removeAt: removalOf(now, policy) } : key)
  return planRing(retired, now, policy)
}

/** Plans that a key is no longer there: it isn't published, and no token that it signed is good. */
export function planRetirement (ring: readonly StoredKey[], kid: string, now: number, policy: KeyPolicy): Planned[] {
  return planRing(ring.filter(key => key.kid !== kid), now, policy)
}

/** Puts keys in the order in which they sign. */
export function inOrder<Key extends Instants> (keys: readonly Key[]): Key[] {
  return keys.toSorted((a, b) => a.signFrom - b.signFrom || a.signUntil - b.signUntil)
}

function isSigning (key: Instants, now: number): boolean {
  return key.signFrom <= now && now < key.signUntil
}

function current<Key extends Instants> (keys: readonly Key[], now: number): Key | undefined {
  return inOrder(keys).findLast(key => isSigning(key, now))
}

// Nobody signs after a rotation by hand, and after a clock was set back.
function promoted (keys: readonly StoredKey[], now: number, policy: KeyPolicy): StoredKey | undefined {
  const next = inOrder(keys).find(key => key.signFrom > now)
  return next === undefined ? undefined : { ...next, ...signingFrom(now, policy) }
}

// It never signed, and verifiers have the time to learn another one.
function isOutdated (key: StoredKey, now: number, { algorithm, publishAheadMs }: KeyPolicy): boolean {
  return key.alg !== algorithm && key.signFrom > now && key.signFrom - now >= publishAheadMs
}

function order (signFrom: number, now: number, policy: KeyPolicy): KeyOrder {
  return { alg: policy.algorithm, publishAt: now, ...signingFrom(signFrom, policy) }
}

function signingFrom (signFrom: number, policy: KeyPolicy): Omit<Instants, 'publishAt'> {
  const signUntil = signFrom + policy.rotateEveryMs
  return { signFrom, signUntil, removeAt: removalOf(signUntil, policy) }
}

function removalOf (signUntil: number, { accessTtlMs }: KeyPolicy): number {
  return signUntil + accessTtlMs + SKEW_MS
}

// A key that still signs outlives its last token also when it was made to sign longer, or tokens to live longer.
function lasting (key: Planned, now: number, policy: KeyPolicy): Planned {
  const removeAt = removalOf(key.signUntil, policy)
  return key.signUntil <= now || key.removeAt >= removeAt ? key : { ...key, removeAt }
}
