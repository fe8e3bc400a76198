// Writes share a transaction, as waiting for the disk is the dearest part of each: those of one turn of the
// event loop, or those that came while the one before went to the disk. Every write is answered when all of
// them are on the disk. One that fails is undone to its savepoint and takes no other along.
import type { DatabaseSync } from 'node:sqlite'
import { monotonicClock } from '../../../base/clock.ts'
import { isBusy, unavailable } from './faults.ts'
import type { Log } from './log.ts'
import { BUSY_MS, createDiskWatch, type DiskWatch, PAUSE_MS } from './patience.ts'

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
  /** Whether it has a transaction of its own. */
  readonly isAlone: boolean
}

/** What reads and writes on one connection. */
export interface GroupCommits {
  readonly write: Write
  /**
   * Reads; what was read is on the disk when it resolves. Rejects with what the work throws, LostLog or
   * StuckDisk.
   */
  read<T>(work: () => T): Promise<T>
  /** Whether the disk doesn't answer. */
  isStuck(): boolean
}

/** How patient it is. */
export interface Patience {
  /** How long the disk may take, in ms; default ten seconds. */
  readonly stuckMs?: number | undefined
  /** How long another process may have the file, in ms; default one second. */
  readonly busyMs?: number | undefined
}

/** Makes it; nothing else may begin a transaction on this connection. */
export function createGroupCommits(
  db: DatabaseSync,
  log: Log,
  { stuckMs, busyMs = BUSY_MS }: Patience = {},
): GroupCommits {
  const transaction = transactionOn(db)
  let waiting: Step[] = []
  const disk = createDiskWatch(error => {
    for (const step of waiting) step.refuse(error)
    waiting = []
  }, stuckMs)
  const sync = createGroupSync(log, disk)
  /** From when something waits until all of it is done. */
  let isWriting = false

  async function commitWaiting(): Promise<void> {
    // Those that go alone are the first ones.
    const count = waiting[0]?.isAlone === true ? 1 : waiting.length
    const steps = waiting.slice(0, count)
    waiting = waiting.slice(count)
    const answers = attempt(steps)
    if (answers === undefined) return
    // What was committed is never done again, whatever comes now.
    waiting = [...steps.slice(answers.length), ...waiting]
    await sync.answer(steps.slice(0, answers.length), answers)
    goOn([])
  }

  /** Commits; where that fails, it says how it goes on, and returns undefined. */
  function attempt(steps: readonly Step[]): readonly (() => void)[] | undefined {
    try {
      log.check()
      return transaction(steps)
    } catch (error) {
      const [step, ...others] = steps
      if (isBusy(error)) waitWith(steps, error)
      // The transaction itself failed: whose fault it was shows when each has one of its own.
      else if (others.length > 0) goOn(steps.map(one => ({ ...one, isAlone: true })))
      else {
        step?.refuse(error)
        goOn([])
      }
      return undefined
    }
  }

  function waitWith(steps: readonly Step[], error: unknown): void {
    const now = monotonicClock()
    const all = [...steps, ...waiting]
    for (const step of all) if (step.deadline < now) step.refuse(error)
    waiting = []
    goOn(
      all.filter(({ deadline }) => deadline >= now),
      () => setTimeout(commitWaiting, PAUSE_MS),
    )
  }

  /** These come first. */
  function goOn(
    steps: readonly Step[],
    schedule: () => unknown = () => setImmediate(commitWaiting),
  ): void {
    waiting = [...steps, ...waiting]
    isWriting = waiting.length > 0
    if (isWriting) schedule()
  }

  return {
    write: work =>
      new Promise((resolve, reject) => {
        const step: Step = {
          run() {
            const value = work()
            return () => resolve(value)
          },
          refuse: error => reject(unavailable(error)),
          deadline: monotonicClock() + busyMs,
          isAlone: false,
        }
        const stuck = disk.stuck()
        if (stuck !== undefined) return step.refuse(stuck)
        waiting.push(step)
        if (!isWriting) setImmediate(commitWaiting)
        isWriting = true
      }),
    async read(work) {
      log.check()
      undoLeftOver(db)
      const value = work()
      await sync.lasting()
      return value
    },
    isStuck: () => disk.stuck() !== undefined,
  }
}

/** The wait of a transaction for the disk, and of those who read it meanwhile. */
function createGroupSync(log: Log, disk: DiskWatch) {
  let syncing: Promise<void> | undefined
  return {
    /** The sync of what was committed last, while it lasts; rejects with StuckDisk once it lasts too long. */
    lasting: () => syncing,
    /** Answers when it is on the disk, or is stuck; resolves when the disk is free. Never rejects. */
    async answer(
      steps: readonly Step[],
      answers: readonly (() => void)[],
    ): Promise<void> {
      const synced = log.sync()
      syncing = disk.watch(synced)
      try {
        await syncing
        for (const answer of answers) answer()
      } catch (error) {
        for (const step of steps) step.refuse(error)
      }
      await Promise.allSettled([synced])
      syncing = undefined
      const tidied = log.tidy()
      // Who waits for it is refused by the watch.
      disk.watch(tidied).catch(() => {})
      await Promise.allSettled([tidied])
    },
  }
}

/** A transaction that couldn't be undone when it failed. */
function undoLeftOver(db: DatabaseSync): void {
  if (db.isTransaction) db.exec('ROLLBACK')
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
    undoLeftOver(db)
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
      undoLeftOver(db)
      throw error
    }
  }
}
