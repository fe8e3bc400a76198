// What the built-in directory needs of a store (store.ts has the rest): who has which name, and by which hash
// a password is checked. An account and its subject change in one step.
import type { Subject, User } from './subjects.ts'

/** A subject with what only authentication may see. */
export interface Account extends Subject {
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

/** An account that is to be added. */
export interface NewAccount extends Omit<
  Account,
  'sessionsEpoch' | 'createdAt' | 'updatedAt' | 'version'
> {
  /** The account can be found by these, and nobody else can take them. */
  readonly uniqueValues: readonly UniqueValue[]
}

/** Another account has a unique value; nothing was changed. */
export interface ValueTaken {
  readonly kind: 'value_taken'
  readonly attribute: string
}

/** The attributes that an account has from now on. */
export interface AttributesChange extends Pick<User, 'attributes' | 'emailVerified'> {
  readonly tag: string
  /** In the place of those that the account had. */
  readonly uniqueValues: readonly UniqueValue[]
  /** The account's version from which the change was made. */
  readonly version: number
}

/**
 * `superseded`: the account has changed since that version. Only `changed` has changed anything.
 */
export type AttributesOutcome =
  { readonly kind: 'changed' | 'superseded' | 'user_unknown' } | ValueTaken

/** The name that an account has from now on. */
export interface NameChange extends Pick<Account, 'tag' | 'name' | 'foldedName'> {}

/** Only `renamed` has changed anything. */
export type RenameOutcome = 'renamed' | 'name_taken' | 'user_unknown'

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
  /**
   * Replaces the attributes and the unique values; sessions live on, and the next token says what is new.
   * Durable when it resolves.
   */
  setAttributes(change: AttributesChange): Promise<AttributesOutcome>
  /**
   * Gives the account another name, or the same in another writing; sessions live on, and the next token says
   * the new one. The old name is free when it resolves. Durable then.
   */
  rename(change: NameChange): Promise<RenameOutcome>
  /** Sets the hash and ends all sessions, in one step. Durable when it resolves. */
  setPassword(tag: string, passwordHash: string): Promise<boolean>
  /** Replaces the hash if it still is `from`; sessions live on. False when it wasn't. */
  upgradePassword(tag: string, from: string, to: string): Promise<boolean>
  /**
   * Removes the account, its subject, its name and its unique values, and with them every session. Durable
   * when it resolves.
   */
  remove(tag: string): Promise<boolean>
  /**
   * Every account, in no order that can be relied on; one that is added or removed meanwhile may be missing.
   */
  all(): AsyncIterable<Account>
}
