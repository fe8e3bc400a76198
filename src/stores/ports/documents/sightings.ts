// What the sightings of verifiers need of a store (../store.ts has the rest).
// Instants (`…At`) are milliseconds since the epoch by the store's own clock.
import type { Shared, Versioned } from './shared.ts'

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
