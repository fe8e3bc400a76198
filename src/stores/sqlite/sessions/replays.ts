// What may be used once, in SQLite: a row until nobody would take the id any more.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type { Replays } from '../../ports/replays.ts'
import { writing } from '../database/database.ts'

/** How many expired ids a new one takes along. */
const SWEEP = 20

export function createSqliteReplays(db: DatabaseSync, clock: Clock): Replays {
  const insert = db.prepare(`INSERT INTO replays (id, expires_at) VALUES (:id, :expiresAt)
    ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at WHERE expires_at <= :now`)
  const sweep = db.prepare(
    'DELETE FROM replays WHERE id IN (SELECT id FROM replays WHERE expires_at <= ? LIMIT ?)',
  )

  return {
    once: (id, forMs) =>
      writing(db, () => {
        const now = clock()
        sweep.run(now, SWEEP)
        return insert.run({ id, now, expiresAt: now + forMs }).changes === 1
      }),
  }
}
