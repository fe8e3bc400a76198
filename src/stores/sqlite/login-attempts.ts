// The count of failed logins in SQLite: one transaction before the password is looked at, one after.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../clock.ts'
import type {
  LoginAttempt,
  LoginAttempts,
  LoginLimits,
  LoginVerdict,
  SettledAttempt,
  ThrottledBy,
} from '../ports-logins.ts'
import { writing } from './database.ts'
import {
  countOne,
  forget,
  goneAt,
  noFailures,
  takeOneBack,
  waitOf,
  type FailureCount,
} from './login-rules.ts'
import type { Row } from './rows.ts'

/** How many dead rows one try takes along: more than it makes. */
const SWEEP = 20

const ALL = ['pair', 'network', 'password'] as const

export function createSqliteLoginAttempts(db: DatabaseSync, clock: Clock): LoginAttempts {
  const select = db.prepare(
    'SELECT failures, since, retry_at, known_until FROM login_counts WHERE kind = ? AND id = ?',
  )
  const upsert =
    db.prepare(`INSERT INTO login_counts (kind, id, failures, since, retry_at, known_until, gone_at)
    VALUES (:kind, :id, :failures, :since, :retryAt, :knownUntil, :goneAt)
    ON CONFLICT DO UPDATE SET failures = :failures, since = :since, retry_at = :retryAt, known_until = :knownUntil, gone_at = :goneAt`)
  const remove = db.prepare('DELETE FROM login_counts WHERE kind = ? AND id = ?')
  const sweep = db.prepare(
    'DELETE FROM login_counts WHERE (kind, id) IN (SELECT kind, id FROM login_counts WHERE gone_at ' +
      '<= ? LIMIT ?)',
  )

  function read(
    kind: ThrottledBy,
    attempt: LoginAttempt,
    limits: LoginLimits,
    now: number,
  ): FailureCount {
    const row = select.get(kind, attempt[kind])
    return forget(
      row === undefined ? noFailures(now) : countOf(row),
      limits[kind].forgetMs,
      now,
    )
  }

  function write(
    kind: ThrottledBy,
    attempt: LoginAttempt,
    limits: LoginLimits,
    now: number,
    count: FailureCount,
  ): void {
    const gone = goneAt(count, limits[kind].forgetMs)
    if (gone <= now) remove.run(kind, attempt[kind])
    else {
      upsert.run({
        kind,
        id: attempt[kind],
        ...count,
        goneAt: gone,
      })
    }
  }

  function wasRepeated({ repeat }: LoginAttempt, now: number): boolean {
    const row = select.get('repeat', repeat)
    return row !== undefined && countOf(row).retryAt > now
  }

  function begin(attempt: LoginAttempt, limits: LoginLimits): LoginVerdict {
    const now = clock()
    sweep.run(now, SWEEP)
    const known = read('pair', attempt, limits, now).knownUntil > now
    if (wasRepeated(attempt, now)) return { kind: 'repeated' }
    const counts = countedFor(known).map(kind => ({
      kind,
      count: read(kind, attempt, limits, now),
    }))
    for (const { kind, count } of counts) {
      const retryAfterMs = waitOf(count, limits.maxDelayMs, now)
      if (retryAfterMs > 0) return { kind: 'throttled', by: kind, retryAfterMs }
    }
    for (const { kind, count } of counts) {
      write(
        kind,
        attempt,
        limits,
        now,
        countOne(count, limits[kind], limits.maxDelayMs, now),
      )
    }
    return { kind: 'admitted', known }
  }

  function settle(attempt: SettledAttempt): void {
    const { limits, known, result, repeatMs, knownForMs } = attempt
    const now = clock()
    if (result === 'failed') {
      upsert.run({
        kind: 'repeat',
        id: attempt.repeat,
        ...noFailures(now),
        retryAt: now + repeatMs,
        goneAt: now + repeatMs,
      })
      return
    }
    for (const kind of countedFor(known)) {
      const count = takeOneBack(read(kind, attempt, limits, now), limits[kind])
      const won = kind === 'pair' && result === 'succeeded'
      write(
        kind,
        attempt,
        limits,
        now,
        won ? { ...noFailures(now), knownUntil: now + knownForMs } : count,
      )
    }
  }

  return {
    begin: (attempt, limits) => writing(db, () => begin(attempt, limits)),
    settle: attempt => writing(db, () => settle(attempt)),
  }
}

// A known pair is judged by its own count.
function countedFor(known: boolean): readonly ThrottledBy[] {
  return known ? ['pair'] : ALL
}

function countOf(row: Row): FailureCount {
  return {
    failures: Number(row['failures']),
    since: Number(row['since']),
    retryAt: Number(row['retry_at']),
    knownUntil: Number(row['known_until']),
  }
}
