// Accounts: who is who, and what an operator does to them.
import type { UserChange } from '../base/events/changes.ts'
import { userTag } from '../base/ids.ts'
import type { Account } from '../stores/ports/directory.ts'
import type { User } from '../stores/ports/subjects.ts'
import {
  createSetAttributes,
  DIRECTORY_OWNS,
  isOwnedElsewhere,
  type DirectoryOwns,
  type SetAttributes,
} from './account-attributes.ts'
import {
  createAdd,
  type AddAccountOptions,
  type AddOutcome,
  type NewUser,
} from './add-account.ts'
import { createChangeAccount, type ChangeWholeAccount } from './change-account.ts'
import type { Directory } from './directory/directory.ts'
import { namesakeOf } from './names/namesake.ts'
import { readName } from './names/user-name.ts'
import type { PasswordFault } from './new-password.ts'
import type { PasswordHasher } from './hashing/hasher.ts'
import { settlePending, withoutDeletion } from './settle-pending.ts'
import { isRole } from './roles.ts'

/** What comes of changing an account. */
export type ChangeOutcome =
  | { readonly kind: 'done'; readonly sub: string }
  | {
      readonly kind: 'refused'
      readonly reason:
        | 'user_unknown'
        | 'role_invalid'
        | 'not_of_directory'
        | 'not_deleted'
        | 'changed_meanwhile'
        | DirectoryOwns
        | PasswordFault
    }

/** What comes of renaming an account. */
export type AccountRenamed =
  | { readonly kind: 'done'; readonly sub: string; readonly name: string }
  | {
      readonly kind: 'refused'
      readonly reason: 'user_unknown' | 'name_invalid' | 'name_taken' | DirectoryOwns
    }

/** What a user may hold. */
export type Access = Pick<User, 'scopes' | 'roles'>

/**
 * The accounts. Promises reject with StoreUnavailable, and those that hash with OAuthError
 * temporarily_unavailable.
 */
export interface Accounts extends Pick<
  Directory,
  'byValue' | 'count' | 'page' | 'search'
> {
  /** Adds an account under a new `sub`. */
  add(user: NewUser): Promise<AddOutcome>
  /** Gives the account another name: its `sub` and its sessions stay, and the old name is free at once. */
  rename(name: string, newName: string): Promise<AccountRenamed>
  /** Sets the password and ends every session. */
  setPassword(name: string, password: string): Promise<ChangeOutcome>
  /** Lets the user in no more and ends every session. */
  disable(name: string): Promise<ChangeOutcome>
  /** Lets the user in again; ended sessions stay ended. */
  enable(name: string): Promise<ChangeOutcome>
  /** What the user may hold from the next token on. */
  setAccess(name: string, access: Access): Promise<ChangeOutcome>
  /** Changes whatever is asked for, at once or not at all. */
  change: ChangeWholeAccount
  /** Changes what is known of the user; sessions live on, and the next token says it. */
  setAttributes: SetAttributes
  /**
   * Makes the shadow of a directory elsewhere an account of ours, with the password that was copied, if one
   * was; that directory is asked no more.
   */
  adopt(name: string): Promise<ChangeOutcome>
  /** Keeps the account that its user has deleted, while it is not erased yet. */
  keep(name: string): Promise<ChangeOutcome>
  /** Removes the account and every session. */
  remove(name: string): Promise<ChangeOutcome>
  /** The same for the account of that `sub`. */
  removeBySub(sub: string): Promise<ChangeOutcome>
  /** The account of that name, however it is written. */
  find(name: string): Promise<Account | undefined>
  /** The account of that stable id. */
  bySub(sub: string): Promise<Account | undefined>
  /** The account that logs in with that text: its name, or what else `login` lets it be. */
  findLogin(text: string): Promise<Account | undefined>
  /** Every account that lives all the while, once, in the order of creation. */
  all(): AsyncIterable<Account>
}

/** What accounts are made of. */
export interface AccountsOptions extends AddAccountOptions {
  readonly directory: Directory
  readonly hasher: PasswordHasher
}

const SUB = /^[\x21-\x7E]{1,255}$/

/** Whether a text may be the stable id of a user. */
export function isSub(text: string): boolean {
  return SUB.test(text)
}

