/** Milliseconds since the Unix epoch. Handed to whatever needs the time, so that tests can move it. */
export type Clock = () => number

/** The system's clock, which somebody may set. This file alone asks the system for the time. */
export const systemClock: Clock = () => Date.now()

/** Milliseconds on a clock that starts anywhere and never goes back: for spans, not for dates. */
export type Monotonic = () => number

/** The process's monotonic clock. */
export const monotonicClock: Monotonic = () => performance.now()

/** A clock that no single witness can move. */
export interface AgreedClock {
  readonly now: Clock
  /** Takes in what the store's clock says just now, and gives it back. */
  hear(storeNow: number): number
}

export interface Witnesses {
  /** The system's clock, which somebody may set. */
  readonly system: Clock
  /** Milliseconds since whenever: never set, but it may stand still while the machine sleeps. */
  readonly monotonic: Monotonic
}

/**
 * Makes the clock by which tokens are dated: the median of the system's clock, of the store's, and of the
 * time that was, plus what the monotonic clock counted since. So a clock that jumps, be it ours or the
 * store's, dates no token wrongly; where two of the three agree, they are right. A store that has no clock of
 * its own agrees with the system's.
 */
export function createAgreedClock({ system, monotonic }: Witnesses): AgreedClock {
  // Each tells by how much it is ahead of the monotonic clock.
  let ours = system() - monotonic()
  let stores = ours
  return {
    now() {
      const counted = monotonic()
      ours = medianOf(system() - counted, ours, stores)
      return Math.round(counted + ours)
    },
    hear(storeNow) {
      stores = storeNow - monotonic()
      return storeNow
    },
  }
}

function medianOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
}
