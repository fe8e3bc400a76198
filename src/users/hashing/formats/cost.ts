// What a hash costs, and the most that a stored one may cost: a hostile hash in an import or in the store
// must not exhaust the machine.

/** The cost of computing an argon2 hash. */
export interface HashCost {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

/**
 * The most that a stored hash may ask for: about two seconds of one core, far more than the large frameworks
 * ask for.
 */
export const MOST = {
  argon2: { memoryKiB: 131_072, passes: 10, parallelism: 16 },
  bcryptRounds: 14,
  /** As a power of two. */
  phpassRounds: 20,
  /** Iterations: one block of output is computed, however long the hash is. */
  pbkdf2: { sha1: 2_500_000, sha256: 2_500_000, sha512: 1_000_000 },
  scrypt: { memoryKiB: 131_072, work: 2 ** 21 },
} as const

/** A stored hash that was read. */
export interface StoredHash {
  /** For logs and reports: `argon2id`, `bcrypt`, `pbkdf2-sha256`, … */
  readonly algorithm: string
  /** What computing it takes. */
  readonly memoryKiB: number
  /** Whether it costs no more than is allowed. */
  readonly bearable: boolean
  /** Its cost and the limit, for the message of a refusal: `31 rounds, at most 14`. */
  readonly bounds: string
  /** Whether the password, as the user typed it, belongs to the hash. */
  verify(password: string): Promise<boolean>
}

/** Reads one form of hash; undefined: the text has another form. */
export type HashFormat = (text: string) => StoredHash | undefined
