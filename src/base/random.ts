// Randomness, handed to whatever needs it, so that tests can choose it.
import { randomBytes, randomInt, randomUUID } from 'node:crypto'

/** A source of randomness. */
export interface Random {
  /** So many bytes that nobody can guess. */
  bytes(count: number): Buffer
  /** A new UUID (RFC 9562 version 4). */
  uuid(): string
  /** A whole number from 0 up to, but not including, `below` (at most 2 ** 48 - 1), that nobody can guess. */
  int(below: number): number
  /** From 0 up to, but not including, 1. Others may guess it: for jitter, never for a secret. */
  fraction(): number
}

/** The system's randomness; the only place that asks for it. */
export const systemRandom: Random = {
  bytes: count => randomBytes(count),
  uuid: () => randomUUID(),
  int: below => randomInt(below),
  fraction: () => Math.random(),
}
