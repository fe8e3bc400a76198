// When keys that are kept elsewhere sign (keys.directory, PKCS#11): the same instants as in plan.ts, but
// nothing is made here.
import type { StoredRing } from '../../stores/ports/documents/keys.ts'
import { current, isSigning, isSpent, signerAmong, upcoming } from './instants.ts'
import { endingAt, isElsewhere, type Planned } from './planned.ts'
import { linesOf, MAIN, restOf, type KeyPolicy, type Line } from './policy.ts'
import type { ExternalKey } from '../external/key-source.ts'

/** The ring as a plan wants it. */
export interface PlannedRing {
  readonly keys: readonly Planned[]
  readonly gone: readonly string[]
}

/** What planning needs beside the ring and the time. */
export interface ExternalPlanning {
  readonly policy: KeyPolicy
  /** The keys that this process can sign with. */
  readonly present: readonly ExternalKey[]
}

type Ring = Pick<StoredRing, 'gone'> & { readonly keys: readonly Planned[] }

/**
 * When a key stops signing that nothing follows yet: the last day of the year 9998, in milliseconds since the
 * epoch.
 */
export const UNTIL_REPLACED = Date.UTC(9998, 11, 31)

/**
 * How much longer a key stays that signs although its time is over, since the one that follows isn't at hand;
 * milliseconds.
 */
const EXTRA_MS = 3_600_000

/**
 * Plans what is due for keys that are kept elsewhere. A new one is published at once, and signs
 * `publishAheadMs` later in the place of the one before it; where there is none it signs at once. One that
 * has gone from the ring never comes back.
 */
export function planExternal(
  { keys, gone }: Ring,
  now: number,
  { policy, present }: ExternalPlanning,
): PlannedRing {
  const kept = withoutSpent(keys, now, present)
  const spent = keys
    .filter(isElsewhere)
    .filter(key => !kept.includes(key))
    .map(({ kid }) => kid)
  const goneNow = spent.length === 0 ? gone : [...gone, ...spent]
  const isNew = !kept.some(key => key.signUntil > now)
  const planned = linesOf(policy).reduce<readonly Planned[]>((ring, line) => {
    const news = present.filter(
      ({ kid, alg }) =>
        alg === line.alg &&
        !goneNow.includes(kid) &&
        !ring.some(key => 'kid' in key && key.kid === kid),
    )
    const first = ring.filter(key => key.line === line.name)
    const registered = news
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .reduce(
        (keys, key) =>
          registeredIn(keys, key, {
            line,
            now,
            policy,
            present,
            isNew,
          }),
        first,
      )
    return [
      ...ring.filter(key => key.line !== line.name),
      ...lasting(registered, now, { policy, present }),
    ]
  }, kept)
  return { keys: planned, gone: goneNow }
}

// After a time longer than its life a key is better than none.
function withoutSpent(
  keys: readonly Planned[],
  now: number,
  present: readonly ExternalKey[],
): readonly Planned[] {
  const kept = keys.filter(key => !isSpent(key, now))
  return atHand(kept, present).length > 0 ? kept : keys
}

function registeredIn(
  keys: readonly Planned[],
  { kid, publicJwk }: ExternalKey,
  {
    line: { name, alg },
    now,
    policy,
    present,
    isNew,
  }: ExternalPlanning & {
    readonly line: Line
    readonly now: number
    readonly isNew: boolean
  },
): Planned[] {
  const signs = atHand(keys, present).some(key => key.signUntil > now)
  // Somebody has to sign: in the main line always, in another one the main line does.
  const signFrom = signs || (!isNew && name !== MAIN) ? now + policy.publishAheadMs : now
  const before = keys.map(key =>
    key.signUntil > signFrom && isElsewhere(key) ? endingAt(key, signFrom, policy) : key,
  )
  return [
    ...before,
    {
      kid,
      alg,
      line: name,
      publicJwk,
      sealed: null,
      publishAt: now,
      signFrom,
      signUntil: UNTIL_REPLACED,
      removeAt: UNTIL_REPLACED + restOf(policy),
    },
  ]
}

// A key of our own signs until the first of the others begins. Whoever signs beyond its time, since the next
// one isn't at hand here, stays.
function lasting(
  keys: readonly Planned[],
  now: number,
  { policy, present }: ExternalPlanning,
): Planned[] {
  const signer = signerAmong(atHand(keys, present), now, isElsewhere)
  if (signer === undefined) return [...keys]
  const [next] = isElsewhere(signer) ? [] : upcoming(keys.filter(isElsewhere), now)
  const until = Math.max(signer.signUntil, next?.signFrom ?? 0)
  const lasts = Math.max(until, now) + restOf(policy)
  if (until === signer.signUntil && signer.removeAt >= lasts) return [...keys]
  return keys.map(key =>
    key === signer
      ? {
          ...key,
          signUntil: until,
          removeAt: lasts + EXTRA_MS,
        }
      : key,
  )
}

function atHand(keys: readonly Planned[], present: readonly ExternalKey[]): Planned[] {
  return keys.filter(
    key => !isElsewhere(key) || present.some(({ kid }) => kid === key.kid),
  )
}

/**
 * Plans that the next key of a line signs at once, or as soon as it has been published for `publishAheadMs`.
 * Nothing happens without one.
 */
export function rotateExternal(
  keys: readonly Planned[],
  now: number,
  {
    policy,
    line,
    atOnce,
  }: { readonly policy: KeyPolicy; readonly line: string; readonly atOnce: boolean },
): Planned[] {
  const chain = keys.filter(key => key.line === line && isElsewhere(key))
  const [next] = upcoming(chain, now)
  if (next === undefined) return [...keys]
  const at = atOnce ? now : Math.max(now, next.publishAt + policy.publishAheadMs)
  if (next.signFrom <= at) return [...keys]
  const signer = current(chain, now)
  return keys.map(key =>
    key === next
      ? { ...key, signFrom: at }
      : key === signer
        ? endingAt(key, at, policy)
        : key,
  )
}

/**
 * Plans that a key is no longer there. If it signed, the next one does at once; without one, the last before
 * it that is still at hand.
 */
export function retireExternal(
  { keys, gone }: StoredRing,
  kid: string,
  { now, ...planning }: ExternalPlanning & { readonly now: number },
): PlannedRing {
  const retired = keys.find(key => key.kid === kid)
  const rest = keys.filter(key => key !== retired)
  const signs = retired !== undefined && isSigning(retired, now)
  const rotated = signs
    ? rotateExternal(rest, now, {
        ...planning,
        line: retired.line,
        atOnce: true,
      })
    : rest
  return planExternal({ keys: rotated, gone: [...gone, kid] }, now, planning)
}
