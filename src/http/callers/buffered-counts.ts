// Counting requests without waiting for the count. Where all replicas count together the answer comes from
// Redis, and a request that waits for it pays a second round trip. An address that is far from its limit
// needn't wait: it is counted a moment later, together with others.
import { LRUCache } from 'lru-cache'
import type {
  AddressCount,
  AddressCounts,
  AddressRequests,
} from '../../stores/ports/address-counts.ts'

/** How many addresses are remembered, some 2 MB. One that was forgotten is taken for new. */
const REMEMBERED = 10_000
/**
 * The share of a limit that may pass before Redis has answered at all; so far may each replica overshoot it.
 */
const UNHEARD_SHARE = 1 / 16
/** The share of a limit up to which an address is far from it. */
const FAR_SHARE = 1 / 2
/** How long counts that nobody waits for are gathered. */
const GATHER_MS = 10

/** Counts a request of an address that may make `max` in `windowMs`. Rejects with StoreUnavailable. */
export type CountRequest = (
  address: string,
  windowMs: number,
  max: number,
) => Promise<AddressCount>

/** What this process knows of an address's window. */
interface Window {
  /** As Redis told it last. */
  count: number
  /** Counted by this process since, and not answered yet. */
  unheard: number
  /** By the monotonic clock. */
  endsAt: number
}

/** What is counted by one question. */
interface Batch {
  readonly entries: Map<string, Entry>
  readonly answers: Promise<readonly AddressCount[]>
  /** Asks as soon as the turn of the event loop ends: somebody waits. */
  hurry(): void
}

interface Entry extends AddressRequests {
  requests: number
  readonly place: number
  readonly window: Window
}

/** Makes the counter. */
export function createCountAhead(
  { add }: AddressCounts,
  monotonic: () => number,
): CountRequest {
  const windows = new LRUCache<string, Window>({ max: REMEMBERED })
  let batch: Batch | undefined

  function windowOf(address: string, windowMs: number): Window {
    const now = monotonic()
    const known = windows.get(address)
    if (known !== undefined && now < known.endsAt) return known
    const begun = { count: 0, unheard: 0, endsAt: now + windowMs }
    windows.set(address, begun)
    return begun
  }

  function begin(): Batch {
    const entries: Batch['entries'] = new Map()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, GATHER_MS).unref()
    const answers = promise.then(() => {
      clearTimeout(timer)
      batch = undefined
      return ask([...entries.values()])
    })
    // Who waits is told by the same promise.
    answers.catch(() => {})
    let hurried: NodeJS.Immediate | undefined
    return {
      entries,
      answers,
      hurry: () => {
        hurried ??= setImmediate(resolve)
      },
    }
  }

  // What is never answered stays unheard until the window ends: without Redis nobody gets more than that
  // share.
  async function ask(entries: readonly Entry[]): Promise<readonly AddressCount[]> {
    const answers = await add(entries)
    for (const [place, { count, endsInMs }] of answers.entries()) {
      const { window, requests } = entries[place] as Entry
      window.unheard -= requests
      window.count = count
      window.endsAt = monotonic() + endsInMs
    }
    return answers
  }

  return async (address, windowMs, max) => {
    const window = windowOf(address, windowMs)
    window.unheard += 1
    const { entries, answers, hurry } = (batch ??= begin())
    const entry = entries.get(address) ?? {
      address,
      windowMs,
      requests: 0,
      place: entries.size,
      window,
    }
    entries.set(address, entry)
    const mine = ++entry.requests
    if (isFar(window, max)) {
      return {
        count: window.count + window.unheard,
        endsInMs: window.endsAt - monotonic(),
      }
    }
    hurry()
    const { count, endsInMs } = (await answers)[entry.place] as AddressCount
    // All of the batch were counted at once; each has its own place among them.
    return { count: count - entry.requests + mine, endsInMs }
  }
}

function isFar({ count, unheard }: Window, max: number): boolean {
  return unheard <= max * UNHEARD_SHARE && count + unheard <= max * FAR_SHARE
}
