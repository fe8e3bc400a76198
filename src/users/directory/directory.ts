// A directory knows who has which name, and checks passwords. Authentication and the accounts ask nothing
// else, so that a directory elsewhere is one more file here and one line where the domain is composed
// (core/people.ts). Sessions are judged by the subject (stores/ports/subjects.ts), never by the directory.
import type {
  Account,
  AccountChange,
  AccountChangeOutcome,
  AccountPage,
  AccountSearch,
  AttributesChange,
  AttributesOutcome,
  FoundText,
  NameChange,
  NewAccount,
  PasswordChange,
  PendingChange,
  RenameOutcome,
  UniqueValue,
  ValueTaken,
} from '../../stores/ports/directory.ts'
import type { User } from '../../stores/ports/subjects.ts'
import type { Hashing } from '../hashing/hasher.ts'

/** A password that is to be checked. */
export interface PasswordAttempt {
  /** As `find` gave it; undefined: nobody has the name. */
  readonly account: Account | undefined
  readonly password: string
  /** The caller's place among those that hash. */
  readonly hashing: Hashing
}

/**
 * Who has which name. A call that names an unknown tag changes nothing and resolves to false. A directory
 * that can't be reached rejects with StoreUnavailable: it never counts as "unknown" or "wrong".
 */
export interface Directory {
  /** The account of a name, however it is written. Takes the same time whether somebody has it or not. */
  find(name: string): Promise<Account | undefined>
  byTag(tag: string): Promise<Account | undefined>
  /**
   * The account of what somebody has typed to log in: a name, or another value that the configuration allows.
   * Costs the same whether it is anybody's or not.
   */
  findLogin(text: string): Promise<Account | undefined>
  /**
   * The name under which a login's failures count, so that two ways to call an account are no two sets of
   * guesses. Asks nothing where the text can only be a name.
   */
  countedName(text: string): Promise<string>
  /** Whether it is the account's password. Takes as long for nobody's as for a wrong one. */
  verify(attempt: PasswordAttempt): Promise<boolean>
  /** Replaces the account's hash if nobody has replaced it since `find`; sessions live on. */
  upgradePassword(account: Account, passwordHash: string): Promise<boolean>
  /** Adds an account with its subject. */
  add(account: NewAccount): Promise<'added' | 'name_taken' | ValueTaken>
  /** Gives the account another name; sessions live on, and the old name is free. */
  rename(change: NameChange): Promise<RenameOutcome>
  /** Sets the hash and ends every session. */
  setPassword(tag: string, passwordHash: string): Promise<boolean>
  /** Sets the hash and ends every session but one. */
  changePassword(
    change: PasswordChange,
  ): Promise<'changed' | 'superseded' | 'user_unknown'>
  /** What the account waits for from now on, of one version of it, and what goes with it in one step. */
  changePending(change: PendingChange): Promise<'changed' | 'superseded' | 'user_unknown'>
  /** Disabling ends every session; enabling brings none back. */
  setDisabled(tag: string, disabled: boolean): Promise<boolean>
  /** Sets what the user may hold from the next token on. */
  setAccess(tag: string, access: Pick<User, 'scopes' | 'roles'>): Promise<boolean>
  /** Replaces the attributes; sessions live on. */
  setAttributes(change: AttributesChange): Promise<AttributesOutcome>
  /** Changes whatever is named, in one step or not at all. */
  change(change: AccountChange): Promise<AccountChangeOutcome>
  /** How many accounts there are. */
  count(): Promise<number>
  /** The account that has a unique value, in the form in which it is compared. */
  byValue(value: UniqueValue): Promise<Account | undefined>
  /** The unique values that the account has claimed. */
  uniqueValuesOf(tag: string): Promise<readonly UniqueValue[]>
  /** Makes a shadow of a directory elsewhere an account of ours; sessions and hash stay. */
  adopt(tag: string): Promise<boolean>
  /** Removes the account and its subject, and ends every session. */
  remove(tag: string): Promise<boolean>
  /** The next accounts in the order of creation. */
  page(page: AccountPage): Promise<readonly Account[]>
  /** The next accounts whose name or unique value begins with a text, in the order of that. */
  search(search: AccountSearch): Promise<readonly FoundText[]>
  /** Every account that lives all the while, once, in the order of creation. */
  all(): AsyncIterable<Account>
}
