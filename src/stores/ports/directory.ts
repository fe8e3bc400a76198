// What the built-in directory needs of a store (store.ts has the rest): who has which name, and by which hash
// a password is checked. An account and its subject change in one step.
import type { Subject } from './subjects.ts'

/** A subject with what only authentication may see. */
export interface Account extends Subject {
  /** The name as it is compared (users/names/user-name.ts); unique. */
  readonly foldedName: string
  /** A PHC string. */
  readonly passwordHash: string
  readonly createdAt: number
}

export type NewAccount = Omit<Account, 'sessionsEpoch' | 'createdAt'>

/**
 * The accounts that the store keeps. A call that names an unknown tag changes nothing and resolves to false.
 * Each call that ends sessions also sets the status bits of their living tokens.
 */
export interface BuiltInDirectory {
  /** Adds the account with its subject; `name_taken` changes nothing. */
  add(account: NewAccount): Promise<'added' | 'name_taken'>
  /** Adds several accounts, each as `add` does; resolves to those that were added. */
  addAll(accounts: readonly NewAccount[]): Promise<ReadonlySet<NewAccount>>
  /** The account of a folded name. Takes the same time whether somebody has it or not. */
  byName(foldedName: string): Promise<Account | undefined>
  /** Sets the hash and ends all sessions, in one step. Durable when it resolves. */
  setPassword(tag: string, passwordHash: string): Promise<boolean>
  /** Replaces the hash if it still is `from`; sessions live on. False when it wasn't. */
  upgradePassword(tag: string, from: string, to: string): Promise<boolean>
  /**
   * Removes the account, its subject and its name, and with them every session. Durable when it resolves.
   */
  remove(tag: string): Promise<boolean>
  /**
   * Every account, in no order that can be relied on; one that is added or removed meanwhile may be missing.
   */
  all(): AsyncIterable<Account>
}
