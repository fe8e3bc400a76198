// Whether an access token lives: the store says so, but for what this server has heard and the store has
// forgotten.
import type {
  AccessTokenRef,
  AccessTokens,
  CheckOutcome,
} from '../stores/ports/access-tokens.ts'
import type { AccessTokenClaims } from '../tokens/access-token.ts'
import type { StatusService } from './service.ts'

/** What comes of it: a client's own token lives no longer than the client. */
export type TokenOutcome =
  CheckOutcome | { readonly kind: 'refused'; readonly reason: 'client_unknown' }

/** Judges a token that was verified. Rejects with StoreUnavailable. */
export type CheckToken = (token: {
  readonly claims: AccessTokenClaims
  readonly ref: AccessTokenRef
}) => Promise<TokenOutcome>

export interface CheckTokenOptions {
  readonly accessTokens: Pick<AccessTokens, 'check'>
  readonly isRevoked: StatusService['isRevoked']
  /** Whether a client of this id is registered now. */
  readonly knowsClient: (id: string) => boolean
}

/**
 * Makes the judge. A store that came back with older data believes a revoked token until the server that
 * revoked it puts that back; all servers have read its bit within half a second, and nobody clears a bit.
 */
export function createCheckToken({
  accessTokens,
  isRevoked,
  knowsClient,
}: CheckTokenOptions): CheckToken {
  return async ({ claims: { client_id: clientId, status }, ref }) => {
    if (ref.sid === undefined && !knowsClient(clientId)) {
      return { kind: 'refused', reason: 'client_unknown' }
    }
    const outcome = await accessTokens.check(ref)
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
