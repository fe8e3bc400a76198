// The status of access tokens (IETF Token Status List): a bit each, in lists that verifiers fetch instead of
// asking about a token.
import { setTimeout as wait } from 'node:timers/promises'
import { monotonicClock, type Clock, type Monotonic } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { KeyRing } from '../keys/ring.ts'
import type { AlgorithmName } from '../oauth/algorithms.ts'
import {
  BLOCK_SIZE,
  type BlockOwner,
  type StatusEntry,
  type StatusLists,
} from '../stores/ports/status-lists.ts'
import { createJwtSigner } from '../tokens/sign-jwt.ts'
import { createDocumentOf, type StatusDocument } from './documents.ts'
import { createTakeStatusEntry, mayLive, type TakeStatusEntry } from './indices.ts'
import { hasBit } from './encode.ts'
import { createStatusMemory, type HeldList, type StatusMemory } from './memory.ts'

/** A list that isn't known is looked for at most so often; milliseconds. */
const SEARCH_MS = 100

export interface StatusService {
  /** Undefined: tokens have no status. */
  readonly take: TakeStatusEntry | undefined
  /** Where a list is fetched, signed as an audience needs it that knows this algorithm only. */
  uriOf(list: string, algorithm?: string): string
  /** The entry that a token's claim names; undefined: it names none of our lists. */
  entryOf(claim: { readonly idx: number; readonly uri: string }): StatusEntry | undefined
  /** Whether the token with this claim is known here to be revoked. */
  isRevoked(claim: { readonly idx: number; readonly uri: string }): boolean
  /**
   * As DocumentOf; a list that may be new is looked for in the store, where it may reject with
   * StoreUnavailable.
   */
  find(list: string, algorithm?: AlgorithmName): Promise<StatusDocument | undefined>
  /** Where all lists are fetched whose tokens may live. */
  uris(algorithm?: AlgorithmName): string[]
  /**
   * Reads what is new, and revokes what clients got by credentials that are gone. To be called twice a
   * second. Rejects with StoreUnavailable.
   */
  sync(): Promise<void>
  /** What is held, for metrics. */
  count(): { readonly lists: number; readonly revoked: number }
  /** How long verifiers may keep a list, in seconds. */
  readonly maxAge: number
}

export interface StatusServiceOptions {
  readonly issuer: string
  readonly status: { readonly enabled: boolean; readonly ttl: number }
  readonly lists: StatusLists
  readonly keys: Pick<KeyRing, 'signingKey'>
  /** Of clients that get tokens of their own. */
  readonly credentials: {
    /** Since when this server knows them; milliseconds since the epoch. */
    since(): number
    /** Whether the tokens of an owner are to die. */
    isGone(owner: BlockOwner): boolean
  }
  /** Told of the key of each list, and of the `exp` that it claims. */
  readonly signed: (kid: string, exp: number) => void
  readonly clock: Clock
  /** Default: the system's. */
  readonly monotonic?: Monotonic
  /** Default: the system's. */
  readonly random?: Random | undefined
  readonly metrics: {
    countStatusLease(): void
    observeStatusRebuild(seconds: number): void
  }
}

/** Makes the service, which knows no list yet. */
export function createStatusService({
  issuer,
  status,
  lists,
  keys,
  credentials,
  signed,
  clock,
  monotonic = monotonicClock,
  random,
  metrics,
}: StatusServiceOptions): StatusService {
  const prefix = `${issuer.replace(/\/$/, '')}/status/`
  const uriOf = (list: string, algorithm?: string) =>
    `${prefix}${list}${algorithm === undefined ? '' : `?alg=${algorithm}`}`
  const memory = createStatusMemory({ lists, clock })
  const documentOf = createDocumentOf({
    issuer,
    uriOf,
    ttl: status.ttl,
    memory,
    sign: createJwtSigner(keys.signingKey, signed),
    kid: algorithm => keys.signingKey(algorithm).kid,
    clock,
    monotonic,
    rebuilt: metrics.observeStatusRebuild,
  })
  const search = createSearch(memory, { clock, monotonic })
  const entryOf: StatusService['entryOf'] = ({ idx, uri }) =>
    uri.startsWith(prefix) ? { list: listIn(uri.slice(prefix.length)), idx } : undefined
  return {
    take: status.enabled
      ? createTakeStatusEntry({
          lists,
          since: credentials.since,
          clock,
          random,
          leased: metrics.countStatusLease,
        })
      : undefined,
    uriOf,
    entryOf,
    isRevoked(claim) {
      const entry = entryOf(claim)
      if (entry === undefined) return false
      const owner = memory.ownerOf(entry)
      return memory.isRevoked(entry) || (owner !== undefined && credentials.isGone(owner))
    },
    async find(list, algorithm) {
      await search(list)
      return documentOf(list, algorithm)
    },
    uris: algorithm => memory.all().map(({ list }) => uriOf(list, algorithm)),
    async sync() {
      await memory.sync()
      await lists.revoke(toRevoke(memory.all(), credentials.isGone))
    },
    count: () => ({
      lists: memory.all().length,
      revoked: memory.all().reduce((sum, { revoked }) => sum + revoked, 0),
    }),
    maxAge: Math.max(1, Math.floor(status.ttl / 1000)),
  }
}

/** All indices of the blocks whose owners are gone, by list, but for blocks that are revoked already. */
function toRevoke(
  lists: readonly HeldList[],
  isGone: (owner: BlockOwner) => boolean,
): Map<string, number[]> {
  const revoked = new Map<string, number[]>()
  for (const { list, owners, bits } of lists) {
    const indices = [...owners]
      .filter(([, owner]) => isGone(owner))
      .map(([first]) => blockFrom(first))
      .filter(block => bits === undefined || !block.every(idx => hasBit(bits, idx)))
      .flat()
    if (indices.length > 0) revoked.set(list, indices)
  }
  return revoked
}

function blockFrom(first: number): number[] {
  return Array.from({ length: BLOCK_SIZE }, (_, index) => first + index)
}

/** The name of a list without the algorithm behind it. */
function listIn(path: string): string {
  const [list = ''] = path.split('?', 1)
  return list
}

/**
 * Looks for a list that another server may have begun a moment ago. Strangers who make names up wait together
 * for one look.
 */
function createSearch(
  memory: StatusMemory,
  { clock, monotonic }: { readonly clock: Clock; readonly monotonic: Monotonic },
): (list: string) => Promise<void> {
  let searchedAt = -Infinity
  let searching: Promise<void> | undefined

  async function look(): Promise<void> {
    await wait(Math.max(0, searchedAt + SEARCH_MS - monotonic()))
    searchedAt = monotonic()
    await memory.sync()
  }

  return async list => {
    if (memory.find(list) !== undefined || !mayLive(list, clock())) return
    searching ??= look().finally(() => {
      searching = undefined
    })
    await searching
  }
}
