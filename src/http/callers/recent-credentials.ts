// The credentials of a request, and which credentials authenticated a client from the same address a moment
// ago. Nothing is verified here: an address that has spent its limit is refused unseen, unless its
// credentials were right there before.
import { hash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { systemRandom, type Random } from '../../base/random.ts'
import { optional } from '../../grants/grant.ts'
import { formOf } from './request-client.ts'

const REMEMBERED = 10_000
const REMEMBERED_MS = 10 * 60_000

export interface RecentCredentials {
  has(credentials: string, address: string): boolean
  add(credentials: string, address: string): void
}

/** Makes the memory: keyed hashes, for ten minutes. */
export function createRecentCredentials(
  random: Random = systemRandom,
): RecentCredentials {
  // No id leaves this process: a key before the text is enough, at a tenth of what an HMAC costs.
  const key = random.bytes(32).toString('hex')
  const seen = new LRUCache<string, true>({ max: REMEMBERED, ttl: REMEMBERED_MS })
  // No address has a blank: where it ends is plain.
  const idOf = (credentials: string, address: string) =>
    hash('sha256', `${key}${address} ${credentials}`, 'base64')
  return {
    has: (credentials, address) => seen.has(idOf(credentials, address)),
    add: (credentials, address) => {
      seen.set(idOf(credentials, address), true)
    },
  }
}

/**
 * The credentials of a request as one text; undefined: it presents none. All assertions share one text: each
 * is a new one, and none can be guessed.
 */
export function credentialsOf(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers
  if (authorization !== undefined) return authorization
  const form = formOf(request)
  const secret = optional(form, 'client_secret')
  if (secret !== undefined) {
    return JSON.stringify([optional(form, 'client_id'), secret])
  }
  return optional(form, 'client_assertion') === undefined ? undefined : 'assertion'
}
