// The signed lists that verifiers fetch (IETF Token Status List §5.1): made when somebody asks, and kept
// until something changes.
import { hash } from 'node:crypto'
import { monotonicClock, type Clock, type Monotonic } from '../base/clock.ts'
import type { AlgorithmName } from '../oauth/algorithms.ts'
import { temporarilyUnavailable } from '../oauth/errors.ts'
import type { SignJwt } from '../tokens/sign-jwt.ts'
import { LIST_SIZE } from '../stores/ports/status-lists.ts'
import { encodeBits } from './encode.ts'
import type { HeldList, StatusMemory } from './memory.ts'

export const STATUS_LIST_TYP = 'statuslist+jwt'

/** How long a list claims to be good after it was last read from the store; milliseconds. */
export const LIFE_MS = 900_000
/** A list that hasn't changed is signed anew when it is so old. */
const RENEW_MS = 300_000

/** A list as it is served. */
export interface StatusDocument {
  readonly jwt: string
  /** Tells the document from all others. */
  readonly tag: string
}

/**
 * The document of a list, signed as an audience needs it that knows this algorithm only; undefined: there is
 * no such list.
 *
 * @throws OAuthError temporarily_unavailable when the list couldn't be read from the store for so long that
 * it can't be vouched for
 */
export type DocumentOf = (
  list: string,
  algorithm?: AlgorithmName,
) => Promise<StatusDocument | undefined>

export interface StatusDocumentsOptions {
  readonly issuer: string
  readonly uriOf: (list: string, algorithm?: AlgorithmName) => string
  /** How long verifiers may keep a list, in milliseconds. */
  readonly ttl: number
  readonly memory: Pick<StatusMemory, 'find' | 'syncedAt' | 'sync'>
  readonly sign: SignJwt
  /**
   * The key that signs now: a list that was signed by another is signed anew, lest a key that leaked vouches
   * for it.
   */
  readonly kid: (algorithm?: AlgorithmName) => string
  readonly clock: Clock
  /** Default: the system's. */
  readonly monotonic?: Monotonic
  /** Told how long it took to make a document; seconds. */
  readonly rebuilt?: (seconds: number) => void
}

/** A document, and what it was made of. */
interface Made {
  readonly list: string
  readonly document: Promise<StatusDocument>
  readonly revoked: number
  readonly kid: string
  readonly madeAt: number
  readonly goodUntil: number
}

/** What is asked for. */
interface Wanted {
  readonly held: HeldList
  readonly algorithm: AlgorithmName | undefined
}

function idOf(list: string, algorithm = ''): string {
  return `${algorithm} ${list}`
}

/** A list that nobody has revoked a token of. */
const NO_BITS = encodeBits(new Uint8Array(LIST_SIZE / 8))

/**
 * Makes the encoding of lists, which is most of what a document costs. It is made anew only when a token of
 * the list has been revoked since: for each algorithm, each new key and each renewal it is the same.
 */
function createEncoding(): (held: HeldList) => string {
  // A list that is gone takes what was kept of it along.
  const kept = new WeakMap<
    Uint8Array,
    { readonly revoked: number; readonly lst: string }
  >()
  return ({ bits, revoked }) => {
    if (bits === undefined) return NO_BITS
    const last = kept.get(bits)
    if (last?.revoked === revoked) return last.lst
    const lst = encodeBits(bits)
    kept.set(bits, { revoked, lst })
    return lst
  }
}

/** Makes the documents. */
export function createDocumentOf({
  issuer,
  uriOf,
  ttl,
  memory,
  sign,
  kid,
  clock,
  monotonic = monotonicClock,
  rebuilt = () => {},
}: StatusDocumentsOptions): DocumentOf {
  const made = new Map<string, Made>()
  const encode = createEncoding()

  async function build({
    held,
    algorithm,
    goodUntil,
  }: Wanted & { readonly goodUntil: number }): Promise<StatusDocument> {
    const startedAt = monotonic()
    const { list } = held
    const lst = encode(held)
    const jwt = await sign(
      {
        iss: issuer,
        sub: uriOf(list, algorithm),
        iat: Math.floor(clock() / 1000),
        exp: Math.floor(goodUntil / 1000),
        ttl: Math.max(1, Math.floor(ttl / 1000)),
        status_list: { bits: 1, lst },
      },
      STATUS_LIST_TYP,
      algorithm,
    )
    rebuilt((monotonic() - startedAt) / 1000)
    return { jwt, tag: hash('sha256', jwt, 'base64url').slice(0, 22) }
  }

  function make({ held, algorithm }: Wanted, now: number): Made {
    const id = idOf(held.list, algorithm)
    const goodUntil = memory.syncedAt() + LIFE_MS
    const next = {
      list: held.list,
      document: build({ held, algorithm, goodUntil }),
      revoked: held.revoked,
      kid: kid(algorithm),
      madeAt: now,
      goodUntil,
    }
    // One that couldn't be signed is tried anew by who asks next.
    next.document.catch(() => {
      made.delete(id)
    })
    made.set(id, next)
    for (const [other, { list }] of made) {
      if (memory.find(list) === undefined) made.delete(other)
    }
    return next
  }

  return async (list, algorithm) => {
    const held = memory.find(list)
    if (held === undefined) return undefined
    const now = clock()
    if (now >= memory.syncedAt() + LIFE_MS) {
      throw temporarilyUnavailable('status_list_stale')
    }
    const last = made.get(idOf(list, algorithm))
    const isGood =
      last !== undefined &&
      last.revoked === held.revoked &&
      last.kid === kid(algorithm) &&
      now - last.madeAt < RENEW_MS &&
      now < last.goodUntil
    return (isGood ? last : make({ held, algorithm }, now)).document
  }
}
