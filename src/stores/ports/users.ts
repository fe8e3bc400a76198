// What accounts need of a store (store.ts has the rest).

/** What grants and introspection are told of a user, in the same round trip as the verdict. */
export interface User {
  readonly sub: string
  /** As the user writes it. */
  readonly name: string
  /** The scopes that the user may hold; null: whatever the client may ask for. */
  readonly scopes: readonly string[] | null
  readonly roles: readonly string[]
}

/** A user with what only authentication may see. */
export interface Account extends User {
  /** `userTag(sub)`. */
  readonly tag: string
  /** The name as it is compared (users/names/user-name.ts); unique. */
  readonly foldedName: string
  /** A PHC string. */
  readonly passwordHash: string
  readonly disabled: boolean
  /**
   * Counts "end all sessions": families of an earlier epoch are dead. Starts at 1, or later after a removed
   * account of the same `sub`.
   */
  readonly epoch: number
  readonly createdAt: number
}

export type NewAccount = Omit<Account, 'epoch' | 'createdAt'>

/**
 * The accounts. A call that names an unknown tag changes nothing and answers false. What ends sessions sets
 * the status bits of their living tokens, too.
 */
export interface Users {
  /** Adds the account; `name_taken` changes nothing. */
  add(account: NewAccount): Promise<'added' | 'name_taken'>
  /** Adds several accounts, each as `add` does, and tells which of them were added. */
  addAll(accounts: readonly NewAccount[]): Promise<ReadonlySet<NewAccount>>
  byName(foldedName: string): Promise<Account | undefined>
  byTag(tag: string): Promise<Account | undefined>
  /** Sets the hash and ends all sessions, in one step. Durable when it resolves. */
  setPassword(tag: string, passwordHash: string): Promise<boolean>
  /** Replaces the hash if it still is `from`; sessions live on. False when it wasn't. */
  upgradePassword(tag: string, from: string, to: string): Promise<boolean>
  /** Disabling ends all sessions in the same step; enabling brings none back. Durable when it resolves. */
  setDisabled(tag: string, disabled: boolean): Promise<boolean>
  /** What the user may hold from the next token on. */
  setAccess(tag: string, access: Pick<User, 'scopes' | 'roles'>): Promise<boolean>
  /** Ends every session of the user. Durable when it resolves. */
  endSessions(tag: string): Promise<boolean>
  /** Removes the account, its name and with them every session. Durable when it resolves. */
  remove(tag: string): Promise<boolean>
  /**
   * Every account, in no order that can be relied on; one that is added or removed meanwhile may be missing.
   */
  all(): AsyncIterable<Account>
}
