// What a hash costs, and what a stored one may cost at most: a hostile hash in an import or in the store must
// not eat the machine.

/** What it takes to compute an argon2 hash. */
export interface HashCost {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

/**
 * The most that a stored hash may ask for: about two seconds of one core, and what the large frameworks ask
 * for by far.
 */
export const MOST = {
  argon2: { memoryKiB: 131_072, passes: 10, parallelism: 16 },
  bcryptRounds: 14,
  /** Iterations: one block of output is computed, however long the hash is. */
  pbkdf2: { sha1: 2_500_000, sha256: 2_500_000, sha512: 1_000_000 },
  scrypt: { memoryKiB: 131_072, work: 2 ** 21 },
} as const

/** A stored hash that was understood. */
export interface StoredHash {
  /** For logs and reports: `argon2id`, `bcrypt`, `pbkdf2-sha256`, … */
  readonly algorithm: string
  /** What computing it takes. */
  readonly memoryKiB: number
  /** Whether it costs no more than is allowed. */
  readonly bearable: boolean
  /** What it asks for and what it may, for whoever reads that it may not: `31 rounds, at most 14`. */
  readonly bounds: string
  /** Whether the password, which is what the user typed, belongs to it. */
  verify(password: string): Promise<boolean>
}

/** Reads one way of writing hashes; undefined: the text isn't of that way. */
export type HashFormat = (text: string) => StoredHash | undefined
