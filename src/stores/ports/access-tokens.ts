// What the check of an access token needs of a store (store.ts has the rest).
import type { Refusal } from './families.ts'
import type { StatusEntry } from './status-lists.ts'
import type { User } from './subjects.ts'

/** Where an access token is judged. */
export interface AccessTokenRef {
  /** `userTag` of the token's subject: a user, or a client whose own token it is. */
  readonly userTag: string
  /** The session that it comes from; undefined: none. */
  readonly sid?: string | undefined
  readonly jti: string
}

export type CheckOutcome =
  /** `user`: whose session the token comes from; undefined: it comes from none. */
  | { readonly kind: 'active'; readonly user: User | undefined }
  | { readonly kind: 'refused'; readonly reason: Refusal | 'token_revoked' }

/** The revocation list, and the question that it exists for. */
export interface AccessTokens {
  /**
   * Puts the token on the list until it would have expired, and sets its status bit where it has one. Durable
   * when it resolves; repeating it is harmless.
   */
  revoke(
    token: AccessTokenRef & {
      readonly expiresAt: number
      readonly status?: StatusEntry | undefined
    },
  ): Promise<void>
  /**
   * Whether the token lives: it isn't on the list, its family is known and neither ended nor past its ends,
   * its user enabled and in the family's epoch. (No access token is made to outlive its family.) One that
   * comes from no session is judged by the list alone. Signature and times were checked by the caller.
   */
  check(token: AccessTokenRef, freshness?: Freshness): Promise<CheckOutcome>
}

/**
 * `now`, the default: as the store has it. `recent`: a store that was told to may answer from memory, by what
 * was true a moment ago, at most a second.
 */
export type Freshness = 'now' | 'recent'
