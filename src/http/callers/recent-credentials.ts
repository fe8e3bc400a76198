// What a request presents to prove its client, and which of it has proved a client a moment ago from the same
// address. Nothing is looked up here: an address that has spent its limit is refused unseen, all but what was
// found right there before.
import { createHmac } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { systemRandom, type Random } from '../../base/random.ts'
import { optional } from '../../grants/grant.ts'
import { formOf } from './request-client.ts'

const REMEMBERED = 10_000
const REMEMBERED_MS = 10 * 60_000

export interface Proven {
  has(proof: string, address: string): boolean
  add(proof: string, address: string): void
}

/** Makes the memory: keyed hashes, for ten minutes. */
export function createProven(random: Random = systemRandom): Proven {
  const key = random.bytes(32)
  const seen = new LRUCache<string, true>({ max: REMEMBERED, ttl: REMEMBERED_MS })
  const idOf = (...parts: string[]) =>
    createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64url')
  return {
    has: (proof, address) => seen.has(idOf(proof, address)),
    add: (proof, address) => {
      seen.set(idOf(proof, address), true)
    },
  }
}

/**
 * What stands for the credentials of a request; undefined: it presents none. All assertions are one: each is
 * another one, and none can be guessed.
 */
export function proofOf(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers
  if (authorization !== undefined) return authorization
  const form = formOf(request)
  const secret = optional(form, 'client_secret')
  if (secret !== undefined) {
    return JSON.stringify([optional(form, 'client_id'), secret])
  }
  return optional(form, 'client_assertion') === undefined ? undefined : 'assertion'
}
