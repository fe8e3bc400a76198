// The refresh-token families in SQLite: each call one transaction, each verdict from rules.ts.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type {
  EndOutcome,
  EndRequest,
  Families,
  FamilyRef,
  Login,
  OpenOutcome,
  PeekOutcome,
  Presented,
  Refusal,
  RotateOutcome,
  Session,
} from '../../ports/families.ts'
import { reading, writing } from '../database/database.ts'
import {
  type FoundFamily,
  FOUND_COLUMNS,
  foundFamily,
  holderOf,
} from '../database/rows.ts'
import {
  isCurrent,
  judge,
  whyDead,
  whyLocked,
  whyWider,
  type FamilyState,
} from './rules.ts'
import { createSqliteStatusBits } from './status-bits.ts'

/** How many dead rows one login takes along. */
const SWEEP = 20

interface Refused {
  readonly kind: 'refused'
  readonly reason: Refusal
}
interface Living extends FoundFamily {
  readonly kind: 'living'
}

export function createSqliteFamilies(db: DatabaseSync, clock: Clock): Families {
  const find = familyFinder(db)
  const bits = createSqliteStatusBits(db)
  const holder = db.prepare('SELECT disabled, epoch FROM users WHERE tag = ?')
  const insert =
    db.prepare(`INSERT INTO families (user_tag, sid, client_id, jkt, scope, audience, epoch, prev, cur, cur_at, started_at, idle_until, ends_at)
    VALUES (:userTag, :sid, :clientId, :jkt, :scope, :audience, :epoch, 0, 1, :now, :now, :idleUntil, :endsAt)`)
  const update =
    db.prepare(`UPDATE families SET prev = :prev, cur = :cur, cur_at = :curAt, idle_until = :idleUntil, ended = :ended,
    late_count = :lateCount WHERE user_tag = :userTag AND sid = :sid`)
  const ofUser =
    db.prepare(`SELECT ${FOUND_COLUMNS} FROM families f JOIN users u ON u.tag = f.user_tag WHERE f.user_tag = ?
    ORDER BY f.started_at DESC, f.sid`)
  const sweep = db.prepare(
    'DELETE FROM families WHERE (user_tag, sid) IN (SELECT user_tag, sid FROM families WHERE ' +
      'gone_at <= ? LIMIT ?)',
  )

  function save(
    { userTag, sid }: FamilyRef,
    { prev, cur, curAt, idleUntil, ended, lateCount }: FamilyState,
  ): void {
    update.run({
      userTag,
      sid,
      prev,
      cur,
      curAt,
      idleUntil,
      ended: Number(ended),
      lateCount,
    })
  }

  function start(
    { idleMs, absoluteMs, status: _status, ...login }: Login,
    now: number,
  ): void {
    const endsAt = now + absoluteMs
    insert.run({
      ...login,
      jkt: login.jkt ?? null,
      audience: JSON.stringify(login.audience),
      now,
      endsAt,
      idleUntil: Math.min(now + idleMs, endsAt),
    })
  }

  function open(login: Login): OpenOutcome {
    const now = clock()
    const user = holder.get(login.userTag)
    if (user === undefined) return { kind: 'refused', reason: 'user_unknown' }
    const locked = whyLocked(holderOf(user), login.epoch)
    if (locked !== undefined) return { kind: 'refused', reason: locked }
    if (find(login) === undefined) start(login, now)
    const found = living(find(login), now)
    sweep.run(now, SWEEP)
    if (found.kind === 'refused') return found
    bits.note(login, login.status, now)
    return { kind: 'opened', family: found.family, user: found.user }
  }

  function rotate(presented: Presented): RotateOutcome {
    const found = find(presented)
    if (found === undefined) return { kind: 'refused', reason: 'family_unknown' } // R1
    const now = clock()
    const verdict = judge(found, presented, now)
    if (verdict.kind === 'refused') return verdict
    const wider =
      verdict.kind === 'reused' ? undefined : whyWider(found.family, presented)
    if (wider !== undefined) return { kind: 'refused', reason: wider }
    const state = { ...found.state, ...verdict.change }
    if (verdict.kind !== 'replayed') save(presented, state)
    const family = { ...found.family, idleUntil: state.idleUntil }
    if (verdict.kind === 'reused') {
      bits.setOfFamily(presented)
      return { kind: 'reused', family, user: found.user }
    }
    bits.note(presented, presented.status, now)
    return {
      kind: verdict.kind,
      generation: state.cur,
      family,
      user: found.user,
    }
  }

  function peek({
    generation,
    reuseGraceMs,
    ...ref
  }: Parameters<Families['peek']>[0]): PeekOutcome {
    const now = clock()
    const found = living(find(ref), now)
    if (found.kind === 'refused') return found
    if (!isCurrent(found.state, { generation, reuseGraceMs }, now)) {
      return { kind: 'refused', reason: 'superseded' }
    }
    return { kind: 'active', family: found.family, user: found.user }
  }

  function end({ clientId, ...ref }: EndRequest): EndOutcome {
    const found = find(ref)
    if (found === undefined) return 'family_unknown'
    if (clientId !== null && clientId !== found.family.clientId) return 'client_mismatch'
    const reason = whyDead(found.state, found.holder, clock())
    // A family that is dead by the clock gets its tombstone too: the clock may go back, the answer may not.
    save(ref, { ...found.state, ended: true })
    bits.setOfFamily(ref)
    return reason === undefined ? 'ended' : 'already_ended'
  }

  function list(userTag: string): readonly Session[] {
    const now = clock()
    const found = ofUser.all(userTag).map(foundFamily)
    return found
      .filter(({ state, holder }) => whyDead(state, holder, now) === undefined)
      .map(sessionOf)
  }

  return {
    open: login => writing(db, () => open(login)),
    rotate: presented => writing(db, () => rotate(presented)),
    peek: presented => reading(() => peek(presented)),
    end: request => writing(db, () => end(request)),
    list: userTag => reading(() => list(userTag)),
  }
}

/** Finds a family together with its user; undefined when either is gone. */
export function familyFinder(
  db: DatabaseSync,
): (ref: FamilyRef) => FoundFamily | undefined {
  const select = db.prepare(
    `SELECT ${FOUND_COLUMNS} FROM families f JOIN users u ON u.tag = f.user_tag WHERE f.user_tag = ` +
      '? AND f.sid = ?',
  )
  return ({ userTag, sid }) => {
    const row = select.get(userTag, sid)
    return row === undefined ? undefined : foundFamily(row)
  }
}

/** R1 and R3. */
export function living(found: FoundFamily | undefined, now: number): Refused | Living {
  if (found === undefined) return { kind: 'refused', reason: 'family_unknown' }
  const reason = whyDead(found.state, found.holder, now)
  return reason === undefined ? { kind: 'living', ...found } : { kind: 'refused', reason }
}

function sessionOf({ family, state }: FoundFamily): Session {
  return { ...family, generation: state.cur, lateCount: state.lateCount }
}
