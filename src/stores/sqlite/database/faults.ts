// What SQLite's errors mean to the store and to whoever runs it.
import { StoreUnavailable } from '../../ports/unavailable.ts'

// SQLite's result codes; what stands in the bits above them is detail.
const BUSY = 5
const READ_ONLY = 8
const FAILED = 10
const CORRUPT = 11
const FULL = 13
const NO_DATABASE = 26

/** What a call meets that is nobody's fault but the machine's. */
const REASONS: ReadonlyMap<number, string> = new Map([
  [BUSY, "another process holds SQLite's file for over a second"],
  [READ_ONLY, "SQLite's file may not be written"],
  [FAILED, "the disk with SQLite's file fails"],
  [FULL, "the disk with SQLite's file is full"],
])

/** The check of the pages found one that no other may hold, or the like. */
export class DamagedPages extends Error {
  override readonly name = 'DamagedPages'
}

/** The disk couldn't keep what was committed. */
export class LostLog extends Error {
  override readonly name = 'LostLog'

  constructor(cause: unknown) {
    super(
      `the disk with SQLite's file fails (${reasonOf(cause)}), so what was written last may be lost: ` +
        'nothing is read or written until Latchkey is started anew',
      { cause },
    )
  }
}

/** The disk has not answered for a while; what it was given may be on it or not. */
export class StuckDisk extends Error {
  override readonly name = 'StuckDisk'

  constructor() {
    super("the disk with SQLite's file doesn't answer")
  }
}

/** Whether another connection holds a lock: a moment later it may be free. */
export function isBusy(error: unknown): boolean {
  return codeOf(error) === BUSY
}

/**
 * A call that failed. Its message tells whoever reads the log what is the matter with the file, and what to
 * do about it.
 */
export function unavailable(error: unknown): StoreUnavailable {
  if (isDamage(error)) {
    return new StoreUnavailable(error, adviceOn("SQLite's file", error))
  }
  if (error instanceof LostLog || error instanceof StuckDisk) {
    return new StoreUnavailable(error, error.message)
  }
  const reason = REASONS.get(codeOf(error)) ?? `SQLite says: ${reasonOf(error)}`
  return new StoreUnavailable(error, reason)
}

/** A file that could not be opened; says so, and what to do about it. */
export function unusable(file: string, error: unknown): StoreUnavailable {
  const message = isDamage(error)
    ? adviceOn(`the SQLite file ${file}`, error)
    : `the SQLite file ${file} can't be used: ${reasonOf(error)}`
  return new StoreUnavailable(new Error(message, { cause: error }), message)
}

function isDamage(error: unknown): boolean {
  return error instanceof DamagedPages || [CORRUPT, NO_DATABASE].includes(codeOf(error))
}

function adviceOn(what: string, error: unknown): string {
  return (
    `${what} is damaged (${reasonOf(error)}). Stop every Latchkey on it, keep a copy of it and of ` +
    'the -wal file beside it, then restore a back-up, ' +
    'or save what can be read: sqlite3 latchkey.db .recover | sqlite3 saved.db (docs/operations.md, ' +
    '"Disaster")'
  )
}

function codeOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
}

/** What an error says, on one line and without the error's name. */
export function reasonOf(error: unknown): string {
  return String(error)
    .replace(/^\w+: /, '')
    .replaceAll(/\s+/g, ' ')
}
