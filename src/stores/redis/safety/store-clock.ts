// What the store's clock says, without asking it every time.
import { monotonicClock, type Monotonic } from '../../../base/clock.ts'
import type { Caller } from '../connection/caller.ts'

export interface StoreClock {
  /** Milliseconds since the epoch, as far as this process knows; half a round trip may be missing. */
  now(): number
  /** Asks the store. Rejects with StoreUnavailable. */
  measure(): Promise<void>
}

/**
 * Makes the clock; it knows nothing until it has measured once. In a cluster it follows whichever node
 * answers.
 */
export function createStoreClock(
  caller: Caller,
  monotonic: Monotonic = monotonicClock,
): StoreClock {
  let ahead = Number.NaN
  return {
    now: () => monotonic() + ahead,
    async measure() {
      const before = monotonic()
      const there = await serverTime(caller)
      ahead = there - (before + monotonic()) / 2
    },
  }
}

/** The server's time in milliseconds since the epoch. Rejects with StoreUnavailable. */
export async function serverTime({ run }: Caller): Promise<number> {
  const [seconds, microseconds] = await run(client => client.time())
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}
