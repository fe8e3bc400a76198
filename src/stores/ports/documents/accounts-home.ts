// Where the accounts are whose sessions the store has (../store.ts has the rest).
import type { Shared, Versioned } from './shared.ts'

/** What a store knows of the PostgreSQL that has its accounts, or will have them. */
export interface StoredAccountsHome extends Versioned {
  /** A random text that the database has, too; empty: none was ever named for this store. */
  readonly pair: string
  /** Whether the accounts are there, and the store has their sessions alone. */
  readonly isElsewhere: boolean
}

/** Keeps a store and a database together. May be lost: a start beside the database puts it back. */
export type AccountsHome = Shared<StoredAccountsHome>

export const NO_ACCOUNTS_HOME: StoredAccountsHome = {
  version: 0,
  pair: '',
  isElsewhere: false,
}
