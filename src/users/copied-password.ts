// A password that a directory elsewhere has accepted and that is kept here, too (`migrate: copy`). It is kept
// whatever it is, so that nobody is locked out, and noted where nobody could have set it here.
import type { Emit } from '../base/events/events.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { LoginTry } from './authenticate.ts'
import type { Directory } from './directory/directory.ts'
import type { ExternalSettings } from './directory/external.ts'
import type { Hashing } from './hashing/hasher.ts'
import { NO_PASSWORD } from './hashing/no-password.ts'
import type { CheckNewPassword } from './new-password.ts'
import { asChecked, mustChangePassword, noteRequiredChange } from './required-change.ts'

/** Told of passwords that could not be checked. */
export interface CopiedPasswordWatch {
  /** The list of breached passwords can't be read: whether they must be changed stays as it was. */
  unchecked(directory: string, error: unknown): void
}

/**
 * Makes the step that keeps the password here, too. Another one than before was set there, which ends what
 * was granted by the one of before.
 */
export function createCopyPassword(
  directory: Pick<Directory, 'upgradePassword' | 'setPassword' | 'byTag'>,
) {
  return async (
    hashing: Hashing,
    account: Account,
    password: string,
  ): Promise<Account> => {
    const { tag, passwordHash } = account
    const isFirst = passwordHash === NO_PASSWORD
    if (!isFirst && (await hashing.verify(passwordHash, password))) return account
    const made = await hashing.hash(password)
    if (isFirst) {
      await directory.upgradePassword(account, made)
      return asChecked(directory, { ...account, passwordHash: made })
    }
    await directory.setPassword(tag, made)
    return (await directory.byTag(tag)) ?? account
  }
}

/** What the review is made of. */
export interface ReviewOptions {
  readonly directory: Pick<Directory, 'byTag' | 'changePending'>
  readonly checkNewPassword: CheckNewPassword
  readonly emit: Emit
  readonly watch: CopiedPasswordWatch
}

/**
 * Makes the step that notes whether a password must be changed that was right in a directory: where it is
 * copied and breaks the rules for new ones. It holds no hashing slot. A list that can't be read decides
 * nothing. Why it breaks them is kept nowhere: who reads the store or the log would know what to guess.
 */
export function createReviewPassword({
  directory,
  checkNewPassword,
  emit,
  watch,
}: ReviewOptions) {
  async function isWeak(source: ExternalSettings, { name }: Account, password: string) {
    // Elsewhere it is the directory's own business.
    if (source.migrate === 'none') return false
    try {
      return (await checkNewPassword(password, name)) !== undefined
    } catch (error) {
      watch.unchecked(source.name, error)
      return undefined
    }
  }

  return async function reviewPassword(
    source: ExternalSettings,
    account: Account,
    { password, origin }: LoginTry,
  ): Promise<Account> {
    const isRequired = await isWeak(source, account, password)
    if (isRequired === undefined || isRequired === mustChangePassword(account)) {
      return account
    }
    const { sub } = account
    if ((await noteRequiredChange(directory, account, isRequired)) && isRequired) {
      emit({ type: 'user.changed', sub, change: 'password_change_required' }, origin)
    }
    return asChecked(directory, account)
  }
}
