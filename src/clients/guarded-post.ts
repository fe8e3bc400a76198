// Posts to a server that a configuration names, with the guards of guarded-fetch.ts: never to an address that
// only this server can reach, unless that is allowed, and without following a redirect.
import { createGuard, type GuardedFetchOptions } from './guarded-fetch.ts'

/** What is posted. */
export interface PostRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Whether private addresses are allowed too. */
  readonly allowPrivate: boolean
  /** Ends the call. */
  readonly signal: AbortSignal
}

/**
 * Posts, and gives the status of the answer, whose body nobody reads.
 *
 * @throws Error when there is no answer: refused address, no connection, the signal
 */
export type PostForStatus = (request: PostRequest) => Promise<number>

/** So much of an answer is thrown away to keep its connection; of a longer one the connection is. */
const KEPT_BYTES = 16 * 1024

/**
 * Makes the post.
 *
 * @param timeoutMs how long connecting, and then the head of the answer, may take, in milliseconds
 */
export function createPostForStatus({
  timeoutMs,
}: {
  readonly timeoutMs: number
}): PostForStatus {
  const guards = {
    guarded: createGuard(false, timeoutMs),
    open: createGuard(true, timeoutMs),
  }
  return async ({ url, headers, body, allowPrivate, signal }) => {
    const { open, refuseLiteral } = allowPrivate ? guards.open : guards.guarded
    refuseLiteral(url)
    const { request, dispatcher } = await open()
    const answer = await request(url, {
      method: 'POST',
      dispatcher,
      signal,
      headers,
      body,
    })
    // An answer that never ends, or breaks off, has said all that matters.
    answer.body.dump({ limit: KEPT_BYTES, signal }).catch(() => {})
    return answer.statusCode
  }
}

/** A document that is posted. */
export interface GuardedPost {
  readonly url: string
  /** JSON. */
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  /** Ends it. */
  readonly signal: AbortSignal
}

/** Connections are kept for the next question; what a caller waits for, its signal says. */
const POST_TIMEOUT_MS = 30_000

/**
 * Makes a function that posts JSON and follows no redirect.
 *
 * @returns a function that resolves with the status, and with the body where that is JSON
 * @throws Error when there is no answer: refused address, no connection, aborted, more than 64 KiB
 */
export function createGuardedPost({
  allowPrivate,
}: GuardedFetchOptions): (
  post: GuardedPost,
) => Promise<{ readonly status: number; readonly body: unknown }> {
  const { open, refuseLiteral } = createGuard(allowPrivate, POST_TIMEOUT_MS)
  return async ({ url, body, headers, signal }) => {
    refuseLiteral(url)
    const { fetch, dispatcher } = await open()
    const response = await fetch(url, {
      method: 'POST',
      dispatcher,
      redirect: 'manual',
      signal,
      headers: {
        ...headers,
        accept: 'application/json',
        'content-type': 'application/json',
      },
      body,
    })
    const text = await response.text()
    return { status: response.status, body: parseJson(text) }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
