// What the rate limit per address needs of a store (ports.ts has the rest). Promises reject with StoreUnavailable.

/** The requests of each address, where all replicas count together. */
export interface AddressCounts {
  /** Counts a request; an address's window, `windowMs` long, begins with its first one. */
  hit (address: string, windowMs: number): Promise<AddressCount>
}

export interface AddressCount {
  /** How many requests of the address this window has seen, this one included. */
  readonly count: number
  /** Until the window ends. */
  readonly endsInMs: number
}
