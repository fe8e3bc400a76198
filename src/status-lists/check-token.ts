// Whether an access token lives: the store says so, but for what this server has heard and the store has
// forgotten.
import type {
  AccessTokenRef,
  AccessTokens,
  CheckOutcome,
} from '../stores/ports/access-tokens.ts'
import type { AccessTokenClaims } from '../tokens/access-token.ts'
import type { StatusService } from './service.ts'

/** Judges a token that was verified. Rejects with StoreUnavailable. */
export type CheckToken = (token: {
  readonly claims: AccessTokenClaims
  readonly ref: AccessTokenRef
}) => Promise<CheckOutcome>

export interface CheckTokenOptions {
  readonly accessTokens: Pick<AccessTokens, 'check'>
  readonly isRevoked: StatusService['isRevoked']
}

/**
 * Makes the judge. A store that came back with older data believes a revoked token until the server that
 * revoked it puts that back; all servers have read its bit within half a second, and nobody clears a bit.
 */
export function createCheckToken({
  accessTokens,
  isRevoked,
}: CheckTokenOptions): CheckToken {
  return async ({ claims: { status }, ref }) => {
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
