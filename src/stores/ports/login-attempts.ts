// What the throttle of logins needs of a store (store.ts has the rest).
// Spans (`…Ms`) are milliseconds by the store's own clock.

/** How many failures something may have. */
export interface FailureLimit {
  /** So many cost no delay. The next one costs a second, each one after it twice as much. */
  readonly free: number
  /** One failure is forgotten after each such span. */
  readonly forgetMs: number
}

/** What of a try has failed too often: the name in a network, a network, or the password. */
export type ThrottledBy = 'pair' | 'network' | 'password'

/**
 * One count that a try belongs to, named by a keyed hash: what is stored gives away no name, no network and
 * no password.
 */
export interface LoginCount {
  readonly by: ThrottledBy
  readonly id: string
  readonly limit: FailureLimit
}

/** One try to log in. */
export interface LoginAttempt {
  /** The name in the smallest network that the try comes from. */
  readonly pair: LoginCount
  /**
   * All other counts: the name in the wider networks around that one, each of these networks whatever the
   * name, and the password whatever the name.
   */
  readonly others: readonly LoginCount[]
  /**
   * This password at this name from this network, against what the name's account is now: the very same try.
   */
  readonly repeat: string
  /** No delay is longer. */
  readonly maxDelayMs: number
}

export type LoginVerdict =
  /**
   * It is counted as failed already; `settle` takes that back. `known`: the user logged in from this network
   * before.
   */
  | { readonly kind: 'admitted'; readonly known: boolean }
  /** The very same try has failed a moment ago. Nothing is counted. */
  | { readonly kind: 'repeated' }
  /** Nothing is counted. */
  | {
      readonly kind: 'throttled'
      readonly by: ThrottledBy
      readonly retryAfterMs: number
    }

/** How an admitted try ended. `withdrawn`: the password was not looked at. */
export type LoginResult = 'succeeded' | 'failed' | 'withdrawn'

/** An admitted try that has ended. */
export interface SettledAttempt extends LoginAttempt {
  /** As `begin` said. */
  readonly known: boolean
  readonly result: LoginResult
  /** How long a network stays known after a login. */
  readonly knownForMs: number
  /** How long the very same try is recognised. */
  readonly repeatMs: number
}

/**
 * The count of failed logins, by (name, network), by network and by password, never by name alone: nobody can
 * lock a user out from elsewhere. A try counts before its password is looked at, so that tries at once don't
 * slip through together. A known pair of name and network is judged by its own count only. Each call is one
 * atomic step and one round trip; whatever is kept expires.
 */
export interface LoginAttempts {
  /** Of each pair, whether it is known and nothing delays it, in their order. Counts nothing. */
  areWelcome(
    pairs: readonly LoginCount[],
    maxDelayMs: number,
  ): Promise<readonly boolean[]>
  begin(attempt: LoginAttempt): Promise<LoginVerdict>
  /**
   * Ends an admitted try. A success clears the pair's count and makes the pair known, and takes the try back
   * from the other counts, which keep what else they hold: who has an account of his own must not reset his
   * network. A failure is remembered as `repeat`.
   */
  settle(attempt: SettledAttempt): Promise<void>
  /** Forgets the failures of these pairs, which stay known; gives how many of them had any. */
  forget(pairs: readonly LoginCount[]): Promise<number>
}
