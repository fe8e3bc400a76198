// Asks a status list whether a token was revoked (IETF Token Status List): one small file for a million
// tokens, fetched when the copy is older than its `ttl`, instead of a question to Latchkey about each token.
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { jwtVerify, type JWTVerifyGetKey } from 'jose'

const unzip = promisify(inflate)

const FETCH_MS = 5_000
/** A list of 2^20 bits; what inflates to more is none of Latchkey's. */
const MOST_BYTES = 2 ** 17
const DEFAULT_TTL_SECONDS = 10
/** By how much the clocks of two machines may differ. */
export const LEEWAY_SECONDS = 30

/** The claim `status.status_list` of a token. */
export interface StatusReference {
  readonly idx: number
  readonly uri: string
}

/** Whether the token was revoked. Rejects when the list can't be had, which says nothing about the token. */
export type IsRevoked = (reference: StatusReference) => Promise<boolean>

interface StatusList {
  readonly bits: Uint8Array
  /** By performance.now(). */
  readonly freshUntil: number
  /** Seconds since the epoch. */
  readonly exp: number
}

/** Makes the question. A list that can't be fetched anew is used until its `exp`. */
export function createIsRevoked({
  issuer,
  keys,
}: {
  readonly issuer: string
  readonly keys: JWTVerifyGetKey
}): IsRevoked {
  const lists = new Map<string, StatusList>()
  const fetching = new Map<string, Promise<StatusList>>()

  async function load(uri: string): Promise<StatusList> {
    // Whatever the list says was so before it was asked for.
    const askedAt = performance.now()
    const answer = await fetch(uri, {
      headers: { accept: 'application/statuslist+jwt' },
      redirect: 'error',
      signal: AbortSignal.timeout(FETCH_MS),
    })
    if (!answer.ok) throw new Error(`the status list was answered ${answer.status}`)
    const { payload } = await jwtVerify<{
      ttl?: number
      status_list: { bits: number; lst: string }
    }>(await answer.text(), keys, {
      issuer,
      subject: uri,
      typ: 'statuslist+jwt',
      algorithms: ['ES256'],
      clockTolerance: LEEWAY_SECONDS,
      requiredClaims: ['exp', 'iat'],
    })
    if (payload.status_list.bits !== 1) throw new Error('not a list of one bit per token')
    const bits = await unzip(Buffer.from(payload.status_list.lst, 'base64url'), {
      maxOutputLength: MOST_BYTES,
    })
    return {
      bits,
      freshUntil: askedAt + 1000 * (payload.ttl ?? DEFAULT_TTL_SECONDS),
      exp: Number(payload.exp),
    }
  }

  // Many requests may want the same list; one fetches it.
  function loadOnce(uri: string): Promise<StatusList> {
    const loading =
      fetching.get(uri) ??
      load(uri).finally(() => {
        fetching.delete(uri)
      })
    fetching.set(uri, loading)
    return loading
  }

  async function listAt(uri: string): Promise<StatusList> {
    const known = lists.get(uri)
    if (known !== undefined && performance.now() < known.freshUntil) return known
    try {
      const list = await loadOnce(uri)
      lists.set(uri, list)
      for (const [old, { exp }] of lists) if (isPast(exp)) lists.delete(old)
      return list
    } catch (error) {
      if (known === undefined || isPast(known.exp)) throw error
      return known
    }
  }

  return async ({ idx, uri }) => {
    if (!uri.startsWith(`${issuer}/`)) throw new Error('a status list of somebody else')
    const byte = (await listAt(uri)).bits[idx >> 3]
    if (byte === undefined) throw new Error('the status list is too short')
    return ((byte >> (idx & 7)) & 1) === 1
  }
}

function isPast(exp: number): boolean {
  return exp * 1000 <= Date.now()
}
