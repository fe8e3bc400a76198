// This folder records which verifiers fetch the keys, how often, and how many living tokens each key has
// signed. It decides nothing. The routes and the signer report to it; once a minute it adds its notes, whose
// number is bounded, to those of all servers in the store.
import type { Clock } from '../../base/clock.ts'
import type {
  SeenVerifier,
  SignedCount,
  Sightings,
  StoredSightings,
} from '../../stores/ports/documents/sightings.ts'

/** One fetch of the keys. */
export interface Fetch {
  /** A registered client that the verifier says it is, which nothing proves; null: it doesn't say. */
  readonly clientId: string | null
  readonly userAgent: string
  readonly address: string
  /** Whether the request was conditional (If-None-Match). */
  readonly conditional: boolean
}

/** Records sightings; neither `fetched` nor `signed` ever waits or throws. */
export interface SightingsRecorder {
  fetched(fetch: Fetch): void
  /** A token was signed; `exp` in seconds, as in its claims. */
  signed(kid: string, exp: number): void
  /**
   * Adds what was noted to the store. Rejects with StoreUnavailable; the notes of that time are then lost,
   * which harms nobody.
   */
  flush(): Promise<void>
}

/** Verifiers that don't say who they are, at a time in memory and in the store: anybody can make up names. */
const STRANGERS = 200
const GAPS = 8
const ADDRESSES = 8
const FORGET_MS = 200 * 86_400_000
const TRIES = 8
const USER_AGENT_LENGTH = 100

const MINUTE = 60_000

/**
 * What was noted of one verifier since the last flush. Changed in place: fetches are the most frequent thing
 * of all.
 */
type Note = {
  -readonly [Name in keyof Omit<SeenVerifier, 'gaps'>]: SeenVerifier[Name]
} & { readonly gaps: number[] }

/** Makes the recorder. */
export function createSightings({
  sightings,
  clock,
}: {
  readonly sightings: Sightings
  readonly clock: Clock
}): SightingsRecorder {
  let notes = new Map<string, Note>()
  let counts = new Map<string, SignedCount>()
  let strangers = 0

  const fetched = (fetch: Fetch) => {
    const id = fetch.clientId ?? `${fetch.userAgent}\n${fetch.address}`
    const note = notes.get(id)
    if (note !== undefined) return renew(note, fetch, clock())
    if (fetch.clientId === null && ++strangers > STRANGERS) return
    const now = clock()
    notes.set(id, {
      ...fetch,
      ...(fetch.clientId !== null && { addresses: [fetch.address] }),
      fetches: 1,
      firstAt: now,
      lastAt: now,
      gaps: [],
    })
  }

  const signed = (kid: string, exp: number) => {
    const expiresAt = bucketOf(exp * 1000, clock())
    const id = `${kid} ${expiresAt}`
    counts.set(id, { kid, expiresAt, count: (counts.get(id)?.count ?? 0) + 1 })
  }

  const take = (): Notes => {
    const taken = { notes: [...notes.values()].map(toSeen), counts: [...counts.values()] }
    notes = new Map()
    counts = new Map()
    strangers = 0
    return taken
  }

  return {
    fetched,
    signed,
    async flush() {
      if (notes.size + counts.size === 0) return
      const taken = take()
      // After so many conflicts with other servers the notes aren't worth another try.
      for (let tries = 0; tries < TRIES; tries++) {
        if (await sightings.save(merged(await sightings.load(), taken, clock()))) return
      }
    },
  }
}

/** How many tokens of a key live, as far as the servers have reported: all but the last minute. */
export function liveTokens(
  { signed }: StoredSightings,
  kid: string,
  now: number,
): number {
  return signed
    .filter(count => count.kid === kid && count.expiresAt > now)
    .reduce((sum, { count }) => sum + count, 0)
}

/** The name of a verifier: its client, however many addresses it has; else its user agent and address. */
export function nameOf({
  clientId,
  userAgent,
  address,
}: Pick<Fetch, 'clientId' | 'userAgent' | 'address'>): string {
  return clientId ?? `${userAgent} at ${address}`
}

