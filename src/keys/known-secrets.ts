// Knows which secrets the other servers have, by fingerprints in the store. While `secrets` is being changed,
// one server may not be able to open what another has sealed: that is a fault, never a verdict on the token.
import { monotonicClock, type Monotonic } from '../base/clock.ts'
import { secretMarks, type SecretMark } from '../base/secrets.ts'
import type { Store } from '../stores/ports/store.ts'
import type {
  StoredSecretList,
  StoredSecretLists,
} from '../stores/ports/documents/secret-lists.ts'

/**
 * How long a configuration counts as living after its last server reported it: a restarted pod, or an
 * operator who rolls back, takes that long. Milliseconds.
 */
export const LIFE_MS = 600_000
const RENEW_MS = 60_000

/** A server that was silent for so long no longer runs; milliseconds. */
const SILENT_MS = 90_000

/** How old a read may be to conclude that no server has a secret; milliseconds. */
export const TRUST_MS = 3_000

/** After a time without the store the others get this long to report again before they count as gone. */
const GRACE_MS = 60_000

/** A failed try means that another server was faster; the next sync goes on. */
const TRIES = 100

/** The secrets of all servers, as far as this one knows. */
export interface KnownSecrets {
  /** Reads the secrets of the servers. Rejects with StoreUnavailable. */
  read(): Promise<void>
  /**
   * Reads the secrets of the others and publishes those of this server. To be called at the start and once a
   * second. Rejects with StoreUnavailable.
   */
  sync(): Promise<void>
  /**
   * Whether another server has a secret of that number, which this one has not. Asks the store only if it
   * wasn't read for TRUST_MS. Rejects with StoreUnavailable.
   */
  isElsewhere(number: number): Promise<boolean>
  /**
   * Withdraws this server's configuration, unless another server of the same one renews it: a server that
   * can't start has sealed nothing. Rejects with StoreUnavailable.
   */
  withdraw(): Promise<void>
  /** Whether every server of the last LIFE_MS has this secret, as far as is known. */
  isEverywhere(id: string): boolean
  /** Whether every server that runs now has this secret, as far as is known. */
  isWithAllThatRun(id: string): boolean
  /** The fingerprints of secrets that others have and this server has not, as far as is known. */
  missing(): readonly string[]
  /** This server's own, in the order of the configuration. */
  readonly own: readonly SecretMark[]
}

export interface KnownSecretsOptions {
  /** Its clock is the one by which all servers judge who lives. */
  readonly store: Pick<Store, 'secretLists' | 'now'>
  /** As configured. */
  readonly secrets: readonly string[]
  /** Milliseconds of a clock that only runs forward. */
  readonly monotonic?: Monotonic
}

/** When the store was asked, by the monotonic clock, and what its own clock said. */
interface Instants {
  readonly startedAt: number
  readonly at: number
}

/** Makes it; it knows nothing until the first sync. */
export function createKnownSecrets({
  store,
  secrets,
  monotonic = monotonicClock,
}: KnownSecretsOptions): KnownSecrets {
  const own = secretMarks(secrets)
  const name = nameOf(own)
  const others = new Map<string, StoredSecretList>()
  let readAt = -Infinity
  let seenAt = -Infinity
  let graceUntil = -Infinity
  let reading: Promise<unknown> | undefined

  function take(found: readonly StoredSecretList[], { startedAt, at }: Instants): void {
    if (startedAt - readAt > TRUST_MS) graceUntil = at + GRACE_MS
    readAt = Math.max(readAt, startedAt)
    seenAt = at
    for (const list of found) {
      const key = nameOf(list.secrets)
      // A restored store may be older than what this process has read.
      const until = Math.max(list.until, others.get(key)?.until ?? list.until)
      others.set(key, { ...list, until })
    }
    others.delete(name)
    for (const [key, { until }] of others) {
      if (until <= at && graceUntil <= at) others.delete(key)
    }
  }

  async function load(): Promise<{ stored: StoredSecretLists; at: number }> {
    const startedAt = monotonic()
    const [stored, at] = await Promise.all([store.secretLists.load(), store.now()])
    take(stored.lists, { startedAt, at })
    return { stored, at }
  }

  // Simultaneous callers share one read: strangers must not multiply the load on the store.
  async function read(): Promise<void> {
    reading ??= load().finally(() => {
      reading = undefined
    })
    await reading
  }

  /** Writes how long this configuration lives from now; null: nothing has to be written. */
  async function put(lifeOf: (found: Presence) => number | null): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      const { stored, at } = await load()
      const until = stored.lists.find(list => nameOf(list.secrets) === name)?.until
      const lifeMs = lifeOf({ until, at })
      if (lifeMs === null) return
      const list = { secrets: own, until: at + lifeMs }
      const lists = withList(stored.lists, list, at)
      if (await store.secretLists.save({ ...stored, lists })) return
    }
  }

  const known = () => [...others.values()]
  const missing = () =>
    known()
      .flatMap(list => list.secrets)
      .filter(mark => !isIn(own, mark.id))
  return {
    own,
    read,
    sync: () => put(found => (isFresh(found) ? null : LIFE_MS)),
    withdraw: () => put(() => 0),
    async isElsewhere(number) {
      if (monotonic() - readAt > TRUST_MS) await read()
      return missing().some(mark => mark.number === number)
    },
    isEverywhere: id => known().every(list => isIn(list.secrets, id)),
    isWithAllThatRun: id =>
      runningLists(known(), seenAt).every(list => isIn(list.secrets, id)),
    missing: () => [...new Set(missing().map(({ id }) => id))].sort(),
  }
}

/** The lists of servers that run at this instant of the store's clock, in milliseconds. */
export function runningLists(
  lists: readonly StoredSecretList[],
  at: number,
): readonly StoredSecretList[] {
  return lists.filter(({ until }) => until > at + LIFE_MS - SILENT_MS)
}

function isIn(marks: readonly SecretMark[], secretId: string): boolean {
  return marks.some(({ id }) => id === secretId)
}

function nameOf(secrets: readonly SecretMark[]): string {
  return secrets.map(({ id }) => id).join()
}

/** How long the store lists this configuration; undefined: not at all. */
interface Presence {
  readonly until: number | undefined
  readonly at: number
}

function isFresh({ until, at }: Presence): boolean {
  return until !== undefined && until > at + LIFE_MS - RENEW_MS
}

// An ended list stays for as long again: servers that come back from an outage have to find each other.
function withList(
  lists: readonly StoredSecretList[],
  list: StoredSecretList,
  at: number,
): StoredSecretList[] {
  const others = lists.filter(({ secrets, until }) => {
    return nameOf(secrets) !== nameOf(list.secrets) && until > at - LIFE_MS
  })
  return [...others, list]
}
