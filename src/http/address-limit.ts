// The rate limit per address (DESIGN §2): counted before credentials are looked at, in Redis where the store
// is Redis.
import { isIP } from 'node:net'
import rateLimit, { type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isConfidential } from '../clients/authenticate.ts'
import type { Client } from '../clients/registry.ts'
import { OAuthError, slowDown } from '../oauth/errors.ts'
import type { AddressCounts } from '../stores/ports-addresses.ts'
import type { ClientOf } from './client.ts'
import { createCountAhead } from './count-ahead.ts'
import { ownAddressOf } from './own-address.ts'

const FORWARDED_FOR = 'latchkey-forwarded-for'

export interface AddressLimitOptions {
  /** Requests per window, and the window in milliseconds, as configured now. */
  readonly limit: () => { readonly max: number; readonly window: number }
  /** Where all replicas count together; undefined: the counts are this process's own. */
  readonly counts: AddressCounts | undefined
  readonly clientOf: ClientOf
}

/** A hook that counts the request and refuses it with `slow_down` when its address made too many. */
export type AddressLimit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Tells who sends a request, or throws. */
type Who = (request: FastifyRequest, reply: FastifyReply) => Promise<Client>

/**
 * Registers the limiter; `all` counts every request, `strangersTo` leaves out clients that proved who they
 * are.
 */
export async function registerAddressLimit(
  app: FastifyInstance,
  { limit, counts, clientOf }: AddressLimitOptions,
) {
  await app.register(rateLimit, {
    global: false,
    ...(counts !== undefined && { store: storeOver(counts) }),
  })
  const count = app.createRateLimit({
    max: () => limit().max,
    timeWindow: () => limit().window,
    keyGenerator: async request =>
      rateLimit.normalizeIP(await addressOf(request, clientOf)),
  })

  const all: AddressLimit = async (request, reply) => {
    const counted = await count(request)
    /* c8 ignore next -- there is no list of addresses that aren't counted; the type asks */
    if (counted.isAllowed) return
    reply.headers({
      'ratelimit-limit': counted.max,
      'ratelimit-remaining': counted.remaining,
      'ratelimit-reset': counted.ttlInSeconds,
    })
    if (counted.isExceeded) throw slowDown(Math.max(1, counted.ttlInSeconds))
  }
  const strangersTo =
    (who: Who): AddressLimit =>
    async (request, reply) => {
      const client = await attempt(who(request, reply))
      if (client === undefined || !isConfidential(client)) await all(request, reply)
    }
  return { all, strangersTo }
}

/** A store as @fastify/rate-limit makes one for itself. It has but one limit, so there are no children. */
function storeOver(counts: AddressCounts): FastifyRateLimitStoreCtor {
  const countRequest = createCountAhead(counts)
  return class {
    incr(
      address: string,
      done: (error: Error | null, result?: { current: number; ttl: number }) => void,
      windowMs: number,
      max: number,
    ): void {
      countRequest(address, windowMs, max).then(({ count, endsInMs }) => {
        done(null, { current: count, ttl: endsInMs })
      }, done)
    }

    child() {
      return this
    }
  }
}

/**
 * The address that a request counts for. Only a confidential client that is trusted with it may speak of
 * another address than its own.
 *
 * @throws OAuthError client_gone when the connection has ended
 */
export async function addressOf(
  request: FastifyRequest,
  clientOf: ClientOf,
): Promise<string> {
  const forwarded = request.headers[FORWARDED_FOR]
  if (typeof forwarded !== 'string' || isIP(forwarded) === 0) {
    return ownAddressOf(request)
  }
  const client = await attempt(clientOf(request))
  return client?.forwardsAddress === true && isConfidential(client)
    ? forwarded
    : ownAddressOf(request)
}

// The endpoint itself refuses the client; here it only counts as nobody.
async function attempt(found: Promise<Client>): Promise<Client | undefined> {
  try {
    return await found
  } catch (error) {
    if (error instanceof OAuthError) return undefined
    throw error
  }
}