/** Where the fetches of a verifier came from, as far as it is known; the newest last. */
export function addressesOf({
  addresses,
  address,
}: Pick<SeenVerifier, 'addresses' | 'address'>): readonly string[] {
  return addresses ?? [address]
}

function renew(
  note: Note,
  { userAgent, address, conditional }: Fetch,
  now: number,
): void {
  note.userAgent = userAgent
  if (note.addresses !== undefined && note.address !== address) {
    note.addresses = lastOf([...note.addresses, address])
  }
  note.address = address
  note.conditional = conditional
  note.fetches++
  note.gaps.push(now - note.lastAt)
  if (note.gaps.length > GAPS) note.gaps.shift()
  note.lastAt = now
}

// Each address once, at the place of its last fetch.
function lastOf(addresses: readonly string[]): readonly string[] {
  return addresses
    .filter((address, index) => addresses.lastIndexOf(address) === index)
    .slice(-ADDRESSES)
}

function toSeen(note: Note): SeenVerifier {
  return { ...note, userAgent: printable(note.userAgent) }
}

// It is shown on terminals.
function printable(text: string): string {
  return text.slice(0, USER_AGENT_LENGTH).replaceAll(/[^\x20-\x7e]/g, '?')
}

// Minutes are counted singly for short-lived tokens only, so that long lives don't make long lists.
function bucketOf(expiresAt: number, now: number): number {
  const life = expiresAt - now
  const size =
    life <= 15 * MINUTE ? MINUTE : life <= 180 * MINUTE ? 10 * MINUTE : 60 * MINUTE
  return Math.ceil(expiresAt / size) * size
}

interface Notes {
  readonly notes: readonly SeenVerifier[]
  readonly counts: readonly SignedCount[]
}

// What a newer release has put into the document stays in it.
function merged(
  stored: StoredSightings,
  { notes, counts }: Notes,
  now: number,
): StoredSightings {
  const seen = new Map(stored.verifiers.map(verifier => [nameOf(verifier), verifier]))
  for (const note of notes) {
    const before = seen.get(nameOf(note))
    seen.set(nameOf(note), before === undefined ? note : joined(before, note))
  }
  return {
    ...stored,
    verifiers: bounded([...seen.values()], now),
    signed: summed([...stored.signed, ...counts], now),
  }
}

// Servers report their minutes in no order: a fetch that seems older than the last one says nothing about
// gaps.
function joined(
  before: SeenVerifier,
  { fetches, firstAt, lastAt, gaps, ...fetch }: SeenVerifier,
): SeenVerifier {
  const addresses = [...addressesOf(before), ...(fetch.addresses ?? [])]
  return {
    ...before,
    ...fetch,
    ...(fetch.addresses !== undefined && { addresses: lastOf(addresses) }),
    fetches: before.fetches + fetches,
    firstAt: before.firstAt,
    lastAt: Math.max(before.lastAt, lastAt),
    gaps: [...before.gaps, firstAt - before.lastAt, ...gaps]
      .filter(gap => gap > 0)
      .slice(-GAPS),
  }
}

// Strangers who come often are verifiers; those who came once may be anything.
function bounded(verifiers: readonly SeenVerifier[], now: number): SeenVerifier[] {
  const remembered = verifiers.filter(({ lastAt }) => lastAt > now - FORGET_MS)
  const strangers = remembered
    .filter(({ clientId }) => clientId === null)
    .toSorted((a, b) => b.fetches - a.fetches)
  return [
    ...remembered.filter(({ clientId }) => clientId !== null),
    ...strangers.slice(0, STRANGERS),
  ]
}

function summed(counts: readonly SignedCount[], now: number): SignedCount[] {
  const sums = new Map<string, SignedCount>()
  for (const signed of counts) {
    const id = `${signed.kid} ${signed.expiresAt}`
    if (signed.expiresAt <= now) continue
    const before = sums.get(id)
    sums.set(id, { ...before, ...signed, count: (before?.count ?? 0) + signed.count })
  }
  return [...sums.values()]
}
