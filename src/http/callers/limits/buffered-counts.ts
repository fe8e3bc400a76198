// Counts requests in Redis without waiting for the count, where that is safe. All replicas count together, so
// the count comes from Redis, and a request that waits for it pays a second round trip. A request of an
// address well below its limit is counted a moment later, together with others.
import { LRUCache } from 'lru-cache'
import type {
  AddressCount,
  AddressCounts,
  AddressRequests,
} from '../../../stores/ports/address-counts.ts'

/** How many addresses are remembered, some 2 MB. A forgotten one counts as new. */
const REMEMBERED = 10_000
/** The share of a limit that may pass before Redis has answered: each replica may overshoot by that much. */
const PENDING_SHARE = 1 / 16
/** Up to this share of its limit an address is well below it. */
const WELL_BELOW_SHARE = 1 / 2
/** How long counts are gathered that no request waits for. */
const GATHER_MS = 10

/** Counts a request of an address that may make `max` in `windowMs`. Rejects with StoreUnavailable. */
export type CountRequest = (
  address: string,
  windowMs: number,
  max: number,
) => Promise<AddressCount>

/** What this process knows of an address's window. */
interface Window {
  /** As Redis reported it last. */
  count: number
  /** Counted by this process since; Redis has not confirmed them yet. */
  pending: number
  /** By the monotonic clock. */
  endsAt: number
}

/** What is counted in one round trip. */
interface Batch {
  readonly entries: Map<string, Entry>
  /** Once Redis has counted all of them. */
  readonly answered: Promise<void>
  /** Sends the batch at the end of this turn of the event loop: a request waits for it. */
  flushSoon(): void
}

interface Entry extends AddressRequests {
  requests: number
  /** As Redis reported them; 0 until then. */
  count: number
  endsInMs: number
  /** Takes Redis' report. */
  confirm(answer: AddressCount): void
}

/** Makes the counter. */
export function createBufferedCounter(
  { add }: AddressCounts,
  monotonic: () => number,
): CountRequest {
  const windows = new LRUCache<string, Window>({ max: REMEMBERED })
  let batch: Batch | undefined

  function windowOf(address: string, windowMs: number): Window {
    const now = monotonic()
    const known = windows.get(address)
    if (known !== undefined && now < known.endsAt) return known
    const begun = { count: 0, pending: 0, endsAt: now + windowMs }
    windows.set(address, begun)
    return begun
  }

  function begin(): Batch {
    const entries: Batch['entries'] = new Map()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, GATHER_MS).unref()
    const answered = promise.then(() => {
      clearTimeout(timer)
      batch = undefined
      return ask([...entries.values()])
    })
    // Waiting requests get this rejection through the same promise.
    answered.catch(() => {})
    let flushing: NodeJS.Immediate | undefined
    return {
      entries,
      answered,
      flushSoon: () => {
        flushing ??= setImmediate(resolve)
      },
    }
  }

  // A count that Redis never confirms stays pending until the window ends: without Redis no address gets more
  // than that share.
  async function ask(entries: readonly Entry[]): Promise<void> {
    const answers = await add(entries)
    for (const [place, answer] of answers.entries()) entries[place]?.confirm(answer)
  }

  return async (address, windowMs, max) => {
    const window = windowOf(address, windowMs)
    window.pending += 1
    const { entries, answered, flushSoon } = (batch ??= begin())
    const entry =
      entries.get(address) ?? makeEntry({ address, windowMs }, window, monotonic)
    entries.set(address, entry)
    const placeInBatch = ++entry.requests
    if (isWellBelow(window, max)) {
      return {
        count: window.count + window.pending,
        endsInMs: window.endsAt - monotonic(),
      }
    }
    flushSoon()
    await answered
    // Redis counted the whole batch at once; this request has its own place in it.
    const { count, requests, endsInMs } = entry
    return { count: count - requests + placeInBatch, endsInMs }
  }
}

function isWellBelow({ count, pending }: Window, max: number): boolean {
  return pending <= max * PENDING_SHARE && count + pending <= max * WELL_BELOW_SHARE
}

function makeEntry(
  { address, windowMs }: Pick<AddressRequests, 'address' | 'windowMs'>,
  window: Window,
  monotonic: () => number,
): Entry {
  return {
    address,
    windowMs,
    requests: 0,
    count: 0,
    endsInMs: 0,
    confirm({ count, endsInMs }) {
      window.pending -= this.requests
      window.count = count
      window.endsAt = monotonic() + endsInMs
      this.count = count
      this.endsInMs = endsInMs
    },
  }
}
