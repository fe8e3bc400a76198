// What an operator asks of the keys: an earlier rotation, and the retirement of one that leaked. Pure
// functions of the ring, the time and the policy.
import { current, inOrder, isSigning, upcoming } from './instants.ts'
import { planRing } from './plan.ts'
import {
  chained,
  endingAt,
  isElsewhere,
  order,
  rotatedAt,
  type Planned,
  type Planning,
} from './planned.ts'
import { linesOf, type Line } from './policy.ts'

/** Which rotation an operator asks for. */
export interface RotationOptions {
  /** Whether the next key signs now, although not every verifier may know it. */
  readonly atOnce: boolean
  /** Only this line; undefined: every line. */
  readonly line?: string | undefined
}

/**
 * Plans that the next key of each line signs earlier than it was to: as soon as it has been published for
 * `publishAheadMs`, or at once. In the moment after a rotation, when the next key isn't made yet, it only
 * makes that: nobody would know it.
 */
export function planRotation(
  ring: readonly Planned[],
  { atOnce, line }: RotationOptions,
  planning: Planning,
): Planned[] {
  const { now, policy } = planning
  const rotated = linesOf(policy)
    .filter(({ name }) => line === undefined || line === name)
    .reduce(
      (keys, { name }) => rotatedLine(keys, { line: name, atOnce }, planning),
      [...ring],
    )
  return planRing(rotated, now, policy)
}

function rotatedLine(
  ring: readonly Planned[],
  { line, atOnce }: RotationOptions,
  planning: Planning,
): Planned[] {
  const { now, policy } = planning
  const isOwn = (key: Planned) => key.line === line && !isElsewhere(key)
  const keys = ring.filter(isOwn)
  const publishAt = upcoming(keys, now)[0]?.publishAt ?? now
  const at = atOnce ? now : Math.max(now, publishAt + policy.publishAheadMs)
  return [...ring.filter(key => !isOwn(key)), ...rotatedAt(keys, at, planning)]
}

/**
 * Plans that a key is no longer there: it isn't published, and no token that it signed is good. In its line
 * the next key signs at once, which every verifier knows. After `switchAfterMs` a fresh key signs in every
 * line: only a `kid` that they don't know makes most verifiers fetch the keys again, and so forget the one
 * that was dropped.
 */
export function planRetirement(
  ring: readonly Planned[],
  { kid, switchAfterMs }: { readonly kid: string; readonly switchAfterMs: number },
  planning: Planning,
): Planned[] {
  const { now, policy } = planning
  const retired = ring.find(key => 'kid' in key && key.kid === kid)
  const rest = retired === undefined ? ring : without(ring, retired, planning)
  return linesOf(policy).reduce(
    (keys, line) => switched(keys, { line, at: now + switchAfterMs }, planning),
    planRing(rest, now, policy),
  )
}

// Also in a line that this server doesn't know the key before it goes on until the one after it: nobody else
// would close the gap.
function without(ring: readonly Planned[], gone: Planned, planning: Planning): Planned[] {
  const { now, policy } = planning
  const rest = ring.filter(key => key !== gone)
  if (isSigning(gone, now)) {
    return rotatedLine(rest, { line: gone.line, atOnce: true }, planning)
  }
  if (gone.signFrom <= now) return rest
  const sameLine = rest.filter(key => key.line === gone.line && !isElsewhere(key))
  const line = inOrder(sameLine)
  const before = line.findLast(key => key.signFrom <= gone.signFrom)
  const after = line.find(key => key.signFrom >= gone.signUntil)
  if (after === undefined) return rest
  const longer = (key: Planned) => endingAt(key, after.signFrom, policy)
  return rest.map(key => (key === before ? longer(key) : key))
}

function switched(
  ring: readonly Planned[],
  { line, at }: { readonly line: Line; readonly at: number },
  planning: Planning,
): Planned[] {
  const { now, policy } = planning
  const keys = ring.filter(key => key.line === line.name && !isElsewhere(key))
  const signer = current(keys, now)
  // A key that is made now is as fresh as it can be; a line that hasn't begun will begin with one.
  if (signer === undefined || !('kid' in signer)) return [...ring]
  const fresh = order(at, line, planning)
  const reserve = chained(upcoming(keys, now), fresh.signUntil, policy)
  return [
    ...ring.filter(key => !keys.includes(key) || key.signUntil <= now),
    endingAt(signer, at, policy),
    fresh,
    ...reserve,
  ]
}
