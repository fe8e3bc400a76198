// When keys are published, sign and go (DESIGN §6), as pure functions of the ring, the time and the policy.
import type { StoredKey } from '../stores/ports-keys.ts'
import {
  current,
  inOrder,
  isSigning,
  isSpent,
  SKEW_MS,
  upcoming,
  type Instants,
} from './instants.ts'

/** How keys are rotated; spans in milliseconds. */
export interface KeyPolicy {
  /** Of the keys that are made from now on. */
  readonly algorithm: string
  /** Algorithms that single audiences need: each has a line of keys of its own, called after it. */
  readonly audienceAlgorithms?: readonly string[]
  /** How long a key signs. */
  readonly rotateEveryMs: number
  /** How long a key is published, at least, before it signs. */
  readonly publishAheadMs: number
  /** The longest life of an access token: how long a key's last token has to be verified. */
  readonly accessTtlMs: number
}

/** The line whose keys sign for every audience that needs no algorithm of its own. */
export const MAIN = 'main'

/** A key that is to be made. */
export interface KeyOrder extends Instants {
  readonly alg: string
  readonly line: string
}

/**
 * A key as the ring is to hold it: one that exists, perhaps with other instants, or one that is to be made.
 */
export type Planned = StoredKey | KeyOrder

/** A line of keys, and what its keys are to be. */
export interface Line {
  readonly name: string
  readonly alg: string
}

/**
 * How long a key is left alone after it was made, although the algorithm has changed since. While servers are
 * replaced one by one, old and new ones disagree about it: without this they would undo each other's plans
 * every second.
 */
export const SETTLE_MS = 3_600_000

/** The lines that a policy asks for; the main one comes first. */
export function linesOf({
  algorithm,
  audienceAlgorithms = [],
}: KeyPolicy): readonly Line[] {
  return [
    { name: MAIN, alg: algorithm },
    ...audienceAlgorithms.map(alg => ({ name: alg, alg })),
  ]
}

/**
 * Plans what is due. In each line: one key that signs, one that is published and will follow it, and those
 * whose tokens may still live. Planning again what was planned and made changes nothing.
 *
 * The next key is always there, not only when its time comes near: a key that has to go today then has a
 * successor that every verifier knows. Another algorithm is a turn like any other: the key that is made for
 * it signs `publishAheadMs` later. So does the first key of a line that is new in a ring that isn't.
 *
 * @returns the keys of the ring, in no order; those that need no change are the very objects of `ring`
 */
export function planRing(
  ring: readonly Planned[],
  now: number,
  policy: KeyPolicy,
): Planned[] {
  const kept = ring.filter(key => !isSpent(key, now))
  const lines = linesOf(policy)
  // Where no key lives no verifier can know one: every line begins at once.
  const mayWait = kept.length > 0
  return [
    ...lines.flatMap(line =>
      planLine(
        kept.filter(key => key.line === line.name),
        now,
        { ...policy, ...line, mayWait: mayWait && line.name !== MAIN },
      ),
    ),
    // Another server may know more lines than this one.
    ...kept.filter(key => !lines.some(({ name }) => name === key.line)),
  ].map(key => lasting(key, now, policy))
}

interface LinePolicy extends KeyPolicy, Line {
  /**
   * Whether the line may be without a signer until its first key is known; the main line then signs for it.
   */
  readonly mayWait: boolean
}

function planLine(all: readonly Planned[], now: number, line: LinePolicy): Planned[] {
  // Keys that are kept elsewhere, in a server that doesn't read them any more: they verify, and that is all.
  const foreign = all
    .filter(isElsewhere)
    .map(key => (isSigning(key, now) ? endingAt(key, now, line) : key))
  return [
    ...foreign,
    ...planOwn(
      all.filter(key => !isElsewhere(key)),
      now,
      line,
    ),
  ]
}

function planOwn(keys: readonly Planned[], now: number, line: LinePolicy): Planned[] {
  const next = upcoming(keys, now)
  const signer = current(keys, now)
  if (signer === undefined) return begin(keys, next, now, line)
  const last = next.at(-1)
  if (last === undefined) {
    return followed(
      keys,
      Math.max(signer.signUntil, now + line.publishAheadMs),
      now,
      line,
    )
  }
  return isOutdated(last, now, line)
    ? followed(keys, now + line.publishAheadMs, now, line)
    : [...keys]
}

// Nobody signs: at the first start, after a time longer than any key lives, after a clock was set back.
function begin(
  keys: readonly Planned[],
  next: readonly Planned[],
  now: number,
  line: LinePolicy,
): Planned[] {
  const [first] = next
  if (first !== undefined && line.mayWait && first.publishAt <= now) return [...keys]
  if (first !== undefined) return planOwn(turnedAt(keys, now, now, line), now, line)
  if (line.mayWait) return [...keys, order(now + line.publishAheadMs, now, line)]
  return planOwn([...keys, order(now, now, line)], now, line)
}

/**
 * A new key goes on at `from`. One that would only begin then is dropped: it never signed, and verifiers have
 * the time to learn another.
 */
function followed(
  keys: readonly Planned[],
  from: number,
  now: number,
  line: LinePolicy,
): Planned[] {
  const before = inOrder(keys).filter(key => key.signFrom < from)
  const last = before.at(-1)
  return [
    ...before.map(key => (key === last ? endingAt(key, from, line) : key)),
    order(from, now, line),
  ]
}

