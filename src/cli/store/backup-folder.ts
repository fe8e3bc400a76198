// A folder of back-ups, as a timer fills it: each is named after the instant of its begin, and the oldest go.
import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileRefusal } from '../../stores/ports/backups.ts'

/** Other files in the folder are nobody's business here. */
const NAME = /^latchkey-\d{4}-\d\d-\d\dT\d{6}Z\.backup$/

/** The file in `folder` for a back-up that begins at `now`, in milliseconds. */
export function backupFile(folder: string, now: number): string {
  const instant = new Date(now).toISOString().slice(0, 19).replaceAll(':', '')
  return join(folder, `latchkey-${instant}Z.backup`)
}

/**
 * Removes all back-ups of a folder but the newest ones.
 *
 * @returns how many went
 * @throws BackupRefused when one can't be removed
 */
export async function removeOld(folder: string, keep: number): Promise<number> {
  const names = (await readdir(folder)).filter(name => NAME.test(name)).toSorted()
  const old = names.slice(0, -keep)
  for (const name of old) {
    const file = join(folder, name)
    await unlink(file).catch((error: unknown) => {
      throw fileRefusal(file, error)
    })
  }
  return old.length
}
