// Counting a request without waiting for the count. Where all replicas count together the answer comes from Redis, and a request that waits
// for it pays a second round trip. An address that is far from its limit needn't wait: its requests are counted all the same.
import { LRUCache } from 'lru-cache'
import type { AddressCount, AddressCounts } from '../stores/ports-addresses.ts'

/** How many addresses are remembered, some 2 MB. One that was forgotten is taken for new. */
const REMEMBERED = 10_000
/** The share of a limit that may pass before Redis has answered at all; so far may each replica overshoot it. */
const UNHEARD_SHARE = 1 / 16
/** The share of a limit up to which an address is far from it. */
const FAR_SHARE = 1 / 2

/** Counts a request of an address that may make `max` in `windowMs`. Rejects with StoreUnavailable. */
export type CountRequest = (address: string, windowMs: number, max: number) => Promise<AddressCount>

/** What this process knows of an address's window. */
interface Window {
  /** As Redis told it last. */
  count: number
  /** Counted by this process since, and not answered yet. */
  unheard: number
  /** By the monotonic clock. */
  endsAt: number
}

/** Makes the counter. */
export function createCountAhead ({ hit }: AddressCounts, monotonic: () => number = () => performance.now()): CountRequest {
  const windows = new LRUCache<string, Window>({ max: REMEMBERED })

  function windowOf (address: string, windowMs: number): Window {
    const now = monotonic()
    const known = windows.get(address)
    if (known !== undefined && now < known.endsAt) return known
    const begun = { count: 0, unheard: 0, endsAt: now + windowMs }
    windows.set(address, begun)
    return begun
  }

  // What is never answered stays unheard until the window ends: without Redis nobody gets more than that share.
  async function ask (window: Window, address: string, windowMs: number): Promise<AddressCount> {
    const heard = await hit(address, windowMs)
    window.unheard -= 1
    window.count = heard.count
    window.endsAt = monotonic() + heard.endsInMs
    return heard
  }

  return async (address, windowMs, max) => {
    const window = windowOf(address, windowMs)
    window.unheard += 1
    const heard = ask(window, address, windowMs)
    if (!isFar(window, max)) return heard
    heard.catch(() => {})
    return { count: window.count + window.unheard, endsInMs: window.endsAt - monotonic() }
  }
}

function isFar ({ count, unheard }: Window, max: number): boolean {
  return unheard <= max * UNHEARD_SHARE && count + unheard <= max * FAR_SHARE
}
