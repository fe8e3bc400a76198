// A folder of back-ups, as a timer fills it: each is named after its store and the instant of its begin, and
// the oldest go. A file has such a name only when it is whole.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileRefusal } from '../../stores/ports/backups.ts'
import { countOf } from '../terminal/words.ts'

/** Other files in the folder are nobody's business here. */
const NAME = /^latchkey-(?<owner>[\da-f]{8})-\d{4}-\d\d-\d\dT\d{6}Z\.backup$/
/** A back-up that is being made lies in a folder of its own, beside the others. */
const UNFINISHED = /^\.(?<name>.+)\.part$/
/** Whoever still makes a back-up has written to it since. */
const ABANDONED_MS = 3_600_000

/** Where the back-ups of one store go. */
export interface BackupFolder {
  readonly path: string
  /** What sets its files apart from those of other stores. */
  readonly owner: string
}

/** What says which store it is. */
interface Whose {
  readonly issuer: string
  readonly store: { readonly url: string }
}

/** What was taken away. */
export interface Removal {
  readonly removed: number
  /** For people: what stayed though it should have gone, or may surprise. */
  readonly warnings: readonly string[]
}

type Remove = typeof rm

/** What sets the files of this store apart: two of an issuer are two stores at two URLs. */
export function ownerOf({ issuer, store }: Whose): string {
  // Another password is the same store.
  const place = store.url.replace(/\/\/.*@/, '//')
  return createHash('sha256').update(`${issuer}\n${place}`).digest('hex').slice(0, 8)
}

/** The file for a back-up that begins at `now`, in milliseconds. */
export function backupFile({ path, owner }: BackupFolder, now: number): string {
  const instant = new Date(now).toISOString().slice(0, 19).replaceAll(':', '')
  return join(path, `latchkey-${owner}-${instant}Z.backup`)
}

/**
 * Has `file` of the folder made by `save`, elsewhere at first: it gets its name when it is whole, and on the
 * disk. What runs that were killed have left goes before.
 *
 * @throws BackupRefused when the file is there already or can't be made; whatever `save` throws
 */
export async function saveWhole<T>(
  folder: BackupFolder,
  file: string,
  save: (part: string) => Promise<T>,
): Promise<{ readonly content: T; readonly unfinished: Removal }> {
  const refuse = (error: unknown) => {
    throw fileRefusal(file, error)
  }
  const work = join(folder.path, `.${basename(file)}.part`)
  // Of two runs with the same name one is refused here, so that neither takes the other's place below.
  await mkdir(work, { mode: 0o700 }).catch(refuse)
  try {
    if (existsSync(file)) refuse({ code: 'EEXIST' })
    const unfinished = await removeUnfinished(folder, work)
    const part = join(work, basename(file))
    const content = await save(part)
    await moveTo(file, { part, folder: folder.path }).catch(refuse)
    return { content, unfinished }
  } finally {
    // Where that fails the next run does it.
    await Promise.allSettled([rm(work, { recursive: true, force: true })])
  }
}

/** A power cut leaves the whole file, or none of that name. */
async function moveTo(
  file: string,
  { part, folder }: { readonly part: string; readonly folder: string },
): Promise<void> {
  await syncToDisk(part)
  await rename(part, file)
  await syncToDisk(folder)
}

async function syncToDisk(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

/** Takes away what killed runs have left: not written to for an hour, by the folder's own clock. */
async function removeUnfinished(folder: BackupFolder, work: string): Promise<Removal> {
  return orWarning(folder, async () => {
    const before = (await lastWrite(work)) - ABANDONED_MS
    const entries = await readdir(folder.path, { withFileTypes: true })
    const others = entries
      .filter(entry => entry.isDirectory())
      .filter(({ name }) => isOf(folder, UNFINISHED.exec(name)?.groups?.['name'] ?? ''))
      .map(({ name }) => join(folder.path, name))
    const looks = await Promise.allSettled(
      others.map(async path => ({ path, isOld: (await lastWrite(path)) < before })),
    )
    // One that could not be looked at is just being finished.
    const old = looks.flatMap(look =>
      look.status === 'fulfilled' && look.value.isOld ? [look.value.path] : [],
    )
    return removeAll(old, rm)
  })
}

async function lastWrite(path: string): Promise<number> {
  const names = await readdir(path)
  const all = [path, ...names.map(name => join(path, name))]
  const stats = await Promise.all(all.map(name => stat(name)))
  return Math.max(...stats.map(({ mtimeMs }) => mtimeMs))
}

/**
 * Removes all back-ups of the store but `newest` and the ones just before it, `keep` in all. A file that says
 * it is later is left alone: some clock was wrong, and nobody knows which.
 */
export async function removeOld(
  folder: BackupFolder,
  {
    keep,
    newest,
    remove = rm,
  }: { readonly keep: number; readonly newest: string; readonly remove?: Remove },
): Promise<Removal> {
  return orWarning(folder, async () => {
    const own = basename(newest)
    const entries = await readdir(folder.path, { withFileTypes: true })
    const names = entries
      .filter(entry => entry.isFile() && isOf(folder, entry.name))
      .map(({ name }) => name)
      .toSorted()
    const older = names.filter(name => name < own)
    const later = names.filter(name => name > own)
    const old = older.slice(0, Math.max(0, older.length - keep + 1))
    const { removed, warnings } = await removeAll(
      old.map(name => join(folder.path, name)),
      remove,
    )
    return { removed, warnings: [...warnings, ...laterWords(folder, later)] }
  })
}

function isOf({ owner }: BackupFolder, name: string): boolean {
  return NAME.exec(name)?.groups?.['owner'] === owner
}

async function removeAll(paths: readonly string[], remove: Remove): Promise<Removal> {
  const warnings: string[] = []
  for (const path of paths) {
    try {
      // Another run may have taken it away.
      await remove(path, { recursive: true, force: true })
    } catch (error) {
      warnings.push(`${path} can't be removed (${codeOf(error)})`)
    }
  }
  return { removed: paths.length - warnings.length, warnings }
}

/** What isn't tidied is no fault of the back-up. */
async function orWarning(
  { path }: BackupFolder,
  tidy: () => Promise<Removal>,
): Promise<Removal> {
  return tidy().catch((error: unknown) => ({
    removed: 0,
    warnings: [`${path} can't be tidied (${codeOf(error)})`],
  }))
}

function codeOf(error: unknown): string {
  return String(Object(error).code ?? error)
}

function laterWords({ path }: BackupFolder, later: readonly string[]): string[] {
  if (later.length === 0) return []
  return [
    `${countOf(later.length, 'back-up')} in ${path} with a later time than this one stayed, and didn't ` +
      `count (${later.join(', ')}): a clock is or was wrong`,
  ]
}
