// What the key ring needs of a store (../store.ts has the rest).
// Instants (`…At`, `…From`, `…Until`) are milliseconds since the epoch by the store's own clock.
import type { Shared, Versioned } from './shared.ts'

/** A signing key as it is stored. Instants are fixed when it is made (docs/keys.md). */
export interface StoredKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly alg: string
  /** Keys of one line sign one after the other: `main`, or what single audiences or clients need. */
  readonly line: string
  readonly publishAt: number
  readonly signFrom: number
  readonly signUntil: number
  readonly removeAt: number
  /** JWK, public members only. */
  readonly publicJwk: Readonly<Record<string, string>>
  /** The private key, encrypted (keys/seal.ts); null: it is kept elsewhere (keys/external/key-source.ts). */
  readonly sealed: string | null
}

/** When a secret was first seen in front of the others. */
export interface StoredSecret {
  /** `secretId`. */
  readonly id: string
  readonly since: number
}

export interface StoredRing extends Versioned {
  readonly keys: readonly StoredKey[]
  /** The secrets that keys were sealed with, the newest last. */
  readonly secrets: readonly StoredSecret[]
  /** The kids of keys kept elsewhere that have gone from the ring and must not come back. */
  readonly gone: readonly string[]
}

/** The key ring. */
export type Keys = Shared<StoredRing>

export const EMPTY_RING: StoredRing = {
  version: 0,
  keys: [],
  secrets: [],
  gone: [],
}
