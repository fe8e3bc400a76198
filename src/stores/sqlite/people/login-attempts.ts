// The count of failed logins in SQLite: one transaction before the password is looked at, one after.
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/clock.ts'
import type {
  LoginAttempt,
  LoginAttempts,
  LoginCount,
  LoginVerdict,
  SettledAttempt,
} from '../../ports/login-attempts.ts'
import { reading, writing } from '../database/database.ts'
import {
  countOne,
  forget,
  goneAt,
  noFailures,
  takeOneBack,
  waitOf,
  type FailureCount,
} from './login-rules.ts'
import type { Row } from '../database/row.ts'

/** How many dead rows one try takes along: more than it makes. */
const SWEEP = 20

export function createSqliteLoginAttempts(db: DatabaseSync, clock: Clock): LoginAttempts {
  const statements = statementsOn(db)
  const { select, upsert, sweep } = statements
  const { read, write } = countsOn(statements)

  function wasRepeated({ repeat }: LoginAttempt, now: number): boolean {
    const row = select.get('repeat', repeat)
    return row !== undefined && countOf(row).retryAt > now
  }

  function areWelcome(pairs: readonly LoginCount[], maxDelayMs: number): boolean[] {
    const now = clock()
    return pairs.map(pair => {
      const count = read(pair, now)
      return count.knownUntil > now && waitOf(count, maxDelayMs, now) === 0
    })
  }

  function begin(attempt: LoginAttempt): LoginVerdict {
    const { pair, maxDelayMs } = attempt
    const now = clock()
    sweep.run(now, SWEEP)
    if (wasRepeated(attempt, now)) return { kind: 'repeated' }
    const known = read(pair, now).knownUntil > now
    const counts = judgedBy(attempt, known).map(of => ({ of, count: read(of, now) }))
    for (const { of, count } of counts) {
      const retryAfterMs = waitOf(count, maxDelayMs, now)
      if (retryAfterMs > 0) return { kind: 'throttled', by: of.by, retryAfterMs }
    }
    for (const { of, count } of counts) {
      write(of, countOne(count, { ...of.limit, maxDelayMs }, now), now)
    }
    return { kind: 'admitted', known }
  }

  function settle(attempt: SettledAttempt): void {
    const { pair, known, result, repeatMs, knownForMs } = attempt
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
    for (const of of judgedBy(attempt, known)) {
      const won = of === pair && result === 'succeeded'
      const count = won
        ? { ...noFailures(now), knownUntil: now + knownForMs }
        : takeOneBack(read(of, now), of.limit)
      write(of, count, now)
    }
  }

  function forgetPairs(pairs: readonly LoginCount[]): number {
    const now = clock()
    const failed = pairs
      .map(of => ({ of, count: read(of, now) }))
      .filter(({ count }) => count.failures > 0 || count.retryAt > now)
    for (const { of, count } of failed) {
      write(of, { ...noFailures(now), knownUntil: count.knownUntil }, now)
    }
    return failed.length
  }

  return {
    areWelcome: (pairs, maxDelayMs) => reading(db, () => areWelcome(pairs, maxDelayMs)),
    begin: attempt => writing(db, () => begin(attempt)),
    settle: attempt => writing(db, () => settle(attempt)),
    forget: pairs => writing(db, () => forgetPairs(pairs)),
  }
}

// A known pair is judged by its own count.
function judgedBy({ pair, others }: LoginAttempt, known: boolean): readonly LoginCount[] {
  return known ? [pair] : [pair, ...others]
}

function countOf(row: Row): FailureCount {
  return {
    failures: Number(row['failures']),
    since: Number(row['since']),
    retryAt: Number(row['retry_at']),
    knownUntil: Number(row['known_until']),
  }
}

/** Reads counts as they are now, and writes them; one that says nothing more goes. */
function countsOn({
  select,
  upsert,
  remove,
}: Pick<ReturnType<typeof statementsOn>, 'select' | 'upsert' | 'remove'>) {
  return {
    read({ by, id, limit }: LoginCount, now: number): FailureCount {
      const row = select.get(by, id)
      const count = row === undefined ? noFailures(now) : countOf(row)
      return forget(count, limit.forgetMs, now)
    },
    write({ by, id, limit }: LoginCount, count: FailureCount, now: number): void {
      const gone = goneAt(count, limit.forgetMs)
      if (gone <= now) remove.run(by, id)
      else upsert.run({ kind: by, id, ...count, goneAt: gone })
    },
  }
}

function statementsOn(db: DatabaseSync) {
  return {
    select: db.prepare(
      'SELECT failures, since, retry_at, known_until FROM login_counts WHERE kind = ? AND id = ?',
    ),
    upsert: db.prepare(`
    INSERT INTO login_counts (kind, id, failures, since, retry_at, known_until, gone_at)
    VALUES (:kind, :id, :failures, :since, :retryAt, :knownUntil, :goneAt)
    ON CONFLICT DO UPDATE SET failures = :failures, since = :since, retry_at = :retryAt,
      known_until = :knownUntil, gone_at = :goneAt`),
    remove: db.prepare('DELETE FROM login_counts WHERE kind = ? AND id = ?'),
    sweep: db.prepare(
      'DELETE FROM login_counts WHERE (kind, id) IN (SELECT kind, id FROM login_counts WHERE gone_at ' +
        '<= ? LIMIT ?)',
    ),
  }
}
