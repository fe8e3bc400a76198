// The rules of the refresh family (docs/architecture.md) as pure functions: a record, what was presented and
// the time in; a verdict out.
import type { Family, Presented, Refusal, Wider } from '../../ports/families.ts'
import type { Holder } from '../people/account-columns.ts'

/** What the rules look at in a family's record. */
export interface FamilyState {
  readonly clientId: string
  readonly jkt: string | undefined
  readonly epoch: number
  readonly prev: number
  readonly cur: number
  /** When `cur` was reached. */
  readonly curAt: number
  readonly idleUntil: number
  readonly endsAt: number
  readonly ended: boolean
  readonly lateCount: number
}

type Change = Partial<
  Pick<FamilyState, 'prev' | 'cur' | 'curAt' | 'idleUntil' | 'ended' | 'lateCount'>
>

/** What happens to the family: the rule that fits and the fields that it changes. */
export type Verdict =
  | { readonly kind: 'refused'; readonly reason: Refusal }
  | {
      readonly kind: 'rotated' | 'replayed' | 'late' | 'healed' | 'reused'
      readonly change: Change
    }

type Rule = 'current' | 'retry' | 'late' | 'ahead' | 'stale'

/** How many lost exchanges R7 forgives. */
const HEALED_GENERATIONS = 2

/** The instant by which a family is judged: a clock that ran backwards counts as no time passed. */
export function instantFor(state: Pick<FamilyState, 'curAt'>, now: number): number {
  return Math.max(now, state.curAt)
}

/** R3: why a family can't be used by now; undefined while it lives. */
export function whyDead(
  state: FamilyState,
  holder: Holder,
  now: number,
): Refusal | undefined {
  const at = instantFor(state, now)
  if (state.ended) return 'family_ended'
  if (at >= state.endsAt) return 'family_expired'
  if (at >= state.idleUntil) return 'family_idle'
  return whyLocked(holder, state.epoch)
}

/** Why nobody may hold a session of this epoch; undefined when the user may. */
export function whyLocked(holder: Holder, epoch: number): Refusal | undefined {
  if (holder.disabled) return 'user_disabled'
  if (holder.sessionsEpoch !== epoch) return 'sessions_ended'
  return undefined
}

/** What the client asks for beyond what was granted; undefined when it asks for nothing more. */
export function whyWider(
  granted: Pick<Family, 'scope' | 'audience'>,
  { scope = [], audience = [] }: Pick<Presented, 'scope' | 'audience'>,
): Wider | undefined {
  const scopes = granted.scope.split(' ')
  if (!scope.every(token => scopes.includes(token))) return 'scope_wider'
  return audience.every(name => granted.audience.includes(name))
    ? undefined
    : 'audience_wider'
}

/** A family, and who holds it. */
export interface HeldFamily {
  readonly state: FamilyState
  readonly holder: Holder
}

/** R2 to R8 for a family that is there (R1). */
export function judge(
  { state, holder }: HeldFamily,
  presented: Presented,
  now: number,
): Verdict {
  if (state.clientId !== presented.clientId) {
    return { kind: 'refused', reason: 'client_mismatch' }
  } // R2
  if (state.jkt !== undefined && state.jkt !== presented.jkt) {
    return { kind: 'refused', reason: 'key_mismatch' }
  } // R2
  const reason = whyDead(state, holder, now)
  if (reason !== undefined) return { kind: 'refused', reason } // R3
  const at = instantFor(state, now)
  const advance = { curAt: at, idleUntil: Math.min(at + presented.idleMs, state.endsAt) }
  return verdictFor(state, presented, advance)[ruleFor(state, presented, at)]
}

type PresentedGeneration = Pick<Presented, 'generation' | 'reuseGraceMs'>

/**
 * Whether a generation would be exchanged without harm: as current, as a retry within the grace, or by
 * healing.
 */
export function isCurrent(
  state: FamilyState,
  presented: PresentedGeneration,
  now: number,
): boolean {
  const rule = ruleFor(state, presented, instantFor(state, now))
  return rule === 'current' || rule === 'retry' || rule === 'ahead'
}

function ruleFor(
  { prev, cur, curAt }: FamilyState,
  { generation, reuseGraceMs }: PresentedGeneration,
  at: number,
): Rule {
  if (generation === cur) return 'current'
  if (generation === prev) return at - curAt <= reuseGraceMs ? 'retry' : 'late'
  if (generation > cur && generation <= cur + HEALED_GENERATIONS) return 'ahead'
  return 'stale'
}

function verdictFor(
  state: FamilyState,
  presented: Presented,
  advance: Change,
): Readonly<Record<Rule, Verdict>> {
  const { generation, lateRetry } = presented
  const exchanged = { ...advance, prev: generation, cur: generation + 1 }
  const burned = {
    ...advance,
    cur: state.cur + 1,
    lateCount: state.lateCount + 1,
  }
  const reused: Verdict = { kind: 'reused', change: { ended: true } }
  return {
    current: { kind: 'rotated', change: exchanged }, // R4
    retry: { kind: 'replayed', change: {} }, // R5
    late: lateRetry === 'burn' ? { kind: 'late', change: burned } : reused, // R6
    ahead: { kind: 'healed', change: exchanged }, // R7
    stale: reused, // R8
  }
}
