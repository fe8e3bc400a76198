// The rows of the refresh-token families. Each function is a statement; families.ts makes transactions of
// them.
import type { DatabaseSync } from 'node:sqlite'
import {
  NO_DEVICE,
  type Device,
  type FamilyRef,
  type Login,
  type Refusal,
} from '../../ports/families.ts'
import { type FoundFamily, FOUND_COLUMNS, foundFamily } from '../database/rows.ts'
import type { Row } from '../database/row.ts'
import { ACCOUNT_SQL, readHolder, type Holder } from '../people/account-columns.ts'
import { whyDead, type FamilyState } from './rules.ts'

/** How many dead rows one login takes along. */
const SWEEP = 20

/** A family with what its owner recognises it by. */
export interface ListedFamily extends FoundFamily {
  readonly device: Device
}

export interface FamilyRows {
  /** A family together with its user; undefined when either is gone. */
  find(ref: FamilyRef): FoundFamily | undefined
  /** All families of a user, the newest first. */
  ofUser(userTag: string): readonly ListedFamily[]
  /** The tag of the user who has the family of that sid; undefined when none is kept. */
  ownerOf(sid: string): string | undefined
  /** What the rules look at in the user's record; undefined when there is no such user. */
  holder(userTag: string): Holder | undefined
  insert(login: Login, now: number): void
  save(ref: FamilyRef, state: FamilyState): void
  /** Removes some of the families that are gone. */
  sweep(now: number): void
}

/** Prepares the statements. */
export function createFamilyRows(db: DatabaseSync): FamilyRows {
  const holder = db.prepare(ACCOUNT_SQL.byTag)
  const insert = db.prepare(`
    INSERT INTO families (
      user_tag, sid, client_id, jkt, scope, audience, epoch,
      prev, cur, cur_at, started_at, idle_until, ends_at, device_name, user_agent, network
    ) VALUES (
      :userTag, :sid, :clientId, :jkt, :scope, :audience, :sessionsEpoch,
      0, 1, :now, :now, :idleUntil, :endsAt, :deviceName, :userAgent, :network
    )`)
  const update = db.prepare(`
    UPDATE families
    SET prev = :prev, cur = :cur, cur_at = :curAt, idle_until = :idleUntil,
      ended = :ended, late_count = :lateCount
    WHERE user_tag = :userTag AND sid = :sid`)
  const ofUser = db.prepare(`
    SELECT ${FOUND_COLUMNS}, f.device_name, f.user_agent, f.network
    FROM families f JOIN users u ON u.tag = f.user_tag
    WHERE f.user_tag = ?
    ORDER BY f.started_at DESC, f.sid`)
  // A scan of the index families_gone_at, which has both columns.
  const owner = db.prepare('SELECT user_tag FROM families WHERE sid = ?')
  const sweep = db.prepare(`
    DELETE FROM families WHERE (user_tag, sid) IN
      (SELECT user_tag, sid FROM families WHERE gone_at <= ? LIMIT ?)`)

  return {
    find: familyFinder(db),
    ofUser: userTag => ofUser.all(userTag).map(listedFamily),
    ownerOf(sid) {
      const row = owner.get(sid)
      return row && String(row['user_tag'])
    },
    holder(userTag) {
      const row = holder.get(userTag)
      return row && readHolder(row)
    },
    insert(opened, now) {
      const { idleMs, absoluteMs, status: _, device = NO_DEVICE, ...login } = opened
      const endsAt = now + absoluteMs
      insert.run({
        ...login,
        deviceName: device.name ?? null,
        userAgent: device.userAgent ?? null,
        network: device.network ?? null,
        jkt: login.jkt ?? null,
        audience: JSON.stringify(login.audience),
        now,
        endsAt,
        idleUntil: Math.min(now + idleMs, endsAt),
      })
    },
    save({ userTag, sid }, { prev, cur, curAt, idleUntil, ended, lateCount }) {
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
    },
    sweep(now) {
      sweep.run(now, SWEEP)
    },
  }
}

function listedFamily(row: Row): ListedFamily {
  const text = (column: string) =>
    row[column] === null ? undefined : String(row[column])
  const [name, userAgent, network] = ['device_name', 'user_agent', 'network'].map(text)
  return { ...foundFamily(row), device: { name, userAgent, network } }
}

/** Finds a family together with its user; undefined when either is gone. */
export function familyFinder(
  db: DatabaseSync,
): (ref: FamilyRef) => FoundFamily | undefined {
  const select = db.prepare(`
    SELECT ${FOUND_COLUMNS}
    FROM families f JOIN users u ON u.tag = f.user_tag
    WHERE f.user_tag = ? AND f.sid = ?`)
  return function findFamily({ userTag, sid }) {
    const row = select.get(userTag, sid)
    return row === undefined ? undefined : foundFamily(row)
  }
}

interface Refused {
  readonly kind: 'refused'
  readonly reason: Refusal
}
interface Living extends FoundFamily {
  readonly kind: 'living'
}

/** R1 and R3: the family, or why it can't be used. */
export function living(found: FoundFamily | undefined, now: number): Refused | Living {
  if (found === undefined) return { kind: 'refused', reason: 'family_unknown' }
  const reason = whyDead(found.state, found.holder, now)
  return reason === undefined ? { kind: 'living', ...found } : { kind: 'refused', reason }
}
