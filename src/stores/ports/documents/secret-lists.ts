// What servers let each other know of their secrets (../store.ts has the rest): fingerprints, never a secret.
import type { SecretMark } from '../../../base/secrets.ts'
import type { Shared, Versioned } from './shared.ts'

/** The secrets of one or more servers of the same configuration. */
export interface StoredSecretList {
  /** In the order of the configuration: the first one seals. */
  readonly secrets: readonly SecretMark[]
  /** Until when a server of this configuration is taken to be running; milliseconds since the epoch. */
  readonly until: number
}

export interface StoredSecretLists extends Versioned {
  readonly lists: readonly StoredSecretList[]
}

/** Which secrets the running servers have. May be lost: each server puts its own list back. */
export type SecretLists = Shared<StoredSecretLists>

export const NO_SECRET_LISTS: StoredSecretLists = { version: 0, lists: [] }
