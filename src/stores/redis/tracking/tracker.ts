// Redis reports which of the keys that were read on a connection have changed (CLIENT TRACKING). The driver
// hears such reports by RESP2 alone, on a second connection. What was heard is known to be up to date only
// for a moment after both connections have answered.
import type { Cluster, Redis } from 'ioredis'
import { monotonicClock, type Monotonic } from '../../../base/clock.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import type { Caller } from '../connection/caller.ts'
import type { Link } from '../connection/link.ts'

const CHANNEL = '__redis__:invalidate'
/** How old an answer from memory may be: so long after both connections were asked for a sign of life. */
const FRESH_MS = 1000
/** How often they are asked. */
const BEAT_MS = 250
/** A probe's key goes by itself. */
const PROBE_MS = 1000
/** What says that the connections are not at one primary. Opened anew, they may be. */
const APART = /READONLY|redirect|reports no changes/
/** What stands between the braces of a key is what all keys of one user share. */
const TAG = /\{([^}]+)\}/g

/** What hears of changes. */
export interface Changes {
  /** A key with this tag has changed since it was read. */
  changed(tag: string): void
  /** Any key may have changed. */
  forget(): void
}

export interface TrackerOptions {
  /** The store's own connection. */
  readonly main: Link
  /** Reads on it are tracked. */
  readonly tracked: Link
  /** Hears of changes; by RESP2. */
  readonly listening: Link
  /** A key that nobody else writes. */
  readonly probeKey: string
  readonly changes: Changes
  /** Default: the system's. */
  readonly monotonic?: Monotonic
}

export interface Tracker {
  /** Whether every change was heard of that is older than a second. */
  isFresh(): boolean
  /** Why changes aren't heard of; undefined: they are. */
  fault(): string | undefined
  /** Ends both connections. */
  close(): void
}

/** Begins to track, now if that is possible, or later; resolves when that is known. */
export async function startTracker({
  main,
  tracked,
  listening,
  probeKey,
  changes,
  monotonic = monotonicClock,
}: TrackerOptions): Promise<Tracker> {
  const reports = createReports({ listening, probeKey, changes })
  let isTracking = false
  let freshUntil = -Infinity
  let fault: string | undefined
  let losses = 0

  function lose(): void {
    losses += 1
    isTracking = false
    freshUntil = -Infinity
    changes.forget()
  }

  async function begin(): Promise<void> {
    const lossesBefore = losses
    const redirect = ['TRACKING', 'ON', 'REDIRECT', await reports.listen()] as const
    await tracked.run(client => client.call('CLIENT', ...redirect))
    // A replica reports what its primary was told, too, but late, or no longer: it takes no write itself.
    await tracked.run(client => client.del(`${probeKey}:none`))
    const probesBefore = reports.probes()
    // Ids repeat from server to server. That a write on the store's own connection is reported shows that all
    // three are connected to the same one.
    await tracked.run(client => client.exists(probeKey))
    await main.run(client => client.set(probeKey, 1, 'PX', PROBE_MS))
    await ping(listening)
    // A connection that was made anew meanwhile isn't tracked.
    if (reports.probes() === probesBefore || losses !== lossesBefore) throw unheard()
    isTracking = true
  }

  async function beat(): Promise<void> {
    const askedAt = monotonic()
    try {
      if (isTracking) await Promise.all([ping(tracked), ping(listening)])
      else await begin()
      if (isTracking) freshUntil = askedAt + FRESH_MS
      fault = undefined
    } catch (error) {
      fault = String(error).replace(/^.*?the store is unavailable: /, '')
      if (APART.test(fault)) moveOn()
    }
  }

  function moveOn(): void {
    for (const { client } of [tracked, listening]) reconnect(client)
  }

  for (const { client } of [tracked, listening]) client.on('close', lose)
  // It may come back as a connection to another server.
  main.client.on('close', () => {
    lose()
    moveOn()
  })
  await beat()
  const stop = keepDoing(beat)

  return {
    isFresh: () => monotonic() < freshUntil,
    fault: () => fault,
    close() {
      stop()
      for (const link of [tracked, listening]) link.close()
    },
  }
}

/** What Redis reports on the second connection. */
function createReports({
  listening,
  probeKey,
  changes,
}: Pick<TrackerOptions, 'listening' | 'probeKey' | 'changes'>) {
  const { client } = listening
  let listener: number | undefined
  let probes = 0

  function hear(keys: string): void {
    // Without any: the whole database was emptied.
    if (keys === '') changes.forget()
    if (keys.includes(probeKey)) probes += 1
    for (const [, tag = ''] of keys.matchAll(TAG)) changes.changed(tag)
  }

  client.on('close', () => {
    listener = undefined
  })
  client.on('message', (_channel: string, keys: string) => hear(keys))

  return {
    /** How often the probe was heard of. */
    probes: () => probes,
    /** Gives the id by which Redis knows the connection; nothing but PING may be asked on it afterwards. */
    async listen(): Promise<number> {
      if (listener !== undefined) return listener
      const id = Number(await listening.run(it => it.call('CLIENT', 'ID')))
      await listening.run(it => it.subscribe(CHANNEL))
      listener = id
      return id
    },
  }
}

function unheard(): StoreUnavailable {
  return new StoreUnavailable(undefined, 'it reports no changes')
}

function ping({ run }: Caller): Promise<unknown> {
  return run(client => client.ping())
}

function reconnect(client: Redis | Cluster): void {
  if (client.status === 'ready') client.disconnect(true)
}

/** Does it again and again, never twice at a time; gives the way to stop. */
function keepDoing(work: () => Promise<void>): () => void {
  let isBusy = false
  const timer = setInterval(async () => {
    if (isBusy) return
    isBusy = true
    await work()
    isBusy = false
  }, BEAT_MS).unref()
  return () => clearInterval(timer)
}
