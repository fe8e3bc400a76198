// Asks a status list whether a token was revoked (IETF Token Status List): one small file for a million
// tokens, fetched when the copy is older than its `ttl`, instead of a question to Latchkey about each token.
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { jwtVerify, type JWTVerifyGetKey } from 'jose'

const unzip = promisify(inflate)

const FETCH_MS = 5_000
/** A list of 2^20 bits; what inflates to more is none of Latchkey's. */
const MOST_BYTES = 2 ** 17
/** The same as text: base64 makes it longer twice. */
const MOST_CHARACTERS = 2 * MOST_BYTES
const DEFAULT_TTL_SECONDS = 10
/** After a failure. Those who wait don't ask in vain, too, one after the other. */
const RETRY_MS = 1_000

/** The claim `status.status_list` of a token. */
export interface StatusReference {
  readonly idx: number
  readonly uri: string
}

/** Whether the token was revoked. Rejects when the list can't be had, which says nothing about the token. */
export type IsRevoked = (reference: StatusReference) => Promise<boolean>

export interface StatusListOptions {
  readonly issuer: string
  /** What the lists' addresses begin with: the issuer without a slash at its end. */
  readonly base: string
  readonly keys: JWTVerifyGetKey
  readonly algorithms: readonly string[]
  readonly leewaySeconds: number
}

interface StatusList {
  readonly bits: Uint8Array
  /** By performance.now(). */
  readonly freshUntil: number
  /** Seconds since the epoch. */
  readonly exp: number
  /** Why it couldn't be fetched anew. */
  readonly fault?: unknown
}

/** Makes the question. A list that can't be fetched anew is used until its `exp`. */
export function createIsRevoked(options: StatusListOptions): IsRevoked {
  const lists = new Map<string, StatusList>()
  const fetching = new Map<string, Promise<StatusList>>()

  async function renew(uri: string): Promise<StatusList> {
    const known = lists.get(uri)
    const list = await load(uri, options).catch((fault): StatusList => ({
      bits: known?.bits ?? new Uint8Array(),
      exp: known?.exp ?? 0,
      freshUntil: performance.now() + RETRY_MS,
      fault,
    }))
    for (const [old, { exp, freshUntil }] of lists) {
      if (isPast(exp) && freshUntil < performance.now()) lists.delete(old)
    }
    lists.set(uri, list)
    return list
  }

  // Many requests may want the same list; one fetches it.
  async function listAt(uri: string): Promise<StatusList> {
    const known = lists.get(uri)
    if (known !== undefined && performance.now() < known.freshUntil) return known
    const renewing =
      fetching.get(uri) ??
      renew(uri).finally(() => {
        fetching.delete(uri)
      })
    fetching.set(uri, renewing)
    // In an outage nobody waits for what will hardly come, as long as there is a list that is good.
    if (known?.fault !== undefined && !isPast(known.exp)) return known
    return renewing
  }

  return async ({ idx, uri }) => {
    if (!uri.startsWith(`${options.base}/`)) {
      throw new Error('the token names a status list of another issuer')
    }
    const { bits, exp, fault } = await listAt(uri)
    if (isPast(exp)) throw new Error(`no status list: ${String(fault)}`)
    const byte = bits[idx >> 3]
    if (byte === undefined) throw new Error('the status list ends before the token')
    return ((byte >> (idx & 7)) & 1) === 1
  }
}

async function load(
  uri: string,
  { issuer, keys, algorithms, leewaySeconds }: StatusListOptions,
): Promise<StatusList> {
  // Whatever the list says was so before it was asked for.
  const askedAt = performance.now()
  const { payload } = await jwtVerify<{
    ttl?: number
    status_list: { bits: number; lst: string }
  }>(await fetchText(uri), keys, {
    issuer,
    subject: uri,
    typ: 'statuslist+jwt',
    algorithms: [...algorithms],
    clockTolerance: leewaySeconds,
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

/** The text at an address, which may neither lead elsewhere nor go on for ever. */
async function fetchText(uri: string): Promise<string> {
  const answer = await fetch(uri, {
    headers: { accept: 'application/statuslist+jwt' },
    redirect: 'error',
    signal: AbortSignal.timeout(FETCH_MS),
  })
  if (!answer.ok || answer.body === null) {
    throw new Error(`the status list was answered ${answer.status}`)
  }
  let text = ''
  for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
    text += part
    if (text.length > MOST_CHARACTERS) throw new Error('the status list is too long')
  }
  return text
}

function isPast(seconds: number): boolean {
  return Date.now() >= 1000 * seconds
}
