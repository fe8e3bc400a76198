// Sends what waits for one way: a few items at once, each with a lease, so that no other server sends it at
// the same time. What fails comes again later, each time after twice as long, until it is given up.
import { setTimeout as wait } from 'node:timers/promises'
import type { Monotonic } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { OutboxItems, TakenItem, Way } from '../stores/ports/outbox.ts'
import { DeliveryFailed } from './delivery.ts'

/** What became of one try. `dropped`: there is nobody to send it to. */
export type Result = 'delivered' | 'dropped' | 'failed' | 'abandoned'

/** Sends the content of an item. Rejects when it has not arrived. */
export type Deliver = (
  item: TakenItem,
  signal: AbortSignal,
) => Promise<'delivered' | 'dropped'>

/** What a worker is made of. */
export interface WorkerOptions {
  readonly way: Way
  readonly items: Pick<OutboxItems, 'take' | 'remove' | 'postpone'>
  readonly deliver: Deliver
  /** How long one try may take, in milliseconds. */
  readonly timeoutMs: () => number
  /** How long it is tried, in milliseconds. */
  readonly giveUpMs: () => number
  /** Told of each try; `error` where it failed. Never throws. */
  readonly report: (result: Result, item: TakenItem, error?: unknown) => void
  readonly monotonic: Monotonic
  readonly random: Pick<Random, 'fraction'>
}

/** A worker. */
export interface Worker {
  /** Takes what is due and sends it. Resolves when it is on its way; rejects with StoreUnavailable. */
  work(): Promise<void>
  /** Takes nothing more, lets what is on its way end within `graceMs`, and hands back what does not. */
  stop(graceMs: number): Promise<void>
}

/** So many are on their way at once. */
const AT_ONCE = 8
/** A lease is longer than a try by this: the account is looked up, the end is written down. */
const LEASE_MARGIN_MS = 30_000
const FIRST_DELAY_MS = 2_000
const MOST_DELAY_MS = 10 * 60_000

/**
 * After how long a failed item comes again, in milliseconds: 2 s, then twice as long each time up to 10 min,
 * and of that between a half and the whole, so that what failed together doesn't come together.
 *
 * @param tries how often it was tried; at least 1
 * @param fraction from 0 up to 1, drawn at random
 */
export function delayAfter(tries: number, fraction: number): number {
  const whole = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** (tries - 1))
  return Math.round(whole * (0.5 + fraction / 2))
}

/** Makes a worker, which does nothing until it is called. */
export function createWorker(options: WorkerOptions): Worker {
  const { way, items, timeoutMs } = options
  const onTheirWay = new Set<Promise<void>>()
  const stopping = new AbortController()
  let isStopped = false
  const send = createSend(options, stopping.signal)

  function start(item: TakenItem): void {
    const sending = send(item).finally(() => onTheirWay.delete(sending))
    onTheirWay.add(sending)
  }

  let taking: Promise<readonly TakenItem[]> = Promise.resolve([])
  async function takeOnce(): Promise<boolean> {
    const free = AT_ONCE - onTheirWay.size
    if (isStopped || free === 0) return false
    taking = items.take(way, free, timeoutMs() + LEASE_MARGIN_MS)
    const taken = await taking
    taken.forEach(start)
    return taken.length === free
  }

  let looking: Promise<void> | undefined
  let isAskedAgain = false
  async function look(): Promise<void> {
    try {
      do {
        isAskedAgain = false
        // Whenever a place gets free, there may be more.
        while (await takeOnce()) await Promise.race(onTheirWay)
      } while (isAskedAgain)
    } finally {
      looking = undefined
    }
  }

  return {
    work() {
      // What was appended since the store was asked isn't among what it gives.
      isAskedAgain = looking !== undefined
      looking ??= look()
      return looking
    },
    async stop(graceMs) {
      isStopped = true
      // What was asked for comes, and is handed back with the rest.
      await taking.catch(() => {})
      const ended = Promise.all(onTheirWay)
      const grace = wait(graceMs, undefined, { signal: stopping.signal })
      await Promise.race([ended, grace])
      stopping.abort()
      await Promise.allSettled([ended, grace])
    },
  }
}

/** Makes the way of one item: one try, and what is written down of it. Never rejects. */
function createSend(options: WorkerOptions, stopped: AbortSignal) {
  const { items, deliver, timeoutMs, report, monotonic } = options

  async function fail(item: TakenItem, ageMs: number, error: unknown): Promise<void> {
    const leftMs = options.giveUpMs() - ageMs
    // Nobody is to blame for a server that stops: the next one sends it at once.
    if (stopped.aborted) {
      await items.postpone(item, 0)
    } else if (leftMs <= 0 || (error instanceof DeliveryFailed && error.isFinal)) {
      // Whoever has the lease says it.
      if (await items.remove(item)) report('abandoned', item, error)
    } else {
      const delay = delayAfter(item.tries, options.random.fraction())
      await items
        .postpone(item, Math.min(delay, leftMs))
        .finally(() => report('failed', item, error))
    }
  }

  return async function send(item: TakenItem): Promise<void> {
    const startedAt = monotonic()
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(timeoutMs())])
    const settle = await deliver(item, signal).then(
      result => async () => {
        await items.remove(item).finally(() => report(result, item))
      },
      (error: unknown) => () => fail(item, item.ageMs + monotonic() - startedAt, error),
    )
    // A store that is away leaves the lease as it is: when that ends, the item comes again.
    await Promise.resolve()
      .then(settle)
      .catch(() => {})
  }
}
