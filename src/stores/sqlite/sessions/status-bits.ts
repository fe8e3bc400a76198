// The living tokens and their status bits in SQLite. All of it runs inside the transaction of whoever calls.
import type { DatabaseSync } from 'node:sqlite'
import type { FamilyRef } from '../../ports/families.ts'
import {
  byList,
  listGoneAt,
  type NewStatusEntry,
  type StatusEntry,
} from '../../ports/status-lists.ts'
import type { Row } from '../database/row.ts'

/** How many expired tokens a new one takes along. */
const SWEEP = 20

export interface SqliteStatusBits {
  /** Notes a token that is about to be issued, if it has a status. */
  note(ref: FamilyRef, status: NewStatusEntry | undefined, now: number): void
  /** Sets bits, by list; makes a list known. */
  set(revoked: ReadonlyMap<string, readonly number[]>): void
  /** Sets the bits of a family's living tokens. */
  setOfFamily(ref: FamilyRef): void
  /** Sets the bits of a user's living tokens, but those of one session. */
  setOfUser(userTag: string, but?: string): void
}

export function createSqliteStatusBits(db: DatabaseSync): SqliteStatusBits {
  const insert = db.prepare(
    'INSERT INTO live_tokens (user_tag, sid, list, idx, expires_at) VALUES (?, ?, ?, ?, ?) ON ' +
      'CONFLICT DO NOTHING',
  )
  const sweep = db.prepare(`DELETE FROM live_tokens WHERE (user_tag, sid, list, idx) IN
    (SELECT user_tag, sid, list, idx FROM live_tokens WHERE expires_at <= ? LIMIT ?)`)
  const ofFamily = db.prepare(
    'SELECT list, idx FROM live_tokens WHERE user_tag = ? AND sid = ?',
  )
  const ofUser = db.prepare(
    'SELECT list, idx FROM live_tokens WHERE user_tag = ? AND sid <> ?',
  )
  const keep = db.prepare(
    'INSERT INTO status_lists (list, gone_at) VALUES (?, ?) ON CONFLICT DO NOTHING',
  )
  const count = db.prepare(
    'SELECT coalesce(max(place) + 1, 0) AS count FROM status_bits WHERE list = ?',
  )
  const setBit = db.prepare(
    'INSERT INTO status_bits (list, place, idx) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  )

  function set(revoked: ReadonlyMap<string, readonly number[]>): void {
    for (const [list, indices] of revoked) {
      keep.run(list, listGoneAt(list))
      let place = Number(count.get(list)?.['count'])
      for (const idx of indices) place += Number(setBit.run(list, place, idx).changes)
    }
  }

  return {
    note({ userTag, sid }, status, now) {
      if (status === undefined) return
      sweep.run(now, SWEEP)
      insert.run(userTag, sid, status.list, status.idx, Math.ceil(now + status.forMs))
    },
    set,
    setOfFamily: ({ userTag, sid }) =>
      set(byList(ofFamily.all(userTag, sid).map(entryOf))),
    // No session has an empty name.
    setOfUser: (userTag, but = '') => set(byList(ofUser.all(userTag, but).map(entryOf))),
  }
}

function entryOf(row: Row): StatusEntry {
  return { list: String(row['list']), idx: Number(row['idx']) }
}
