// latchkey store backup, latchkey store restore
import { InvalidArgumentError, Option, type Command } from 'commander'
import { printable } from '../../base/printable.ts'
import {
  BackupRefused,
  type BackupContent,
  type ShowPart,
} from '../../stores/ports/backups.ts'
import { createBar } from '../terminal/bar.ts'
import type { Io } from '../terminal/io.ts'
import { operator } from '../terminal/operator.ts'
import { Refused } from '../terminal/refused.ts'
import { withStoreAlone, type StoreTools } from '../tools.ts'
import { countOf } from '../terminal/words.ts'
import {
  backupFile,
  ownerOf,
  removeOld,
  saveWhole,
  type BackupFolder,
  type Removal,
} from './backup-folder.ts'

interface BackupOptions {
  readonly into?: string
  readonly keep?: number
}

const MINUTE_MS = 60_000

/** Adds `backup` and `restore` to `store`. */
export function addStoreBackup(store: Command, io: Io): void {
  store
    .command('backup')
    .description('write everything that the store keeps into a new file')
    .argument('[file]')
    .option('--into <folder>', 'into a file of this folder, named after store and time')
    .addOption(
      new Option(
        '--keep <number>',
        'with --into: remove all but the newest back-ups of this store, once the new one is whole',
      ).argParser(readKeep),
    )
    .addHelpText(
      'after',
      `
Servers go on meanwhile. Accounts, sessions, revocations and keys are in the
file as of the command's begin; what is sealed under "secrets" stays sealed.
Keep the secrets elsewhere: together they are every hash and every signing key.

Examples:
  latchkey store backup latchkey-2026-11-28.backup
  latchkey store backup --into backups --keep 14
`,
    )
    .action(withStoreAlone(io, backUp))
  store
    .command('restore')
    .description('put a back-up into the store')
    .argument('<file>')
    .option('--replace', 'give up the accounts and sessions that the store has')
    .addHelpText(
      'after',
      `
Only an empty store is restored, unless --replace is there. Servers may run:
they answer 503 until all of it is back. Sessions, revocations and passwords
are as old as the back-up. Use the "secrets" of its time.

Example:
  latchkey store restore latchkey-2026-11-28.backup
`,
    )
    .action(withStoreAlone(io, restore))
}

async function backUp(
  tools: StoreTools,
  name: string | undefined,
  { into, keep }: BackupOptions,
): Promise<void> {
  if (name !== undefined && into === undefined && keep === undefined) {
    const { io, backups } = tools
    printSaved(tools, name, await withBar(io, showPart => backups.save(name, showPart)))
  } else if (name === undefined && into !== undefined) {
    const folder = { path: into, owner: ownerOf(tools.config) }
    await backUpInto(tools, folder, keep)
  } else {
    throw new Refused(
      'target_unclear',
      'name a file, or a folder by --into, which --keep goes with',
    )
  }
}

async function backUpInto(
  tools: StoreTools,
  folder: BackupFolder,
  keep: number | undefined,
): Promise<void> {
  const { io, backups, store } = tools
  const file = backupFile(folder, await store.now())
  const { content, unfinished } = await withBar(io, showPart =>
    saveWhole(folder, file, part => backups.save(part, showPart)),
  )
  printSaved(tools, file, content)
  printRemoved(tools, 'unfinished back-up', unfinished)
  if (keep === undefined) return
  printRemoved(tools, 'older back-up', await removeOld(folder, { keep, newest: file }))
}

function printSaved({ print }: StoreTools, file: string, content: BackupContent): void {
  print(
    { outcome: 'backed_up', file, ...content },
    `backed up into ${file}: ${countsOf(content)}, as of ${instantOf(content)}`,
  )
}

function printRemoved(
  { io, remark }: StoreTools,
  what: string,
  { removed, warnings }: Removal,
): void {
  if (removed > 0) remark(`removed ${countOf(removed, what)}`)
  for (const warning of warnings) {
    io.stderr.write(`${printable(`latchkey: ${warning}`)}\n`)
  }
}

async function restore(
  { io, backups, store, emit, print }: StoreTools,
  file: string,
  { replace = false }: { replace?: boolean },
): Promise<void> {
  const content = await withBar(io, showPart =>
    backups.restore(file, { replace, showPart }),
  )
  const { takenAt, accounts, sessions, revocations } = content
  emit({
    type: 'store.restored',
    takenAt,
    accounts,
    sessions,
    revocations,
    replaced: replace,
    actor: operator(),
  })
  const ageMs = Math.max(0, (await store.now()) - content.takenAt)
  const age = countOf(Math.round(ageMs / MINUTE_MS), 'minute')
  print({ outcome: 'restored', file, ...content, ageMs }, [
    `restored from ${file}: ${countsOf(content)}, as of ${instantOf(content)}`,
    `Everything in it is ${age} old: what was added, changed or revoked since is not there, and a ` +
      'session that was refreshed since may have to log in again.',
  ])
}

function readKeep(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new InvalidArgumentError('A whole number from 1 to 9999.')
  }
  return Number(text)
}

async function withBar<T>(io: Io, work: (showPart: ShowPart) => Promise<T>): Promise<T> {
  const bar = createBar(io)
  try {
    return await work(part => bar.show(part, '')).catch(explain)
  } finally {
    bar.clear()
  }
}

function explain(error: unknown): never {
  if (error instanceof BackupRefused) throw new Refused(error.reason, error.message)
  throw error
}

function countsOf({ accounts, sessions, revocations }: BackupContent): string {
  return [
    countOf(accounts, 'account'),
    countOf(sessions, 'session'),
    countOf(revocations, 'revoked token'),
  ].join(', ')
}

function instantOf({ takenAt }: BackupContent): string {
  return new Date(takenAt).toISOString()
}
