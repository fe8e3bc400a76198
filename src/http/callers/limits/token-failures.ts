// Limits the invalid access tokens and proofs of a window. A valid token is never refused by this: a proxy
// asks /verify about every request of its callers, and many of them share an address.
import rateLimit from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import { slowDown } from '../../../oauth/errors.ts'
import type { Reason } from '../../../base/events/reasons.ts'
import type { RateLimits } from './rate-limit.ts'
import { ownAddressOf } from '../own-address.ts'
import { createWindowCounts } from '../../../base/counts/window-counts.ts'

/** Each throws OAuthError client_gone when the connection has ended. */
export interface TokenFailures {
  /**
   * Counts a token that isn't ours for its address.
   *
   * @throws OAuthError slow_down when the address sent too many
   */
  forged(request: FastifyRequest): void
  /**
   * To be called before a proof is verified, as that costs a signature check.
   *
   * @param sid the session of the token that the proof comes with; without one the token's own id
   * @throws OAuthError slow_down when too many proofs of the session were invalid, from the same address
   */
  beforeProof(request: FastifyRequest, sid: string): void
  /** Counts an invalid proof. */
  badProof(request: FastifyRequest, sid: string): void
}

/**
 * Makes the counts, which are this process's own.
 *
 * @param monotonic milliseconds of a clock that never goes back
 */
export function createTokenFailures(
  settings: Pick<RateLimits, 'addressLimit' | 'sessionLimit'>,
  monotonic?: () => number,
): TokenFailures {
  const windows = createWindowCounts(monotonic)

  return {
    forged(request) {
      const key = addressOf(request)
      refuse(windows.count(key, settings.addressLimit()), 'address_limit')
    },
    beforeProof(request, sid) {
      const key = sessionAt(request, sid)
      refuse(windows.spent(key, settings.sessionLimit()), 'session_limit')
    },
    badProof(request, sid) {
      windows.count(sessionAt(request, sid), settings.sessionLimit())
    },
  }
}

function addressOf(request: FastifyRequest): string {
  return rateLimit.normalizeIP(ownAddressOf(request))
}

// With the address: a thief who has the token without its key can't lock its owner out.
function sessionAt(request: FastifyRequest, sid: string): string {
  return `${sid} ${addressOf(request)}`
}

function refuse(endsInMs: number | undefined, reason: Reason): void {
  if (endsInMs !== undefined) throw slowDown(Math.ceil(endsInMs / 1000), reason)
}
