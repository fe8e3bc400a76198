// Keeps calls from a PostgreSQL that doesn't answer. After some failures in a row each call is refused at
// once, and the server is probed in the background. No call has to find out whether it is back.
import { setTimeout } from 'node:timers/promises'
import type { StoreUnavailable } from '../../ports/unavailable.ts'

/** So many failures in a row trip it. */
const FAILURES = 3
/** The pause before each probe; milliseconds. */
const PROBE_MS = 500

/** Whether calls go through. */
export interface Breaker {
  /** Throws the last fault while no call may go through. */
  refuse(): void
  /** Notes a call that got no answer. */
  failed(fault: StoreUnavailable): void
  /** Notes an answer. */
  answered(): void
  /** Ends the probes. */
  stop(): void
}

/** What a breaker may be made with. */
export interface BreakerOptions {
  /** Told when it trips, with the fault, and when calls go through again. */
  readonly changed?: ((fault: string | undefined) => void) | undefined
  /** Resolves after so many milliseconds, and keeps no process alive. */
  readonly wait?: (ms: number) => Promise<unknown>
}

/**
 * Makes the breaker.
 *
 * @param probe asks the server; resolves to its fault, or undefined when it answers
 */
export function createBreaker(
  probe: () => Promise<StoreUnavailable | undefined>,
  { changed = () => {}, wait = pause }: BreakerOptions = {},
): Breaker {
  let last: StoreUnavailable | undefined
  let [failures, isProbing, isStopped] = [0, false, false]

  const isDown = () => failures >= FAILURES && !isStopped

  function count(next: number): void {
    const [wasDown, isNowDown] = [failures, next].map(number => number >= FAILURES)
    failures = next
    if (isNowDown !== wasDown) changed(isNowDown ? last?.reason : undefined)
  }

  async function probeUntilBack(): Promise<void> {
    isProbing = true
    do {
      await wait(PROBE_MS)
      last = await probe()
      if (last === undefined) count(0)
    } while (isDown())
    isProbing = false
  }

  return {
    refuse() {
      if (last !== undefined && failures >= FAILURES) throw last
    },
    failed(fault) {
      last = fault
      count(failures + 1)
      if (failures >= FAILURES && !isProbing) probeUntilBack().then()
    },
    answered() {
      count(0)
    },
    stop() {
      isStopped = true
    },
  }
}

function pause(ms: number): Promise<void> {
  return setTimeout(ms, undefined, { ref: false })
}
