// The issuer's public keys: kept through its outages, asked for again every five minutes, and at once for a
// key that isn't known (every 30 seconds at most). Latchkey publishes a key a week before it signs with it.
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'

const FETCH_MS = 5_000
const RELOAD_MS = 300_000
const RETRY_MS = 30_000
/** While there are no keys at all. Those who wait don't ask in vain, too, one after the other. */
const FIRST_RETRY_MS = 1_000

/** Makes the question for a token's key. It rejects when the keys can't be had and none are known. */
export function createKeys(issuer: string): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
    timeoutDuration: FETCH_MS,
    cooldownDuration: RETRY_MS,
    cacheMaxAge: Infinity,
    [customFetch]: fetchSome,
  })
  let dueAt = performance.now() + RELOAD_MS
  let reloading: Promise<void> | undefined
  let failed: { readonly error: unknown; readonly until: number } | undefined

  async function reload(): Promise<void> {
    try {
      await remote.reload()
      dueAt = performance.now() + RELOAD_MS
    } catch {
      dueAt = performance.now() + RETRY_MS
    } finally {
      reloading = undefined
    }
  }

  return async (header, token) => {
    const overdueMs = performance.now() - dueAt
    if (overdueMs >= 0) {
      reloading ??= reload()
      // After a long idle time a key may have been withdrawn: this request waits. A busy service never does.
      if (overdueMs > RELOAD_MS) await reloading
    }
    const known = remote.jwks()
    const isKnown = known?.keys.some(({ kid }) => kid === header?.kid) ?? false
    if (!isKnown && failed !== undefined && performance.now() < failed.until) {
      throw failed.error
    }
    try {
      return await remote(header, token)
    } catch (error) {
      // jose remembers when it got keys, and not when it got none.
      if (!isAboutToken(error)) {
        const waitMs = known === undefined ? FIRST_RETRY_MS : RETRY_MS
        failed = { error, until: performance.now() + waitMs }
      }
      throw error
    }
  }
}

/** Whether what the question for a key rejected with is a verdict on the token, and not a fault. */
export function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  )
}

/** Fetches keys. An answer without any isn't Latchkey's, whatever stands before it, and replaces none. */
async function fetchSome(url: string, options: RequestInit): Promise<Response> {
  const answer = await fetch(url, options)
  if (!answer.ok) return answer
  const found: unknown = await answer.json()
  const keys = Object(found)['keys']
  if (Array.isArray(keys) && keys.length === 0) throw new Error('a set without a key')
  return Response.json(found)
}
