// What the store's clock says, without asking it every time.
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
export function createStoreClock(caller: Caller): StoreClock {
  let ahead = Number.NaN
  return {
    now: () => performance.now() + ahead,
    async measure() {
      const before = performance.now()
      const there = await serverTime(caller)
      ahead = there - (before + performance.now()) / 2
    },
  }
}

/** The server's time in milliseconds since the epoch. Rejects with StoreUnavailable. */
export async function serverTime({ run }: Caller): Promise<number> {
  const [seconds, microseconds] = await run(client => client.time())
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}
