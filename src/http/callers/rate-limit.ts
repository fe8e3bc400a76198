// The rate limit per address (DESIGN §2): counted before credentials are looked at, in Redis where the store
// is Redis.
import { isIP } from 'node:net'
import rateLimit, { type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import { LRUCache } from 'lru-cache'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { monotonicClock, type Monotonic } from '../../base/clock.ts'
import { isConfidential } from '../../clients/client-auth.ts'
import type { Client } from '../../clients/registry.ts'
import { OAuthError, slowDown } from '../../oauth/errors.ts'
import type { Reason } from '../../base/reasons.ts'
import type { AddressCounts } from '../../stores/ports/address-counts.ts'
import type { ClientOf } from './request-client.ts'
import { createCountAhead, type CountRequest } from './buffered-counts.ts'
import { ownAddressOf } from './own-address.ts'
import { createProven, proofOf } from './recent-credentials.ts'
import type { RefreshTokenOf } from '../public/refresh-token-of.ts'
import { createWindowCounts, type WindowLimit } from './window-counts.ts'

const FORWARDED_FOR = 'latchkey-forwarded-for'

/** Requests per window, and the window in milliseconds, as configured now. */
export interface RateLimits {
  readonly addressLimit: () => WindowLimit
  /** Of a client that authenticated. */
  readonly clientLimit: () => WindowLimit
  readonly sessionLimit: () => WindowLimit
}

export interface AddressLimitOptions {
  readonly settings: RateLimits
  /** Where all replicas count together; undefined: the counts are this process's own. */
  readonly counts: AddressCounts | undefined
  readonly clientOf: ClientOf
  readonly refreshTokenOf: RefreshTokenOf
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic?: Monotonic
}

/** An address's window that has no request left. */
interface SpentWindow {
  readonly max: number
  /** By the monotonic clock. */
  readonly endsAt: number
}

const REMEMBERED = 10_000

/** A hook that counts the request and refuses it with `slow_down` when its address made too many. */
export type AddressLimit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Authenticates the client of a request, or throws. */
type Who = (request: FastifyRequest, reply: FastifyReply) => Promise<Client>

/**
 * Registers the limiter; `all` counts every request, `strangersTo` leaves out clients that proved who they
 * are, and `unproven` refresh tokens of ours as well: each client and each session has a limit of its own.
 */
export async function registerAddressLimit(
  app: FastifyInstance,
  {
    settings,
    counts,
    clientOf,
    refreshTokenOf,
    monotonic = monotonicClock,
  }: AddressLimitOptions,
) {
  const spent = new LRUCache<string, SpentWindow>({ max: REMEMBERED })
  const proven = createProven()
  const windows = createWindowCounts(monotonic)
  await app.register(rateLimit, {
    global: false,
    ...(counts !== undefined && {
      store: storeOver(createCountAhead(counts, monotonic)),
    }),
  })
  const count = app.createRateLimit({
    max: () => settings.addressLimit().max,
    timeWindow: () => settings.addressLimit().window,
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
    if (counted.remaining === 0) {
      spent.set(counted.key, {
        max: counted.max,
        endsAt: monotonic() + counted.ttl,
      })
    }
    if (counted.isExceeded) throw slowDown(Math.max(1, counted.ttlInSeconds))
  }
  // An address that has spent its limit is refused before the secret is looked at, but for what proved its
  // client from there a moment ago.
  async function prove(
    who: Who,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Client | undefined> {
    const proof = proofOf(request)
    if (proof === undefined) return undefined
    const address = rateLimit.normalizeIP(ownAddressOf(request))
    const window = spent.get(address)
    if (isSpent(window) && !proven.has(proof, address)) {
      const seconds = Math.ceil((window.endsAt - monotonic()) / 1000)
      reply.headers({
        'ratelimit-limit': settings.addressLimit().max,
        'ratelimit-remaining': 0,
        'ratelimit-reset': seconds,
      })
      throw slowDown(seconds)
    }
    const client = await attempt(who(request, reply))
    if (client === undefined || !isConfidential(client)) return undefined
    proven.add(proof, address)
    within(client.id, settings.clientLimit(), 'client_limit')
    return client
  }

  const strangersTo =
    (who: Who): AddressLimit =>
    async (request, reply) => {
      if ((await prove(who, request, reply)) === undefined) await all(request, reply)
    }

  const unproven: AddressLimit = async (request, reply) => {
    const client = await prove(clientOf, request, reply)
    const sid = refreshTokenOf(request)?.sid
    // Its tag is right: the token is ours. A wrong client is counted as a stranger all the same.
    if (sid !== undefined && (client !== undefined || proofOf(request) === undefined)) {
      within(sid, settings.sessionLimit(), 'session_limit')
    } else {
      // A login: whoever sends it, the end user has proved nothing yet.
      await all(request, reply)
    }
  }

  function isSpent(window: SpentWindow | undefined): window is SpentWindow {
    return (
      window !== undefined &&
      settings.addressLimit().max <= window.max &&
      monotonic() < window.endsAt
    )
  }

  function within(key: string, windowLimit: WindowLimit, reason: Reason): void {
    const endsInMs = windows.count(`${reason} ${key}`, windowLimit)
    if (endsInMs !== undefined) throw slowDown(Math.ceil(endsInMs / 1000), reason)
  }

  return { all, strangersTo, unproven }
}

/** A store as @fastify/rate-limit makes one for itself. It has but one limit, so there are no children. */
function storeOver(countRequest: CountRequest): FastifyRateLimitStoreCtor {
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
