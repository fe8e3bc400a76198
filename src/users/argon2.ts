// Argon2id (RFC 9106) by the package `argon2`: which build of it computes.
import portable from 'argon2'

/** The library, as far as it is used here. */
export const argon2: Pick<typeof portable, 'argon2id' | 'hash' | 'verify'> = portable
