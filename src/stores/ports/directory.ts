// What the built-in directory needs of a store (store.ts has the rest): who has which name, and by which hash
// a password is checked. An account and its subject change in one step.
import type { Subject, User } from './subjects.ts'

/** What an account still waits for. */
export interface Pending {
  /** Somebody has signed up with an address and has not proved to read it: no login until then. */
  readonly signUp?: true
  /** The address that takes the place of the attribute `email` once somebody has proved to read it. */
  readonly email?: string
  /** Its user has deleted it: it is erased then, unless they log in before. Unix time in milliseconds. */
  readonly deleteAt?: number
  /**
   * Its password must be changed: the digest of the hash that it is about. Set beside another hash it says
   * nothing any more (users/required-change.ts).
   */
  readonly passwordChange?: string
}

/** Who somebody is in a directory elsewhere. */
export interface ExternalId {
  /** The directory's name in the configuration. */
  readonly directory: string
  /** The directory's own id, which stays when names change. */
  readonly id: string
}

/** A subject with what only authentication may see. */
export interface Account extends Subject {
  /** Absent: nothing. */
  readonly pending?: Pending
  /** The account is the shadow of somebody in a directory elsewhere, which owns it; absent: it is ours. */
  readonly external?: ExternalId
  /** The name as it is compared (users/names/user-name.ts); unique. */
  readonly foldedName: string
  /** A PHC string. */
  readonly passwordHash: string
  readonly createdAt: number
  /** When it was changed last; ended sessions and a hash made anew are no change. */
  readonly updatedAt: number
  /** Counts those changes, from 0. With `createdAt` it names one state of one account. */
  readonly version: number
}

/** What no other account may have: the value of an attribute, in the form in which it is compared. */
export interface UniqueValue {
  readonly attribute: string
  readonly value: string
}

/**
 * By which texts somebody logs in who gets a name or a value. Where another account has one of them, the
 * write is refused; of two accounts that get the same text at once, one as its name and one as its value, at
 * most one does.
 */
export interface LoginTexts {
  /** The unique values that the account's name stands for; where another account has one: `name_taken`. */
  readonly ofName: readonly UniqueValue[]
  /** The names that its values stand for; where another account has one: that value is taken. */
  readonly ofValues: ReadonlyArray<UniqueValue & Pick<Account, 'foldedName'>>
}

/** A write that says so; absent: nobody else logs in by these texts. What the account has is no new text. */
export interface TakesLoginTexts {
  readonly logins?: LoginTexts | undefined
}

/** An account that is to be added. */
export interface NewAccount
  extends
    TakesLoginTexts,
    Omit<Account, 'sessionsEpoch' | 'createdAt' | 'updatedAt' | 'version'> {
  /** The account can be found by these, and nobody else can take them. */
  readonly uniqueValues: readonly UniqueValue[]
}

/** Another account has a unique value; nothing was changed. */
export interface ValueTaken {
  readonly kind: 'value_taken'
  readonly attribute: string
}

/** The attributes that an account has from now on. */
export interface AttributesChange
  extends TakesLoginTexts, Pick<User, 'attributes' | 'emailVerified'> {
  readonly tag: string
  /** In the place of those that the account had. */
  readonly uniqueValues: readonly UniqueValue[]
  /** The account's version from which the change was made. */
  readonly version: number
  /** What the account waits for from now on; null: nothing; absent: what it did. */
  readonly pending?: Pending | null
}

/** What an account waits for from now on. */
export interface PendingChange {
  readonly tag: string
  /** The account's version from which the change was made. */
  readonly version: number
  /** Null: nothing. */
  readonly pending: Pending | null
  /** Whether nobody logs in with it any more; absent: what it was. */
  readonly disabled?: true
  readonly endsSessions: boolean
}

/** A new password that its user sets. */
export interface PasswordChange {
  readonly tag: string
  readonly passwordHash: string
  /** The account's version when the current password was checked. */
  readonly version: number
  /** The session that lives on; all others end. */
  readonly keeps: string
}

/**
 * `superseded`: the account has changed since that version. Only `changed` has changed anything.
 */
export type AttributesOutcome =
  { readonly kind: 'changed' | 'superseded' | 'user_unknown' } | ValueTaken

/** Everything that changes at once; what isn't named stays. */
export interface AccountChange
  extends
    AttributesChange,
    Partial<
      Pick<
        Account,
        'name' | 'foldedName' | 'passwordHash' | 'disabled' | 'scopes' | 'roles'
      >
    > {
  /** Whether every session of the user ends with it. */
  readonly endsSessions: boolean
}

/** As AttributesOutcome; `name_taken`: another account has the name. */
export type AccountChangeOutcome = AttributesOutcome | { readonly kind: 'name_taken' }

