// What the key ring needs of a store (ports.ts has the rest): documents that all servers share.
// Instants (`…At`, `…From`, `…Until`) are milliseconds since the epoch by the store's own clock.

/** Something that all servers share and replace as a whole. */
export interface Shared<Content extends Versioned> {
  /** What was saved last; version 0 and nothing when nothing was saved yet. */
  load(): Promise<Content>
  /**
   * Replaces it if its version still is `content.version`, which the save counts up by one. False: somebody
   * else was faster. Durable when it resolves.
   */
  save(content: Content): Promise<boolean>
}

export interface Versioned {
  /** Counts the saves; 0: nothing was ever saved. */
  readonly version: number
}

/** A signing key as it is stored. Instants are fixed when it is made (DESIGN §6). */
export interface StoredKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly alg: string
  /** Keys of one line sign one after the other: `main`, or the algorithm that single audiences need. */
  readonly line: string
  readonly publishAt: number
  readonly signFrom: number
  readonly signUntil: number
  readonly removeAt: number
  /** JWK, public members only. */
  readonly publicJwk: Readonly<Record<string, string>>
  /** The private key, encrypted (keys/seal.ts); null: it is kept elsewhere (keys/external/source.ts). */
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

/** What a verifier that fetches the public keys was seen to do. */
export interface SeenVerifier {
  /** The registered client that it says it is, which nothing proves; null: it doesn't say. */
  readonly clientId: string | null
  readonly userAgent: string
  /** Where the last fetch came from. */
  readonly address: string
  /** Where the last ones that named this client came from, the newest last; absent where none was named. */
  readonly addresses?: readonly string[]
  /** Whether its last fetch was conditional (RFC 9110 §13.1.2). */
  readonly conditional: boolean
  readonly fetches: number
  readonly firstAt: number
  readonly lastAt: number
  /** The times between its last fetches, the newest last; milliseconds. */
  readonly gaps: readonly number[]
}

/** How many tokens a key has signed that expire within one minute. */
export interface SignedCount {
  readonly kid: string
  /** The end of the minute. */
  readonly expiresAt: number
  readonly count: number
}

export interface StoredSightings extends Versioned {
  readonly verifiers: readonly SeenVerifier[]
  readonly signed: readonly SignedCount[]
}

/** What all servers together have seen of verifiers and of tokens signed; may be lost without harm. */
export type Sightings = Shared<StoredSightings>

export const EMPTY_SIGHTINGS: StoredSightings = { version: 0, verifiers: [], signed: [] }