/** Makes the accounts. */
export function createAccounts(options: AccountsOptions): Accounts {
  const { directory, hasher, checkNewPassword } = options
  const change = createChange(options)
  const changeWhole = createChangeAccount({
    ...options,
    findLogin: directory.findLogin,
  })
  return {
    find: directory.find,
    findLogin: directory.findLogin,
    bySub: sub => directory.byTag(userTag(sub)),
    setAttributes: createSetAttributes(options),
    change: changeWhole,
    byValue: directory.byValue,
    count: directory.count,
    all: directory.all,
    page: directory.page,
    search: directory.search,
    add: createAdd(options),
    rename: createRename(options),
    async setPassword(name, password) {
      if (isOwnedElsewhere(await directory.find(name))) return refused(DIRECTORY_OWNS)
      const fault = await checkNewPassword(password, name)
      if (fault !== undefined) return refused(fault)
      return change(name, 'password', async tag =>
        directory.setPassword(tag, await hasher.hash(password)),
      )
    },
    disable: name => change(name, 'disabled', tag => directory.setDisabled(tag, true)),
    enable: name => change(name, 'enabled', tag => directory.setDisabled(tag, false)),
    async setAccess(name, access) {
      if (!access.roles.every(isRole)) return refused('role_invalid')
      const account = await directory.find(name)
      if (account === undefined) return refused('user_unknown')
      const outcome = await changeWhole(account.sub, () => access)
      if (outcome.kind === 'done') return { kind: 'done', sub: outcome.account.sub }
      const { reason } = outcome
      const isSaid = reason === DIRECTORY_OWNS || reason === 'user_unknown'
      return refused(isSaid ? reason : 'changed_meanwhile')
    },
    async keep(name) {
      const before = await directory.find(name)
      if (before?.pending?.deleteAt === undefined) return refused('not_deleted')
      const outcome = await settlePending(directory, before.tag, withoutDeletion)
      if (outcome !== 'changed') return refused('changed_meanwhile')
      const { sub } = before
      const event = { type: 'user.changed', sub, change: 'deletion_cancelled' } as const
      options.emit(event, undefined, { before })
      return { kind: 'done', sub }
    },
    remove: name => change(name, 'removed', directory.remove),
    async removeBySub(sub) {
      const before = await directory.byTag(userTag(sub))
      if (before === undefined || !(await directory.remove(before.tag))) {
        return refused('user_unknown')
      }
      options.emit({ type: 'user.changed', sub, change: 'removed' }, undefined, {
        before,
      })
      return { kind: 'done', sub }
    },
    async adopt(name) {
      const account = await directory.find(name)
      return account !== undefined && account.external === undefined
        ? refused('not_of_directory')
        : change(name, 'adopted', directory.adopt)
    },
  }
}

function refused<const Reason extends string>(
  reason: Reason,
): { readonly kind: 'refused'; readonly reason: Reason } {
  return { kind: 'refused', reason }
}

function createChange({ directory, emit }: AccountsOptions) {
  return async (
    name: string,
    what: UserChange,
    act: (tag: string) => Promise<boolean>,
  ): Promise<ChangeOutcome> => {
    const account = await directory.find(name)
    // The account may also be removed between these two calls.
    if (account === undefined || !(await act(account.tag))) return refused('user_unknown')
    const { sub } = account
    emit({ type: 'user.changed', sub, change: what }, undefined, { before: account })
    return { kind: 'done', sub }
  }
}

function createRename({ directory, emit }: AccountsOptions): Accounts['rename'] {
  return async (name, typed) => {
    const read = readName(typed)
    if (read === undefined) return refused('name_invalid')
    const account = await directory.find(name)
    if (account === undefined) return refused('user_unknown')
    if (isOwnedElsewhere(account)) return refused(DIRECTORY_OWNS)
    const { tag, sub } = account
    const namesake = await namesakeOf(directory.findLogin, read.written, tag)
    if (namesake !== undefined) return refused('name_taken')
    const outcome = await directory.rename({
      tag,
      name: read.written,
      foldedName: read.folded,
    })
    if (outcome !== 'renamed') return refused(outcome)
    emit({ type: 'user.changed', sub, change: 'renamed' })
    return { kind: 'done', sub, name: read.written }
  }
}