/** The name that an account has from now on. */
export interface NameChange
  extends Pick<TakesLoginTexts, 'logins'>, Pick<Account, 'tag' | 'name' | 'foldedName'> {}

/** Only `renamed` has changed anything. */
export type RenameOutcome = 'renamed' | 'name_taken' | 'user_unknown'

/** A part of all accounts. */
export interface AccountPage {
  /** What stands before it; undefined: nothing. It need not be an account any more. */
  readonly after?: Pick<Account, 'createdAt' | 'sub'> | undefined
  /** At least 1. */
  readonly limit: number
}

/** A part of the accounts that have a text. */
export interface AccountSearch {
  /** A unique attribute; undefined: the account's own name. */
  readonly attribute?: string | undefined
  /** In the form in which it is compared; empty: every name, or every value. */
  readonly prefix: string
  /** The last text before it, which begins with the prefix; undefined: none. */
  readonly after?: string | undefined
  /** At least 1. */
  readonly limit: number
}

/** An account, and the name or the value that it was found by. */
export interface FoundText {
  readonly account: Account
  readonly text: string
}

/**
 * The accounts that the store keeps. A call that names an unknown tag changes nothing and resolves to false.
 * Each call that ends sessions also sets the status bits of their living tokens.
 */
export interface BuiltInDirectory {
  /** Adds the account with its subject, or changes nothing. */
  add(account: NewAccount): Promise<'added' | 'name_taken' | ValueTaken>
  /** Adds several accounts, each as `add` does; resolves to those that were added. */
  addAll(accounts: readonly NewAccount[]): Promise<ReadonlySet<NewAccount>>
  /** The account of a folded name. Takes the same time whether somebody has it or not. */
  byName(foldedName: string): Promise<Account | undefined>
  byTag(tag: string): Promise<Account | undefined>
  /** The account that has a unique value. Takes the same time whether somebody has it or not. */
  byValue(value: UniqueValue): Promise<Account | undefined>
  /** What nobody else can have beside the account's name; nothing for an unknown tag. */
  uniqueValuesOf(tag: string): Promise<readonly UniqueValue[]>
  /**
   * Replaces the attributes and the unique values; sessions live on, and the next token says what is new.
   * Durable when it resolves.
   */
  setAttributes(change: AttributesChange): Promise<AttributesOutcome>
  /** Changes whatever is named, in one step or not at all. Durable when it resolves. */
  change(change: AccountChange): Promise<AccountChangeOutcome>
  /** How many accounts there are; while some are added or removed, about so many. */
  count(): Promise<number>
  /**
   * Gives the account another name, or the same in another writing; sessions live on, and the next token says
   * the new one. The old name is free when it resolves. Durable then.
   */
  rename(change: NameChange): Promise<RenameOutcome>
  /** Sets the hash and ends all sessions, in one step. Durable when it resolves. */
  setPassword(tag: string, passwordHash: string): Promise<boolean>
  /** Sets the hash and ends all sessions but one, in one step. Durable when it resolves. */
  changePassword(
    change: PasswordChange,
  ): Promise<'changed' | 'superseded' | 'user_unknown'>
  /**
   * What the account waits for from now on, of one version of it, and what goes with it in one step. Durable
   * when it resolves.
   */
  changePending(change: PendingChange): Promise<'changed' | 'superseded' | 'user_unknown'>
  /** Replaces the hash if it still is `from`; sessions live on. False when it wasn't. */
  upgradePassword(tag: string, from: string, to: string): Promise<boolean>
  /** Makes a shadow an account of ours; sessions and hash stay. Durable when it resolves. */
  adopt(tag: string): Promise<boolean>
  /**
   * Removes the account, its subject, its name and its unique values, and with them every session. Durable
   * when it resolves.
   */
  remove(tag: string): Promise<boolean>
  /**
   * The next accounts in the order of creation, those of one instant in that of the bytes of their `sub`;
   * fewer than the limit only where no more follow. Going on behind the last one of each page meets every
   * account once that lives all the while, whatever is added and removed meanwhile.
   */
  page(page: AccountPage): Promise<readonly Account[]>
  /**
   * The accounts whose folded name, or whose value of a unique attribute as it is compared, begins with a
   * text, in the order of the bytes of that name or value. Otherwise as `page`.
   */
  search(search: AccountSearch): Promise<readonly FoundText[]>
  /** Every account, as by `page`. */
  all(): AsyncIterable<Account>
  /**
   * Looks for accounts that aren't where `page` and `search` look, because an earlier release has added them
   * or a failover has lost something. Both do so themselves where they must, and keep their caller waiting
   * then. For servers: at their start, and again and again.
   */
  settle(): Promise<void>
}
