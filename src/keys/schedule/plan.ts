// This folder plans when keys are published, sign and go (docs/keys.md), as pure functions of the ring, the
// time and the policy. It makes no key and asks no store. save.ts carries out its plans.
import { current, inOrder, isSigning, isSpent, upcoming } from './instants.ts'
import {
  endingAt,
  isElsewhere,
  lasting,
  order,
  rotatedAt,
  type Planned,
  type Planning,
} from './planned.ts'
import { linesOf, MAIN, SETTLE_MS, type KeyPolicy, type Line } from './policy.ts'

/**
 * Plans what is due. In each line: one key that signs, one that is published and will follow it, and those
 * whose tokens may still live. Planning again what was planned and made changes nothing.
 *
 * The next key is always there, not only when its time comes near: a key that has to go today then has a
 * successor that every verifier knows. Another algorithm is a rotation like any other: the key that is made
 * for it signs `publishAheadMs` later. So does the first key of a line that is new in a ring that isn't.
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
        { ...line, mayWait: mayWait && line.name !== MAIN },
        { now, policy },
      ),
    ),
    // Another server may know more lines than this one.
    ...kept.filter(key => !lines.some(({ name }) => name === key.line)),
  ].map(key => lasting(key, now, policy))
}

interface LinePlan extends Line {
  /**
   * Whether the line may be without a signer until its first key is known; the main line then signs for it.
   */
  readonly mayWait: boolean
}

function planLine(
  all: readonly Planned[],
  line: LinePlan,
  planning: Planning,
): Planned[] {
  const { now, policy } = planning
  // Keys that are kept elsewhere, in a server that doesn't read them any more: they verify, and that is all.
  const foreign = all
    .filter(isElsewhere)
    .map(key => (isSigning(key, now) ? endingAt(key, now, policy) : key))
  return [
    ...foreign,
    ...planOwn(
      all.filter(key => !isElsewhere(key)),
      line,
      planning,
    ),
  ]
}

function planOwn(
  keys: readonly Planned[],
  line: LinePlan,
  planning: Planning,
): Planned[] {
  const { now, policy } = planning
  const next = upcoming(keys, now)
  const signer = current(keys, now)
  if (signer === undefined) return begin(keys, line, planning)
  const last = next.at(-1)
  if (last === undefined) {
    const from = Math.max(signer.signUntil, now + policy.publishAheadMs)
    return followed(keys, { from, line }, planning)
  }
  return isOutdated(last, now, line)
    ? followed(keys, { from: now + policy.publishAheadMs, line }, planning)
    : [...keys]
}

// Nobody signs: at the first start, after a time longer than any key lives, after a clock was set back.
function begin(keys: readonly Planned[], line: LinePlan, planning: Planning): Planned[] {
  const { now, policy } = planning
  const [first] = upcoming(keys, now)
  if (first !== undefined && line.mayWait && first.publishAt <= now) return [...keys]
  if (first !== undefined) return planOwn(rotatedAt(keys, now, planning), line, planning)
  if (line.mayWait) {
    return [...keys, order(now + policy.publishAheadMs, line, planning)]
  }
  return planOwn([...keys, order(now, line, planning)], line, planning)
}

/**
 * A new key goes on at `from`. One that would only begin then is dropped: it never signed, and verifiers have
 * the time to learn another.
 */
function followed(
  keys: readonly Planned[],
  { from, line }: { readonly from: number; readonly line: Line },
  planning: Planning,
): Planned[] {
  const before = inOrder(keys).filter(key => key.signFrom < from)
  const last = before.at(-1)
  return [
    ...before.map(key => (key === last ? endingAt(key, from, planning.policy) : key)),
    order(from, line, planning),
  ]
}

// It never signed, and every server has had the time to hear of the algorithm.
function isOutdated(key: Planned, now: number, { alg }: Line): boolean {
  return key.alg !== alg && key.publishAt <= now - SETTLE_MS
}
