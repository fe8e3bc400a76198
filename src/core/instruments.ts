// What measures the core from outside; the domain doesn't know who listens.
import type { StatusServiceOptions } from '../status-lists/service.ts'
import type { SignJwt } from '../tokens/sign-jwt.ts'
import type { CopiedPasswordWatch } from '../users/copied-password.ts'
import type { DirectoryWatch } from '../users/directory/guarded.ts'
import type { PasswordHasher } from '../users/hashing/hasher.ts'

/** What is told how the core's parts do, and what may stand before them. */
export interface Instruments {
  /** Told of the status lists. */
  readonly status: StatusServiceOptions['metrics']
  /** Told how long each login has waited for its turn to hash; milliseconds. */
  readonly hashWaited: (ms: number) => void
  /** Told of questions to directories elsewhere. */
  readonly directories: DirectoryWatch & CopiedPasswordWatch
  /** Gives a hasher in the place of another. */
  readonly aroundHasher: (hasher: PasswordHasher) => PasswordHasher
  /** Gives a signer of access tokens in the place of another. */
  readonly aroundSign: (sign: SignJwt) => SignJwt
}

/** Measures nothing. */
export const NO_INSTRUMENTS: Instruments = {
  status: { countStatusLease() {}, observeStatusRebuild() {} },
  hashWaited() {},
  directories: { answered() {}, changed() {}, unchecked() {} },
  aroundHasher: hasher => hasher,
  aroundSign: sign => sign,
}
