// Back-ups of Redis by its ordinary commands, so that they work where nobody may copy its files: a managed
// Redis, a cluster. Keys are read one after the other while servers go on; what was acknowledged before the
// back-up began is in it.
import { setTimeout as wait } from 'node:timers/promises'
import {
  newerBackup,
  notEmpty,
  type Backups,
  type RestoreOptions,
  type ShowPart,
} from '../../ports/backups.ts'
import {
  checkBackupFile,
  readBackupFile,
  writeBackupFile,
  type BackupRecord,
} from './backup-file.ts'
import { Count } from './count.ts'
import { claimOf, isKept, nameRecords, readKey, writeKey } from './records.ts'
import { again, batches, scan, sizeOf, type Ask } from './walk.ts'
import { markAfter } from '../safety/identity-marks.ts'
import type { FormatMark } from '../safety/format.ts'
import type { Caller } from '../connection/caller.ts'
import type { RedisKeys } from '../redis-keys.ts'

export interface RedisBackupsOptions {
  /** Calls through it are not refused while the store's data is missing. */
  readonly link: Caller
  readonly keys: RedisKeys
  /** The names of all marks of the store's identity. */
  readonly marks: readonly string[]
  readonly format: Pick<FormatMark, 'read' | 'known'>
  /** Redis' clock in milliseconds. */
  readonly now: () => Promise<number>
}

/** A restore that was given up keeps servers from taking a half of it for the whole. */
const LOST_MS = 3_600_000
/**
 * A server that has just missed the store's identity reports the loss a moment later, on a busy machine after
 * more than a second: so often, and so far apart, its report is taken back.
 */
const NOTICES = 8
const NOTICE_MS = 250

/** Makes the back-ups of this store. */
export function createRedisBackups(options: RedisBackupsOptions): Backups {
  const { link, keys, marks, format, now } = options
  const [main = ''] = marks
  const ask: Ask = work => again(() => link.run(work))

  async function* recordsOf(
    content: Count,
    showPart: ShowPart,
  ): AsyncGenerator<BackupRecord> {
    const total = await sizeOf(link)
    let done = 0
    for await (const names of scan(link, keys.every)) {
      const kept = names.filter(name => isKept(name, keys))
      for (const record of await Promise.all(
        kept.map(name => ask(readKey(name, keys, now))),
      )) {
        if (record === undefined) continue
        content.add(record)
        yield record
      }
      done += names.length
      showPart(Math.min(1, done / total))
    }
    // After the accounts: whoever was added meanwhile is there with the name, or not at all.
    yield* nameRecords(ask, keys)
  }

  /** Servers answer 503 from now on: they miss the store's identity. Gives what it was. */
  async function withdraw(): Promise<string | null> {
    const before = await ask(client => client.get(main))
    await ask(client => client.set(keys.lost, 1, 'PX', LOST_MS))
    for (const mark of marks) await ask(client => client.del(mark))
    for await (const names of scan(link, keys.every)) {
      const gone = names.filter(name => name !== keys.lost && !marks.includes(name))
      await Promise.all(gone.map(name => ask(client => client.unlink(name))))
    }
    return before
  }

  /**
   * Servers go on. Those that run have to put back what they know of, so the identity that they knew gets a
   * successor; where nobody knew one it is that of the back-up.
   */
  async function admit(before: string | null, mark: string | undefined): Promise<void> {
    const announced = await ask(client => client.get(main))
    const text = announced ?? (before === null ? mark : markAfter(before))
    if (text !== undefined) {
      await Promise.all(marks.map(name => ask(client => client.set(name, text))))
    }
    await ask(client => client.del(keys.lost))
    for (let times = 0; times < NOTICES; times++) {
      await wait(NOTICE_MS)
      await ask(client => client.del(keys.lost))
    }
  }

  return {
    async save(file, showPart = () => {}) {
      const content = new Count(await now())
      const mark = (await ask(client => client.get(main))) ?? undefined
      const { readableFrom } = await again(() => format.read())
      const header = { takenAt: content.takenAt, mark, readableFrom }
      await writeBackupFile(file, header, recordsOf(content, showPart))
      return content.sum()
    },

    async restore(file: string, { replace, showPart = () => {} }: RestoreOptions) {
      const { takenAt, mark, count, readableFrom } = await checkBackupFile(file)
      if (readableFrom > format.known) {
        throw newerBackup(file, readableFrom, format.known)
      }
      if (!replace && (await ask(client => client.exists(keys.names))) === 1) {
        throw notEmpty()
      }
      const content = new Count(takenAt)
      const before = await withdraw()
      const at = await now()
      let done = 0
      for await (const records of batches(readBackupFile(file))) {
        await Promise.all(records.map(record => ask(writeKey(record, keys, at))))
        await Promise.all(records.flatMap(record => claimOf(record, keys, ask)))
        for (const record of records) content.add(record)
        done += records.length
        showPart(done / count)
      }
      await admit(before, mark)
      return content.sum()
    },
  }
}
