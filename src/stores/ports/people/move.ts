// What the move of accounts to another place needs of a store (../store.ts has the rest).

/** Hears of a move that is under way. */
export interface MoveWatch {
  /** How much is done, from 0 to 1. */
  show(part: number): void
  /** From now on the accounts are in the new place, so many of them; what is left changes nothing of that. */
  moved(accounts: number): void
}

/** Moves the accounts that a store has to where they are to be, while servers run. */
export interface MoveAccounts {
  /** Whether they have been moved, and how many the store has where they have not. */
  state(): Promise<
    { readonly isMoved: true } | { readonly isMoved: false; readonly accounts: number }
  >
  /**
   * Moves all of them, or goes on where it was interrupted. Nobody is locked out: until all are copied they
   * are where they were, for all servers. Rejects with StoreUnavailable, also where another run has begun
   * since.
   *
   * @returns how many this run has moved; undefined: another one had moved them
   */
  run(watch: MoveWatch): Promise<number | undefined>
}
