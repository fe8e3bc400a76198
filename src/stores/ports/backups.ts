// What a store gives for its back-up: everything that it keeps in one file, and the way to put it back.

/** What a back-up has in it. */
export interface BackupContent {
  /** The back-up is as of this instant, or a little later; milliseconds by the store's clock. */
  readonly takenAt: number
  readonly accounts: number
  readonly sessions: number
  readonly revocations: number
}

/** Reports how much is done, from 0 to 1. */
export type ShowPart = (part: number) => void

export interface RestoreOptions {
  /** Whether what the store has is given up; without it only an empty store is restored. */
  readonly replace: boolean
  readonly showPart?: ShowPart
}

/** Back-ups of one store. Servers may run on it meanwhile. */
export interface Backups {
  /**
   * Writes everything into a new file that only its owner may read. Whatever was acknowledged before the call
   * is in it. Secrets that are sealed stay sealed.
   *
   * @throws BackupRefused when the file is there already; StoreUnavailable
   */
  save(file: string, showPart?: ShowPart): Promise<BackupContent>
  /**
   * Puts a back-up into the store. Servers answer 503 until all of it is there.
   *
   * @throws BackupRefused when the file is damaged or of another kind, or when the store has accounts and
   * they are not to be replaced; StoreUnavailable
   */
  restore(file: string, options: RestoreOptions): Promise<BackupContent>
}

export type BackupRefusal =
  | 'file_exists'
  | 'file_unreadable'
  | 'file_damaged'
  | 'file_newer'
  | 'store_newer'
  | 'store_not_empty'

/** A back-up that was not written, or not put back. Nothing was changed. */
export class BackupRefused extends Error {
  override readonly name = 'BackupRefused'
  readonly reason: BackupRefusal

  /** `message` names the file and what to do. */
  constructor(reason: BackupRefusal, message: string) {
    super(message)
    this.reason = reason
  }
}

/** For a file that can't be made or read. */
export function fileRefusal(file: string, error: unknown): BackupRefused {
  const { code = error } = Object(error)
  if (code === 'EEXIST') {
    return new BackupRefused('file_exists', `${file} is there already: name a new file`)
  }
  return new BackupRefused('file_unreadable', `${file} can't be used (${String(code)})`)
}

/** For a back-up in which a release that knows formats up to `known` would leave something out. */
export function newerBackup(file: string, format: number, known: number): BackupRefused {
  return new BackupRefused(
    'file_newer',
    `${file} can't be restored: a newer Latchkey has made it (format ${format}, this one knows ${known}): ` +
      'restore it with that release, or take a back-up from before it',
  )
}

/** For a store of which a release that knows formats up to `known` would leave something as it is. */
export function newerStore(format: number, known: number): BackupRefused {
  return new BackupRefused(
    'store_newer',
    `a newer Latchkey has added to the store (format ${format}, this one knows ${known}): ` +
      'restore with that release, or into a new file',
  )
}

/** For a store that has accounts. */
export function notEmpty(): BackupRefused {
  return new BackupRefused(
    'store_not_empty',
    'the store has accounts: restore into an empty store, or give up what it has with --replace',
  )
}
