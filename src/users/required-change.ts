// Whose password must be changed: it was copied from a directory elsewhere, and breaks the rules for new ones
// (new-password.ts). Nobody is locked out by it. The mark names the hash that it is about, so whatever sets
// another password ends it, also on a server of an earlier release, which knows nothing of marks.
import { hash } from 'node:crypto'
import type { Account, Pending } from '../stores/ports/directory.ts'
import type { Directory } from './directory/directory.ts'
import { settlePending } from './settle-pending.ts'

/** 132 bits: no two hashes have the same digest. */
const DIGEST_CHARACTERS = 22

/** Whether the account's password must be changed. */
export function mustChangePassword({
  pending,
  passwordHash,
}: Pick<Account, 'pending' | 'passwordHash'>): boolean {
  const { passwordChange } = pending ?? {}
  return passwordChange !== undefined && passwordChange === digestOf(passwordHash)
}

/**
 * Notes whether the account's password must be changed, unless it has another one by now. Rejects with
 * StoreUnavailable.
 *
 * @returns whether anything was changed
 */
export async function noteRequiredChange(
  directory: Pick<Directory, 'byTag' | 'changePending'>,
  { tag, passwordHash }: Pick<Account, 'tag' | 'passwordHash'>,
  isRequired: boolean,
): Promise<boolean> {
  const outcome = await settlePending(directory, tag, now =>
    now.passwordHash !== passwordHash || mustChangePassword(now) === isRequired
      ? undefined
      : pendingWith(now, isRequired),
  )
  return outcome === 'changed'
}

/**
 * The account as it is now, for a login that was checked against it: as it was then, where it has got another
 * password or its sessions have ended. A login is good for no other password, nor behind an end of sessions.
 * Rejects with StoreUnavailable.
 */
export async function asChecked(
  directory: Pick<Directory, 'byTag'>,
  checked: Account,
): Promise<Account> {
  const now = await directory.byTag(checked.tag)
  return now?.passwordHash === checked.passwordHash &&
    now.sessionsEpoch === checked.sessionsEpoch
    ? now
    : checked
}

function pendingWith({ pending, passwordHash }: Account, isRequired: boolean) {
  const { passwordChange: _, ...rest }: Pending = pending ?? {}
  if (isRequired) return { ...rest, passwordChange: digestOf(passwordHash) }
  return Object.keys(rest).length === 0 ? null : rest
}

function digestOf(passwordHash: string): string {
  return hash('sha256', passwordHash, 'base64url').slice(0, DIGEST_CHARACTERS)
}
