// The keys of one line as a plan holds them, and what may be done to their instants. All of it pure.
import type { StoredKey } from '../../stores/ports/documents/keys.ts'
import { current, upcoming, type Instants } from './instants.ts'
import { restOf, type KeyPolicy, type Line } from './policy.ts'

/** A key that is to be made. */
export interface KeyOrder extends Instants {
  readonly alg: string
  readonly line: string
}

/**
 * A key as the ring is to hold it: one that exists, perhaps with other instants, or one that is to be made.
 */
export type Planned = StoredKey | KeyOrder

/** Whether the private key of a stored key is kept somewhere else. */
export function isElsewhere(key: Planned): key is StoredKey {
  return 'sealed' in key && key.sealed === null
}

/** The moment that a plan is made for, and the policy that it follows. */
export interface Planning {
  /** Epoch milliseconds by the store's clock. */
  readonly now: number
  readonly policy: KeyPolicy
}

/** The signer stops at `at` and the next keys follow from there; an earlier rotation stays. */
export function rotatedAt(
  keys: readonly Planned[],
  at: number,
  { now, policy }: Planning,
): Planned[] {
  const next = upcoming(keys, now)
  const [first] = next
  if (first === undefined || first.signFrom <= at) return [...keys]
  const signer = current(keys, now)
  const rest = keys.filter(key => !next.includes(key))
  return [
    ...rest.map(key => (key === signer ? endingAt(key, at, policy) : key)),
    ...chained(next, at, policy),
  ]
}

/** Keys that sign one after the other from `from` on. */
export function chained(
  keys: readonly Planned[],
  from: number,
  policy: KeyPolicy,
): Planned[] {
  return keys.map((key, index) => ({
    ...key,
    ...signingFrom(from + index * policy.rotateEveryMs, policy),
  }))
}

/** Orders a key that is published at once and signs from `signFrom` on, for `line`. */
export function order(signFrom: number, line: Line, { now, policy }: Planning): KeyOrder {
  return {
    alg: line.alg,
    line: line.name,
    publishAt: now,
    ...signingFrom(signFrom, policy),
  }
}

function signingFrom(signFrom: number, policy: KeyPolicy): Omit<Instants, 'publishAt'> {
  const signUntil = signFrom + policy.rotateEveryMs
  return { signFrom, signUntil, removeAt: signUntil + restOf(policy) }
}

/**
 * The key stops signing at `at`. It stays as long after that as it was to stay before: its tokens may have
 * been made to live longer than those of today.
 */
export function endingAt<Key extends Planned>(
  key: Key,
  at: number,
  policy: KeyPolicy,
): Key {
  if (key.signUntil === at) return key
  return {
    ...key,
    signUntil: at,
    removeAt: at + Math.max(key.removeAt - key.signUntil, restOf(policy)),
  }
}

/** A key that still signs outlives its last token also when tokens have been made to live longer. */
export function lasting(key: Planned, now: number, policy: KeyPolicy): Planned {
  const removeAt = key.signUntil + restOf(policy)
  return key.signUntil <= now || key.removeAt >= removeAt ? key : { ...key, removeAt }
}
