// The record of refused logins in SQLite: one transaction adds to it and drops what is too much.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import {
  mergeRefusals,
  REFUSED_GROUPS,
  type LoginRefusal,
  type LoginRefusals,
  type RefusalBounds,
  type RefusedName,
} from '../../ports/logins/refusals.ts'
import { reading, writing } from '../database/database.ts'
import type { Row } from '../database/row.ts'

export function createSqliteLoginRefusals(db: DatabaseSync, clock: Clock): LoginRefusals {
  const { select, selectAll, upsert, expire, trim } = statementsOn(db)

  function addOne({ group, name, refusals }: RefusedName, most: number, at: number) {
    const merged = mergeRefusals(refusals, refusalsIn(select.get(group, name)), most)
    upsert.run({ group, name, refusals: JSON.stringify(merged), at })
  }

  function add(refused: readonly RefusedName[], bounds: RefusalBounds): void {
    const now = clock()
    for (const one of refused) addOne(one, bounds.refusals, now)
    expire.run(now - bounds.keepMs)
    for (const group of REFUSED_GROUPS) trim.run(group, bounds.names)
  }

  return {
    add: (refused, bounds) => writing(db, () => add(refused, bounds)),
    of: names =>
      reading(db, () => names.flatMap(name => selectAll.all(name).flatMap(refusalsIn))),
  }
}

function refusalsIn(row: Row | undefined): LoginRefusal[] {
  return row === undefined ? [] : JSON.parse(String(row['refusals']))
}

function statementsOn(db: DatabaseSync) {
  return {
    select: db.prepare('SELECT refusals FROM login_refusals WHERE kind = ? AND name = ?'),
    selectAll: db.prepare('SELECT refusals FROM login_refusals WHERE name = ?'),
    upsert: db.prepare(`
    INSERT INTO login_refusals (kind, name, refusals, last_at)
    VALUES (:group, :name, :refusals, :at)
    ON CONFLICT DO UPDATE SET refusals = :refusals, last_at = :at`),
    expire: db.prepare('DELETE FROM login_refusals WHERE last_at <= ?'),
    trim: db.prepare(`
    DELETE FROM login_refusals WHERE (kind, name) IN (
      SELECT kind, name FROM login_refusals WHERE kind = ?
      ORDER BY last_at DESC LIMIT -1 OFFSET ?)`),
  }
}
