// Reads the instants of keys at a moment: which key signs, which is next, which may go. All of it pure.
import type { StoredKey } from '../../stores/ports/documents/keys.ts'

/** The instants of a key, in milliseconds since the epoch. */
export type Instants = Pick<
  StoredKey,
  'publishAt' | 'signFrom' | 'signUntil' | 'removeAt'
>

/**
 * How much longer than the life of its last token a key stays published, in milliseconds: for clocks that
 * differ, and for servers that sign a little longer with a key that was retired by hand, or whose successor
 * they haven't served long enough.
 */
export const SKEW_MS = 300_000

/**
 * Finds the key that signs: of the current ones, the one that began last. After the time of all keys (a
 * server was long cut off from the store) the last one signs on, and before it (a clock was set back) the
 * first: a signature that verifies is worth more than a date.
 *
 * @returns undefined for no keys only
 */
export function signerAt<Key extends Instants>(
  keys: readonly Key[],
  now: number,
): Key | undefined {
  return (
    current(keys, now) ??
    inOrder(keys).findLast(key => key.signFrom <= now) ??
    inOrder(keys)[0]
  )
}

/**
 * Finds the key that signs in a process that can use these: one that is kept elsewhere, once one has begun,
 * before the ring's own.
 *
 * @returns undefined when none has begun
 */
export function signerAmong<Key extends Instants>(
  usable: readonly Key[],
  now: number,
  isElsewhere: (key: Key) => boolean,
): Key | undefined {
  const begun = usable.filter(key => key.signFrom <= now)
  const elsewhere = begun.filter(isElsewhere)
  return signerAt(elsewhere.length > 0 ? elsewhere : begun, now)
}

/** Whether a key may go: the last token that it signed has expired, and the skew has passed. */
export function isSpent(key: Instants, now: number): boolean {
  return key.removeAt <= now
}

/** Puts keys in the order in which they sign. */
export function inOrder<Key extends Instants>(keys: readonly Key[]): Key[] {
  return keys.toSorted((a, b) => a.signFrom - b.signFrom || a.signUntil - b.signUntil)
}

/** The keys that have yet to begin, in order. */
export function upcoming<Key extends Instants>(keys: readonly Key[], now: number): Key[] {
  return inOrder(keys).filter(key => key.signFrom > now)
}

/** The key whose time it is; of several the one that began last. */
export function current<Key extends Instants>(
  keys: readonly Key[],
  now: number,
): Key | undefined {
  return inOrder(keys).findLast(key => isSigning(key, now))
}

/** The instants at which something changes for a key. */
export function instantsOf({ signFrom, signUntil, removeAt }: Instants): number[] {
  return [signFrom, signUntil, removeAt]
}

/** Whether it is the key's time to sign. */
export function isSigning(key: Instants, now: number): boolean {
  return key.signFrom <= now && now < key.signUntil
}
