// What one-time ids need of a store (store.ts has the rest).

/** What may be used once: the ids of DPoP proofs (RFC 9449 §11.1) and of client assertions (RFC 7523 §3). */
export interface Replays {
  /**
   * Takes note of an id for `forMs`, at least 1.
   *
   * @returns whether it is the first time. Repeating a call whose answer was lost says false: a proof is made
   * anew
   */
  once(id: string, forMs: number): Promise<boolean>
}
