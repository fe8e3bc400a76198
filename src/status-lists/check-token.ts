// Whether an access token lives: the store says so, but for what this server has heard and the store has
// forgotten.
import type {
  AccessTokenRef,
  AccessTokens,
  CheckOutcome,
  Freshness,
} from '../stores/ports/access-tokens.ts'
import type { AccessTokenClaims } from '../tokens/access-token.ts'
import type { StatusService } from './service.ts'

/** Why a client may hold no token of its own. */
export type WhyNotAlone = 'client_unknown' | 'grant_not_allowed'

/** What comes of it: a client's own token lives no longer than the client, and than its grant. */
export type TokenOutcome =
  CheckOutcome | { readonly kind: 'refused'; readonly reason: WhyNotAlone }

/** Judges a token that was verified. Rejects with StoreUnavailable. */
export type CheckToken = (
  token: { readonly claims: AccessTokenClaims; readonly ref: AccessTokenRef },
  freshness?: Freshness,
) => Promise<TokenOutcome>

export interface CheckTokenOptions {
  readonly accessTokens: Pick<AccessTokens, 'check'>
  readonly isRevoked: StatusService['isRevoked']
  /** Why the client of this id may hold no token of its own now; undefined: it may. */
  readonly whyNotAlone: (id: string) => WhyNotAlone | undefined
}

/**
 * Makes the judge. A store that came back with older data believes a revoked token until the server that
 * revoked it puts that back; all servers have read its bit within half a second, and nobody clears a bit.
 */
export function createCheckToken({
  accessTokens,
  isRevoked,
  whyNotAlone,
}: CheckTokenOptions): CheckToken {
  return async ({ claims: { client_id: clientId, status }, ref }, freshness) => {
    const reason = ref.sid === undefined ? whyNotAlone(clientId) : undefined
    if (reason !== undefined) return { kind: 'refused', reason }
    const outcome = await accessTokens.check(ref, freshness)
    if (
      outcome.kind === 'refused' ||
      status === undefined ||
      !isRevoked(status.status_list)
    ) {
      return outcome
    }
    return { kind: 'refused', reason: 'token_revoked' }
  }
}
