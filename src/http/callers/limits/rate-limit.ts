// The rate limit of the token, introspection and revocation endpoints. A request counts for its address
// before its credentials are read; a client that authenticated, and a session, count for themselves instead.
// All replicas share the counts of addresses where the store is Redis.
import { isIP } from 'node:net'
import rateLimit, { type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { monotonicClock, type Monotonic } from '../../../base/clock.ts'
import { isConfidential } from '../../../clients/client-auth.ts'
import type { Client } from '../../../clients/registry.ts'
import { OAuthError, slowDown } from '../../../oauth/errors.ts'
import type { Reason } from '../../../base/events/reasons.ts'
import type { AddressCounts } from '../../../stores/ports/address-counts.ts'
import type { ClientOf } from '../request-client.ts'
import { createBufferedCounter, type CountRequest } from './buffered-counts.ts'
import { ownAddressOf } from '../own-address.ts'
import { createRecentCredentials, credentialsOf } from '../recent-credentials.ts'
import type { RefreshTokenOf } from '../refresh-token-of.ts'
import { createSpentWindows, type SpentWindows } from './spent-windows.ts'
import {
  createWindowCounts,
  type WindowLimit,
} from '../../../base/counts/window-counts.ts'

const FORWARDED_FOR = 'latchkey-forwarded-for'

/** Requests per window, and the window in milliseconds, as configured now. */
export interface RateLimits {
  readonly addressLimit: () => WindowLimit
  /** Of a client that authenticated. */
  readonly clientLimit: () => WindowLimit
  readonly sessionLimit: () => WindowLimit
}

export interface RateLimitOptions {
  readonly settings: RateLimits
  /** Where all replicas count together; undefined: the counts are this process's own. */
  readonly counts: AddressCounts | undefined
  readonly clientOf: ClientOf
  readonly refreshTokenOf: RefreshTokenOf
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic?: Monotonic
}

/** A hook that counts the request and refuses it with `slow_down` when there were too many. */
export type RateLimitHook = (
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<void>

/** Authenticates the client of a request, or throws. */
type AuthenticateClient = (
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<Client>

/**
 * Registers the rate limit and makes its hooks. `unlessAuthenticated` counts the address of every request but
 * those of confidential clients that authenticated, which have a limit of their own. `tokenRequests` also
 * leaves out refresh tokens of ours: each session has a limit of its own.
 */
export async function registerRateLimit(app: FastifyInstance, options: RateLimitOptions) {
  const { settings, counts, clientOf, refreshTokenOf } = options
  const monotonic = options.monotonic ?? monotonicClock
  await app.register(rateLimit, {
    global: false,
    ...(counts !== undefined && {
      store: storeOver(createBufferedCounter(counts, monotonic)),
    }),
  })
  const spentWindows = createSpentWindows(settings.addressLimit, monotonic)
  const countAddress = createAddressHook(app, options, spentWindows)
  const countOwn = createOwnLimits(monotonic)
  const clientLimitOf = createClientLimit({ settings, spentWindows, countOwn })

  const unlessAuthenticated =
    (authenticate: AuthenticateClient): RateLimitHook =>
    async (request, reply) => {
      const client = await clientLimitOf(authenticate, request, reply)
      if (client === undefined) await countAddress(request, reply)
    }

  const tokenRequests: RateLimitHook = async (request, reply) => {
    const hasNoCredentials = credentialsOf(request) === undefined
    const client = hasNoCredentials
      ? undefined
      : await clientLimitOf(clientOf, request, reply)
    const sid = refreshTokenOf(request)?.sid
    // Its tag is right: the token is ours. Wrong credentials count for the address all the same.
    if (sid !== undefined && (client !== undefined || hasNoCredentials)) {
      countOwn(sid, settings.sessionLimit(), 'session_limit')
    } else {
      // A login: the end user has proved nothing yet, whichever client sends it.
      await countAddress(request, reply)
    }
  }

  return { unlessAuthenticated, tokenRequests }
}

/** The hook that counts every request for its address. */
function createAddressHook(
  app: FastifyInstance,
  { settings, clientOf }: RateLimitOptions,
  spentWindows: SpentWindows,
): RateLimitHook {
  const count = app.createRateLimit({
    max: () => settings.addressLimit().max,
    timeWindow: () => settings.addressLimit().window,
    keyGenerator: async request =>
      rateLimit.normalizeIP(await addressOf(request, clientOf)),
  })
  return async (request, reply) => {
    const counted = await count(request)
    /* c8 ignore next -- there is no list of addresses that aren't counted; the type asks */
    if (counted.isAllowed) return
    reply.headers({
      'ratelimit-limit': counted.max,
      'ratelimit-remaining': counted.remaining,
      'ratelimit-reset': counted.ttlInSeconds,
    })
    if (counted.remaining === 0) spentWindows.add(counted.key, counted.max, counted.ttl)
    if (counted.isExceeded) throw slowDown(Math.max(1, counted.ttlInSeconds))
  }
}

type CountOwn = (key: string, limit: WindowLimit, reason: Reason) => void

/** Counts what authenticated itself, a client or a session; throws slow_down beyond its limit. */
function createOwnLimits(monotonic: () => number): CountOwn {
  const windows = createWindowCounts(monotonic)
  return (key, limit, reason) => {
    const endsInMs = windows.count(`${reason} ${key}`, limit)
    if (endsInMs !== undefined) throw slowDown(Math.ceil(endsInMs / 1000), reason)
  }
}

interface ClientLimitOptions {
  readonly settings: RateLimits
  readonly spentWindows: SpentWindows
  readonly countOwn: CountOwn
}

/**
 * Makes the function that authenticates a confidential client and counts its request; undefined: the request
 * has none. An address that has spent its limit is refused before the secret is looked at, unless the same
 * credentials authenticated from there a moment ago.
 */
function createClientLimit({ settings, spentWindows, countOwn }: ClientLimitOptions) {
  const recent = createRecentCredentials()
  return async (
    authenticate: AuthenticateClient,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Client | undefined> => {
    const credentials = credentialsOf(request)
    if (credentials === undefined) return undefined
    const address = rateLimit.normalizeIP(ownAddressOf(request))
    const endsInMs = spentWindows.endsInMs(address)
    if (endsInMs !== undefined && !recent.has(credentials, address)) {
      const seconds = Math.ceil(endsInMs / 1000)
      reply.headers({
        'ratelimit-limit': settings.addressLimit().max,
        'ratelimit-remaining': 0,
        'ratelimit-reset': seconds,
      })
      throw slowDown(seconds)
    }
    const client = await unlessRefused(authenticate(request, reply))
    if (client === undefined || !isConfidential(client)) return undefined
    recent.add(credentials, address)
    countOwn(client.id, settings.clientLimit(), 'client_limit')
    return client
  }
}

/** What @fastify/rate-limit hands to a store: the address, a callback, the window and the limit. */
type IncrArguments = [
  address: string,
  done: (error: Error | null, result?: { current: number; ttl: number }) => void,
  windowMs: number,
  max: number,
]

/** A store as @fastify/rate-limit makes one for itself. It has but one limit, so there are no children. */
function storeOver(countRequest: CountRequest): FastifyRateLimitStoreCtor {
  return class {
    incr(...[address, done, windowMs, max]: IncrArguments): void {
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
 * The address that a request counts for. Only a confidential client that is trusted with it may name
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
  const client = await unlessRefused(clientOf(request))
  return client?.forwardsAddress === true && isConfidential(client)
    ? forwarded
    : ownAddressOf(request)
}

// The endpoint itself refuses the client; the rate limit only treats the request as nobody's.
async function unlessRefused(
  authenticated: Promise<Client>,
): Promise<Client | undefined> {
  try {
    return await authenticated
  } catch (error) {
    if (error instanceof OAuthError) return undefined
    throw error
  }
}
