// What the rate limit per address needs of a store (store.ts has the rest). Promises reject with
// StoreUnavailable.

/** The requests of each address, where all replicas count together. */
export interface AddressCounts {
  /**
   * Counts requests of several addresses, each of them once in the list. The answers come in the order of the
   * list.
   */
  add(requests: readonly AddressRequests[]): Promise<readonly AddressCount[]>
}

export interface AddressRequests {
  readonly address: string
  readonly requests: number
  /** An address's window begins with its first request; so long it is, in milliseconds. */
  readonly windowMs: number
}

export interface AddressCount {
  /** How many requests of the address this window has seen, those of the question included. */
  readonly count: number
  /** Until the window ends. */
  readonly endsInMs: number
}
