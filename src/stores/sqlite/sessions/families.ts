// The refresh-token families in SQLite: each call one atomic step, each verdict from rules.ts.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type {
  EndOutcome,
  EndRequest,
  Families,
  Login,
  OpenOutcome,
  PeekOutcome,
  Presented,
  RotateOutcome,
  Session,
} from '../../ports/families.ts'
import { reading, writing } from '../database/database.ts'
import {
  createFamilyRows,
  living,
  type FamilyRows,
  type ListedFamily,
} from './family-rows.ts'
import { isCurrent, judge, whyDead, whyLocked, whyWider } from './rules.ts'
import { createSqliteStatusBits, type SqliteStatusBits } from './status-bits.ts'

/** What a transaction reads and writes. */
interface Tables {
  readonly rows: FamilyRows
  readonly bits: SqliteStatusBits
}

/** Makes the families of this file; each call rejects with StoreUnavailable when the file can't be used. */
export function createSqliteFamilies(db: DatabaseSync, clock: Clock): Families {
  const rows = createFamilyRows(db)
  const tables = { rows, bits: createSqliteStatusBits(db) }
  return {
    open: login => writing(db, () => open(tables, login, clock())),
    rotate: presented => writing(db, () => rotate(tables, presented, clock())),
    peek: presented => reading(db, () => peek(rows, presented, clock())),
    end: request => writing(db, () => end(tables, request, clock())),
    list: userTag => reading(db, () => list(rows, userTag, clock())),
    ownerOf: sid => reading(db, () => rows.ownerOf(sid)),
  }
}

function open({ rows, bits }: Tables, login: Login, now: number): OpenOutcome {
  const holder = rows.holder(login.userTag)
  if (holder === undefined) return { kind: 'refused', reason: 'user_unknown' }
  const locked = whyLocked(holder, login.sessionsEpoch)
  if (locked !== undefined) return { kind: 'refused', reason: locked }
  if (rows.find(login) === undefined) rows.insert(login, now)
  const found = living(rows.find(login), now)
  rows.sweep(now)
  if (found.kind === 'refused') return found
  bits.note(login, login.status, now)
  return { kind: 'opened', family: found.family, user: found.user }
}

function rotate(
  { rows, bits }: Tables,
  presented: Presented,
  now: number,
): RotateOutcome {
  const found = rows.find(presented)
  if (found === undefined) return { kind: 'refused', reason: 'family_unknown' } // R1
  const verdict = judge(found, presented, now)
  if (verdict.kind === 'refused') return verdict
  const wider = verdict.kind === 'reused' ? undefined : whyWider(found.family, presented)
  if (wider !== undefined) return { kind: 'refused', reason: wider }
  const state = { ...found.state, ...verdict.change }
  if (verdict.kind !== 'replayed') rows.save(presented, state)
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

function peek(
  rows: FamilyRows,
  { generation, reuseGraceMs, ...ref }: Parameters<Families['peek']>[0],
  now: number,
): PeekOutcome {
  const found = living(rows.find(ref), now)
  if (found.kind === 'refused') return found
  if (!isCurrent(found.state, { generation, reuseGraceMs }, now)) {
    return { kind: 'refused', reason: 'superseded' }
  }
  return { kind: 'active', family: found.family, user: found.user }
}

function end(
  { rows, bits }: Tables,
  { clientId, ...ref }: EndRequest,
  now: number,
): EndOutcome {
  const found = rows.find(ref)
  if (found === undefined) return 'family_unknown'
  if (clientId !== null && clientId !== found.family.clientId) return 'client_mismatch'
  const reason = whyDead(found.state, found.holder, now)
  // A family that is dead by the clock gets its tombstone too: the clock may go back, the answer may not.
  rows.save(ref, { ...found.state, ended: true })
  bits.setOfFamily(ref)
  return reason === undefined ? 'ended' : 'already_ended'
}

function list(rows: FamilyRows, userTag: string, now: number): readonly Session[] {
  return rows
    .ofUser(userTag)
    .filter(({ state, holder }) => whyDead(state, holder, now) === undefined)
    .map(sessionOf)
}

function sessionOf({ family, state, device }: ListedFamily): Session {
  return {
    ...family,
    device,
    lastUsedAt: state.curAt,
    generation: state.cur,
    lateCount: state.lateCount,
  }
}
