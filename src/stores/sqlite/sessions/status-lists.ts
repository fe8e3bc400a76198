// The status lists in SQLite: leasing indices, and reading what was revoked.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import { systemRandom, type Random } from '../../../base/random.ts'
import {
  BLOCK_SIZE,
  BLOCKS,
  newListName,
  type StatusBlock,
  type StatusLists,
  type StatusNews,
} from '../../ports/status-lists.ts'
import { reading, writing } from '../database/database.ts'
import { createSqliteStatusBits } from './status-bits.ts'

export function createSqliteStatusLists(
  db: DatabaseSync,
  clock: Clock,
  random: Random = systemRandom,
): StatusLists {
  const bits = createSqliteStatusBits(db)
  // A name begins with its hour.
  const current = db.prepare(`SELECT list FROM status_lists l WHERE list GLOB ?
    AND (SELECT count(*) FROM status_blocks b WHERE b.list = l.list) < ${BLOCKS} LIMIT 1`)
  const leased = db.prepare('SELECT block FROM status_blocks WHERE list = ?')
  const lease = db.prepare('INSERT INTO status_blocks (list, block) VALUES (?, ?)')
  const sweep = db.prepare('DELETE FROM status_lists WHERE gone_at <= ?')
  const kept = db.prepare(`
    SELECT list,
      (SELECT coalesce(max(place) + 1, 0) FROM status_bits b WHERE b.list = l.list) AS count
    FROM status_lists l WHERE gone_at > ?`)
  const since = db.prepare(
    'SELECT idx FROM status_bits WHERE list = ? AND place >= ? ORDER BY place',
  )

  function newList(hour: number): string {
    const list = newListName(hour, random)
    bits.set(new Map([[list, []]]))
    return list
  }

  function leaseOne(hour: number): StatusBlock {
    sweep.run(clock())
    const list = String(current.get(`${hour}-*`)?.['list'] ?? newList(hour))
    const taken = new Set(leased.all(list).map(({ block }) => block))
    let block = random.int(BLOCKS)
    while (taken.has(block)) block = (block + 1) % BLOCKS
    lease.run(list, block)
    return { list, first: block * BLOCK_SIZE }
  }

  function newsOf(list: string, count: number, known: number): StatusNews {
    const revoked =
      count === known
        ? []
        : since.all(list, count < known ? 0 : known).map(({ idx }) => Number(idx))
    return { list, count, revoked }
  }

  return {
    lease: hour => writing(db, () => leaseOne(hour)),
    revoke: revoked => writing(db, () => bits.set(revoked)),
    read: known =>
      reading(() =>
        kept
          .all(clock())
          .map(({ list, count }) =>
            newsOf(String(list), Number(count), known.get(String(list)) ?? 0),
          ),
      ),
  }
}
