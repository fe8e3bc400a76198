// The outbox in SQLite: a row for each item. A lease moves the instant at which the item is due.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import type { Lease, OutboxItems, Queue, TakenItem } from '../ports/outbox.ts'
import { reading, writing } from './database/database.ts'
import type { Row } from './database/row.ts'

/** Makes the outbox of this store. */
export function createSqliteOutbox(db: DatabaseSync, clock: Clock): OutboxItems {
  const { insert, due, lease, remove, postpone, backlog } = statementsOn(db)
  const waiting = (way: Queue) => Number(backlog.get({ way })?.['n'])

  return {
    append: (items, most) =>
      writing(db, () => {
        const now = clock()
        // One whose id is there already is not added again.
        const added = items.filter(item => insert.run({ ...item, now }).changes === 1)
        if (added.every(({ way }) => waiting(way) <= most)) return true
        for (const { id } of added) remove.run({ id, tries: 0 })
        return false
      }),
    take: (way, limit, leaseMs) =>
      writing(db, () => {
        const now = clock()
        const rows = due.all({ way, now, limit })
        for (const { id } of rows) lease.run({ id: String(id), dueAt: now + leaseMs })
        return rows.map(row => takenOf(row, way, now))
      }),
    remove: ({ id, tries }: Lease) =>
      writing(db, () => remove.run({ id, tries }).changes === 1),
    postpone: ({ id, tries }, delayMs) =>
      writing(
        db,
        () => postpone.run({ id, tries, dueAt: clock() + delayMs }).changes === 1,
      ),
    backlog: way =>
      reading(db, () => {
        const row = backlog.get({ way })
        const since = row?.['oldest'] ?? clock()
        const oldestMs = Math.max(0, clock() - Number(since))
        return { length: Number(row?.['n']), oldestMs }
      }),
  }
}

function takenOf(row: Row, way: Queue, now: number): TakenItem {
  return {
    id: String(row['id']),
    way,
    content: String(row['content']),
    tries: Number(row['tries']) + 1,
    // A clock that ran backwards counts as no time passed.
    ageMs: Math.max(0, now - Number(row['appended_at'])),
  }
}

function statementsOn(db: DatabaseSync) {
  return {
    insert: db.prepare(`INSERT INTO outbox (id, way, content, tries, appended_at, due_at)
      VALUES (:id, :way, :content, 0, :now, :now) ON CONFLICT DO NOTHING`),
    due: db.prepare(`SELECT id, content, tries, appended_at FROM outbox
      WHERE way = :way AND due_at <= :now ORDER BY due_at LIMIT :limit`),
    lease: db.prepare(
      'UPDATE outbox SET tries = tries + 1, due_at = :dueAt WHERE id = :id',
    ),
    remove: db.prepare('DELETE FROM outbox WHERE id = :id AND tries = :tries'),
    postpone: db.prepare(
      'UPDATE outbox SET due_at = :dueAt WHERE id = :id AND tries = :tries',
    ),
    backlog: db.prepare(
      'SELECT count(*) AS n, min(appended_at) AS oldest FROM outbox WHERE way = :way',
    ),
  }
}
