// Back-ups of Redis by its ordinary commands, so that they work where nobody may copy its files: a managed
// Redis, a cluster. Keys are read one after the other while servers go on; what was acknowledged before the
// back-up began is in it.
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
import {
  claimsOf,
  hasNames,
  isClaims,
  isIndex,
  isKept,
  nameRecords,
  readKey,
  writeKey,
} from './records.ts'
import { createHandover, type HandoverOptions } from './handover.ts'
import { again, batches, scan, sizeOf, type Ask } from './walk.ts'
import type { Names } from '../people/claims/names.ts'
import type { FormatMark } from '../safety/format.ts'

export interface RedisBackupsOptions extends HandoverOptions {
  readonly format: Pick<FormatMark, 'read' | 'known'>
  readonly names: Names
  /** Redis' clock in milliseconds. */
  readonly now: () => Promise<number>
}

/** Makes the back-ups of this store. */
export function createRedisBackups(options: RedisBackupsOptions): Backups {
  const { link, keys, marks, format, names, now } = options
  const [main = ''] = marks
  const { withdraw, admit } = createHandover(options)
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
    yield* nameRecords(ask, { keys, names })
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
      if (!replace && (await hasNames(ask, names))) {
        throw notEmpty()
      }
      const content = new Count(takenAt)
      const before = await withdraw()
      await again(() => names.begin())
      const at = await now()
      let done = 0
      for await (const records of batches(readBackupFile(file))) {
        const kept = records.filter(
          record => !isClaims(record, keys) && !isIndex(record, keys),
        )
        await Promise.all(kept.map(record => ask(writeKey(record, keys, at))))
        await Promise.all(kept.flatMap(record => claimsOf(record, keys, ask)))
        for (const record of records) content.add(record)
        done += records.length
        showPart(done / count)
      }
      // The back-up may have brought an earlier format's mark.
      await again(() => names.begin())
      await admit(before, mark)
      return content.sum()
    },
  }
}
