// What the move of accounts to another place needs of a store (../store.ts has the rest).

/** Moves the accounts that a store has to where they are to be, while servers run. */
export interface MoveAccounts {
  /** Whether they have been moved, and how many the store has, or the new place. */
  state(): Promise<{ readonly isMoved: boolean; readonly accounts: number }>
  /**
   * Moves all of them, or goes on where it was interrupted. Nobody is locked out: until all are copied they
   * are where they were, for all servers.
   *
   * @param show is told how much is done, from 0 to 1
   * @returns how many accounts are in the new place
   */
  run(show: (part: number) => void): Promise<number>
}