/**
 * Plans that the next key of each line signs earlier than it was to: as soon as it has been published for
 * `publishAheadMs`, or at once. In the moment after a turn, when the next key isn't made yet, it only makes
 * that: nobody would know it.
 *
 * @param line only this one; undefined: every line
 */
export function planRotation(
  ring: readonly Planned[],
  now: number,
  policy: KeyPolicy,
  { atOnce, line }: { readonly atOnce: boolean; readonly line?: string | undefined },
): Planned[] {
  const turns = ({ name }: Line) => line === undefined || line === name
  const turned = linesOf(policy)
    .filter(turns)
    .reduce(
      (keys, { name }) => turnedLine(keys, name, now, { policy, atOnce }),
      [...ring],
    )
  return planRing(turned, now, policy)
}

function turnedLine(
  ring: readonly Planned[],
  line: string,
  now: number,
  { policy, atOnce }: { readonly policy: KeyPolicy; readonly atOnce: boolean },
): Planned[] {
  const isOwn = (key: Planned) => key.line === line && !isElsewhere(key)
  const keys = ring.filter(isOwn)
  const publishAt = upcoming(keys, now)[0]?.publishAt ?? now
  const at = atOnce ? now : Math.max(now, publishAt + policy.publishAheadMs)
  return [...ring.filter(key => !isOwn(key)), ...turnedAt(keys, at, now, policy)]
}

/**
 * Plans that a key is no longer there: it isn't published, and no token that it signed is good. In its line
 * the next key signs at once, which every verifier knows. After `switchAfterMs` a fresh key signs in every
 * line: only a `kid` that they don't know makes most verifiers fetch the keys again, and so forget the one
 * that was dropped.
 */
export function planRetirement(
  ring: readonly Planned[],
  kid: string,
  now: number,
  {
    policy,
    switchAfterMs,
  }: { readonly policy: KeyPolicy; readonly switchAfterMs: number },
): Planned[] {
  const retired = ring.find(key => 'kid' in key && key.kid === kid)
  const rest = retired === undefined ? ring : without(ring, retired, now, policy)
  return linesOf(policy).reduce(
    (keys, line) => switched(keys, line, { at: now + switchAfterMs, now, policy }),
    planRing(rest, now, policy),
  )
}

// Also in a line that this server doesn't know the key before it goes on until the one after it: nobody else
// would close the gap.
function without(
  ring: readonly Planned[],
  gone: Planned,
  now: number,
  policy: KeyPolicy,
): Planned[] {
  const rest = ring.filter(key => key !== gone)
  if (isSigning(gone, now)) {
    return turnedLine(rest, gone.line, now, { policy, atOnce: true })
  }
  if (gone.signFrom <= now) return rest
  const line = inOrder(rest.filter(key => key.line === gone.line && !isElsewhere(key)))
  const before = line.findLast(key => key.signFrom <= gone.signFrom)
  const after = line.find(key => key.signFrom >= gone.signUntil)
  return after === undefined
    ? rest
    : rest.map(key => (key === before ? endingAt(key, after.signFrom, policy) : key))
}

function switched(
  ring: readonly Planned[],
  line: Line,
  {
    at,
    now,
    policy,
  }: { readonly at: number; readonly now: number; readonly policy: KeyPolicy },
): Planned[] {
  const keys = ring.filter(key => key.line === line.name && !isElsewhere(key))
  const signer = current(keys, now)
  // A key that is made now is as fresh as it can be; a line that hasn't begun will begin with one.
  if (signer === undefined || !('kid' in signer)) return [...ring]
  const fresh = order(at, now, { ...policy, ...line })
  const reserve = chained(upcoming(keys, now), fresh.signUntil, policy)
  return [
    ...ring.filter(key => !keys.includes(key) || key.signUntil <= now),
    endingAt(signer, at, policy),
    fresh,
    ...reserve,
  ]
}

/** Whether the private key of a stored key is kept somewhere else. */
export function isElsewhere(key: Planned): key is StoredKey {
  return 'sealed' in key && key.sealed === null
}

// It never signed, and every server has had the time to hear of the algorithm.
function isOutdated(key: Planned, now: number, { alg }: Line): boolean {
  return key.alg !== alg && key.publishAt <= now - SETTLE_MS
}

/** The signer stops at `at` and those after it go on from there; a turn that is due earlier stays. */
function turnedAt(
  keys: readonly Planned[],
  at: number,
  now: number,
  policy: KeyPolicy,
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
function chained(keys: readonly Planned[], from: number, policy: KeyPolicy): Planned[] {
  return keys.map((key, index) => ({
    ...key,
    ...signingFrom(from + index * policy.rotateEveryMs, policy),
  }))
}

function order(
  signFrom: number,
  now: number,
  { name, alg, ...policy }: LinePolicy | (KeyPolicy & Line),
): KeyOrder {
  return {
    alg,
    line: name,
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

// A key that still signs outlives its last token also when tokens have been made to live longer.
function lasting(key: Planned, now: number, policy: KeyPolicy): Planned {
  const removeAt = key.signUntil + restOf(policy)
  return key.signUntil <= now || key.removeAt >= removeAt ? key : { ...key, removeAt }
}

/** How long a key stays after it has stopped to sign, in milliseconds. */
export function restOf({ accessTtlMs }: KeyPolicy): number {
  return accessTtlMs + SKEW_MS
}
