// The refresh family as docs/architecture.md describes it: a reference written from the page alone, without a
// look at the rules or the scripts. It is not made to be fast or atomic, but to be read.
import type { User } from '../../src/stores/ports/subjects.ts'

export interface ModelFamily {
  client: string
  prev: number
  cur: number
  curAt: number
  idleUntil: number
  readonly endsAt: number
  readonly epoch: number
  readonly startedAt: number
  lateCount: number
  ended: boolean
  /** A store may forget a family that is past its ends: from then on `family_unknown` is right as well. */
  mayBeForgotten: boolean
}

export interface ModelUser {
  disabled: boolean
  epoch: number
  /** What tokens say of the user from now on. */
  attributes: User['attributes']
}

export interface ModelPolicy {
  readonly idleMs: number
  readonly absoluteMs: number
  readonly graceMs: number
}

export interface ModelOutcome {
  readonly kind: string
  readonly reason?: string
  readonly generation?: number
}

export class FamilyModel {
  readonly user: ModelUser = { disabled: false, epoch: 1, attributes: {} }
  readonly policy: ModelPolicy
  now: number

  constructor(policy: ModelPolicy, now: number) {
    this.policy = policy
    this.now = now
  }

  /** "At login: prev, cur = 0, 1." */
  login(client: string): ModelFamily | undefined {
    if (this.user.disabled) return undefined
    const endsAt = this.now + this.policy.absoluteMs
    return {
      client,
      endsAt,
      prev: 0,
      cur: 1,
      curAt: this.now,
      startedAt: this.now,
      idleUntil: Math.min(this.now + this.policy.idleMs, endsAt),
      epoch: this.user.epoch,
      lateCount: 0,
      ended: false,
      mayBeForgotten: false,
    }
  }

  refresh(
    family: ModelFamily,
    t: number,
    client: string,
    lateRetry: 'burn' | 'refuse',
  ): ModelOutcome {
    // R2
    if (family.client !== client) return { kind: 'refused', reason: 'client_mismatch' }
    // R3
    const dead = this.whyDead(family)
    if (dead !== undefined) return { kind: 'refused', reason: dead }

    const passed = this.passedSince(family)
    if (t === family.cur) {
      // R4
      family.prev = family.cur
      family.cur += 1
      this.noteTime(family, passed)
      return { kind: 'rotated', generation: family.cur }
    }
    if (t === family.prev && passed <= this.policy.graceMs) {
      return { kind: 'replayed', generation: family.cur }
    } // R5
    if (t === family.prev && lateRetry === 'burn') {
      // R6
      family.cur += 1
      family.lateCount += 1
      this.noteTime(family, passed)
      return { kind: 'late', generation: family.cur }
    }
    if (t === family.cur + 1 || t === family.cur + 2) {
      // R7
      family.prev = t
      family.cur = t + 1
      this.noteTime(family, passed)
      return { kind: 'healed', generation: family.cur }
    }
    family.ended = true // R8
    return { kind: 'reused' }
  }

  peek(family: ModelFamily, t: number): ModelOutcome {
    const dead = this.whyDead(family)
    if (dead !== undefined) return { kind: 'refused', reason: dead }
    const inGrace = t === family.prev && this.passedSince(family) <= this.policy.graceMs
    if (inGrace || [0, 1, 2].includes(t - family.cur)) return { kind: 'active' }
    return { kind: 'refused', reason: 'superseded' }
  }

  revoke(family: ModelFamily): string {
    const outcome = this.whyDead(family) === undefined ? 'ended' : 'already_ended'
    family.ended = true
    return outcome
  }

  /** Whether its access tokens live. */
  check(family: ModelFamily): ModelOutcome {
    const dead = this.whyDead(family)
    return dead === undefined ? { kind: 'active' } : { kind: 'refused', reason: dead }
  }

  /** "Ended, idle or absolute end passed, user disabled or all sessions ended since." */
  whyDead(family: ModelFamily): string | undefined {
    const time = family.curAt + this.passedSince(family)
    if (family.ended) return 'family_ended'
    if (time >= family.endsAt) return 'family_expired'
    if (time >= family.idleUntil) return 'family_idle'
    if (this.user.disabled) return 'user_disabled'
    if (this.user.epoch > family.epoch) return 'sessions_ended'
    return undefined
  }

  /** "A clock that ran backwards counts as no time passed." */
  private passedSince(family: ModelFamily): number {
    return this.now < family.curAt ? 0 : this.now - family.curAt
  }

  private noteTime(family: ModelFamily, passed: number): void {
    family.curAt += passed
    family.idleUntil = Math.min(family.curAt + this.policy.idleMs, family.endsAt)
  }
}
