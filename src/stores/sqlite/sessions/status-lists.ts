// The status lists in SQLite: leasing indices, and reading what was revoked.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import { systemRandom, type Random } from '../../../base/random.ts'
import {
  BLOCK_SIZE,
  BLOCKS,
  newListName,
  type BlockOwner,
  type KnownOfList,
  type OwnedBlock,
  type StatusBlock,
  type StatusLists,
  type StatusNews,
} from '../../ports/status-lists.ts'
import { reading, writing } from '../database/database.ts'
import type { Row } from '../database/row.ts'
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
  const own =
    db.prepare(`INSERT INTO status_owners (list, place, block, credential, since)
    SELECT ?, coalesce(max(place) + 1, 0), ?, ?, ? FROM status_owners WHERE list = ?`)
  const sweep = db.prepare('DELETE FROM status_lists WHERE gone_at <= ?')
  const kept = db.prepare(`
    SELECT list,
      (SELECT coalesce(max(place) + 1, 0) FROM status_bits b WHERE b.list = l.list) AS count,
      (SELECT coalesce(max(place) + 1, 0) FROM status_owners o WHERE o.list = l.list) AS owned
    FROM status_lists l WHERE gone_at > ?`)
  const since = db.prepare(
    'SELECT idx FROM status_bits WHERE list = ? AND place >= ? ORDER BY place',
  )

  const ownedSince = db.prepare(`SELECT block, credential, since FROM status_owners
    WHERE list = ? AND place >= ? ORDER BY place`)

  function newList(hour: number): string {
    const list = newListName(hour, random)
    bits.set(new Map([[list, []]]))
    return list
  }

  function leaseOne(hour: number, owner: BlockOwner | undefined): StatusBlock {
    sweep.run(clock())
    const newest = current.get(`${hour}-*`)
    const list = String(newest?.['list'] ?? newList(hour))
    const leases = leased.all(list)
    const taken = new Set(leases.map(({ block }) => block))
    let block = random.int(BLOCKS)
    while (taken.has(block)) block = (block + 1) % BLOCKS
    lease.run(list, block)
    if (owner !== undefined) own.run(list, block, owner.credential, owner.since, list)
    return { list, first: block * BLOCK_SIZE }
  }

  function newsOf(row: Row, known: ReadonlyMap<string, KnownOfList>): StatusNews {
    const list = String(row['list'])
    const count = Number(row['count'])
    const ownedCount = Number(row['owned'])
    const { revoked = 0, owned = 0 } = known.get(list) ?? {}
    // Most have nothing new: the rows are asked for only where there are some.
    const later = (rows: StatementSync, all: number, from: number) =>
      all === from ? [] : rows.all(list, all < from ? 0 : from)
    return {
      list,
      count,
      revoked: later(since, count, revoked).map(({ idx }) => Number(idx)),
      ownedCount,
      owned: later(ownedSince, ownedCount, owned).map(blockOf),
    }
  }

  return {
    lease: (hour, owner) => writing(db, () => leaseOne(hour, owner)),
    revoke: revoked => writing(db, () => bits.set(revoked)),
    read: known => reading(db, () => kept.all(clock()).map(row => newsOf(row, known))),
  }
}

function blockOf({ block, credential, since }: Row): OwnedBlock {
  return {
    first: Number(block) * BLOCK_SIZE,
    credential: String(credential),
    since: Number(since),
  }
}
