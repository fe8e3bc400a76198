// Writes of one turn of the event loop share a transaction, as waiting for the disk is the dearest part of
// each. Every write is answered when all of them are on the disk. One that fails is undone to its savepoint
// and takes no other along.
import type { DatabaseSync } from 'node:sqlite'
import { monotonicClock } from '../../../base/clock.ts'
import { isBusy, unavailable } from './faults.ts'
import { BUSY_MS, PAUSE_MS } from './patience.ts'

/**
 * How long a transaction holds the event loop, in ms, before the rest waits for the next turn; the sync not
 * counted.
 */
const GROUP_MS = 8

/** Runs one atomic step; resolves when it is on the disk, rejects with StoreUnavailable. */
export type Write = <T>(work: () => T) => Promise<T>

interface Step {
  /** Does the work; returns what answers the caller. */
  readonly run: () => () => void
  readonly refuse: (error: unknown) => void
  /** Until when it waits for another process. */
  readonly deadline: number
}

/** Makes what writes to this connection; nothing else may begin a transaction on it. */
export function createGroupCommits(db: DatabaseSync): Write {
  const transaction = transactionOn(db)
  let waiting: Step[] = []
  let isScheduled = false

  function commitWaiting(): void {
    isScheduled = false
    const steps = waiting
    waiting = []
    commit(steps)
  }

  function commit(steps: readonly Step[]): void {
    try {
      const answers = transaction(steps)
      for (const answer of answers) answer()
      const rest = steps.slice(answers.length)
      if (rest.length > 0) putBack(rest, () => setImmediate(commitWaiting))
    } catch (error) {
      const [step, ...others] = steps
      if (isBusy(error)) waitFor(steps, error)
      else if (others.length === 0) step?.refuse(error)
      // The transaction itself failed: whose fault it was shows when each has one of its own.
      else for (const one of steps) commit([one])
    }
  }

  function waitFor(steps: readonly Step[], error: unknown): void {
    const now = monotonicClock()
    for (const step of steps) if (step.deadline < now) step.refuse(error)
    putBack(
      steps.filter(({ deadline }) => deadline >= now),
      () => setTimeout(commitWaiting, PAUSE_MS),
    )
  }

  function putBack(steps: readonly Step[], schedule: () => void): void {
    waiting = [...steps, ...waiting]
    if (waiting.length > 0 && !isScheduled) schedule()
    isScheduled = waiting.length > 0
  }

  return work =>
    new Promise((resolve, reject) => {
      waiting.push({
        run() {
          const value = work()
          return () => resolve(value)
        },
        refuse: error => reject(unavailable(error)),
        deadline: monotonicClock() + BUSY_MS,
      })
      if (!isScheduled) setImmediate(commitWaiting)
      isScheduled = true
    })
}

/**
 * Does steps in one transaction, the first ones of them where all would take too long. Returns what answers
 * the callers of those that were done; throws when the transaction as a whole failed.
 */
function transactionOn(
  db: DatabaseSync,
): (steps: readonly Step[]) => readonly (() => void)[] {
  const save = db.prepare('SAVEPOINT step')
  const release = db.prepare('RELEASE step')
  const end = db.prepare('COMMIT')

  function take(step: Step): () => void {
    save.run()
    try {
      const answer = step.run()
      release.run()
      return answer
    } catch (error) {
      // A full disk, for one, undoes the whole transaction.
      if (!db.isTransaction || isBusy(error)) throw error
      db.exec('ROLLBACK TO step; RELEASE step')
      return () => step.refuse(error)
    }
  }

  return steps => {
    // It takes the write lock first, so that what a step reads is what it changes.
    db.exec('BEGIN IMMEDIATE')
    try {
      const until = monotonicClock() + GROUP_MS
      const answers: (() => void)[] = []
      for (const step of steps) {
        if (answers.length > 0 && monotonicClock() > until) break
        answers.push(take(step))
      }
      end.run()
      return answers
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }
}
