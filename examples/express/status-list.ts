// Asks a status list whether a token was revoked (IETF Token Status List): one small file for a million
// tokens, fetched when the copy is older than its `ttl`. lru-cache keeps the lists, and makes one fetch for
// all requests that wait for the same.
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import { LRUCache } from 'lru-cache'

const unzip = promisify(inflate)

const FETCH_MS = 5_000
/** How long an old list is used before the new one is asked for again. */
const RETRY_MS = 1_000
/** A list of 2^20 bits; what inflates to more is none of Latchkey's. */
const MOST_BYTES = 2 ** 17
const DEFAULT_TTL_SECONDS = 10
/** By how much the clocks of two machines may differ. */
export const LEEWAY_SECONDS = 30

/** What a verified token says. */
export interface Bearer extends JWTPayload {
  readonly scope?: string
  readonly status?: {
    readonly status_list?: { readonly idx: number; readonly uri: string }
  }
}

interface StatusList {
  readonly bits: Uint8Array
  /** Seconds. */
  readonly ttl: number
  /** Seconds since the epoch. */
  readonly exp: number
}

/**
 * Makes the question whether a verified token was revoked. Its answer rejects when the list can't be had,
 * which says nothing about the token.
 */
export function createIsRevoked(
  issuer: string,
  keys: JWTVerifyGetKey,
): (bearer: Bearer) => Promise<boolean> {
  const lists = new LRUCache<string, StatusList>({
    // 12 MiB at most; the lists that are over fall out.
    max: 100,
    async fetchMethod(uri, old, { options }) {
      // Whatever the list says was so before it was asked for.
      const askedAt = performance.now()
      try {
        const list = await load(uri, issuer, keys)
        // A ttl of zero would be one without end.
        options.ttl = Math.max(
          1,
          Math.ceil(askedAt + 1000 * list.ttl - performance.now()),
        )
        return list
      } catch (error) {
        if (old === undefined || old.exp * 1000 <= Date.now()) throw error
        options.ttl = RETRY_MS
        return old
      }
    },
  })

  return async ({ status }) => {
    const reference = status?.status_list
    if (reference === undefined) return false
    const { idx, uri } = reference
    if (!uri.startsWith(`${issuer}/`)) throw new Error('a status list of somebody else')
    const byte = (await lists.fetch(uri))?.bits[idx >> 3]
    if (byte === undefined) throw new Error('the status list is too short')
    return ((byte >> (idx & 7)) & 1) === 1
  }
}

async function load(
  uri: string,
  issuer: string,
  keys: JWTVerifyGetKey,
): Promise<StatusList> {
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
  return { bits, ttl: payload.ttl ?? DEFAULT_TTL_SECONDS, exp: Number(payload.exp) }
}
