// The refresh_token grant (RFC 6749 §6) over the families of DESIGN §5: one round trip to the store, none for a forged token.
import type { Emit } from '../events.ts'
import { invalidGrant, invalidScope, invalidTarget } from '../oauth/errors.ts'
import { isWithin, scopeTokens } from '../oauth/scope.ts'
import type { Families, Family, RotateOutcome, User } from '../stores/ports.ts'
import type { ReadRefreshToken, RefreshTokenCodec } from '../tokens/refresh-token.ts'
import { required, type Grant, type GrantRequest } from './grant.ts'
import type { IssueTokens, TokenPolicy } from './issue.ts'
import { limited, requestedAudience, requestedScope } from './targets.ts'

export interface RefreshGrantDependencies {
  readonly issuer: string
  readonly families: Pick<Families, 'rotate'>
  readonly refreshTokens: RefreshTokenCodec
  readonly issue: IssueTokens
  readonly policy: () => TokenPolicy
  readonly emit: Emit
}

type Exchanged = Extract<RotateOutcome, { generation: number }>

/** Makes the grant. */
export function createRefreshGrant ({ issuer, families, refreshTokens, issue, policy, emit }: RefreshGrantDependencies): Grant {
  function read ({ client, params }: GrantRequest): ReadRefreshToken {
    const token = refreshTokens.decode(required(params, 'refresh_token'))
    if (token !== undefined) return token
    emit({ type: 'refresh.refused', clientId: client.id, reason: 'token_malformed' })
    throw invalidGrant('token_malformed')
  }

  async function exchange ({ client }: GrantRequest, token: ReadRefreshToken): Promise<Exchanged> {
    const { refreshIdle, reuseGrace } = policy()
    const outcome = await families.rotate({
      userTag: token.userTag,
      sid: token.sid,
      generation: token.generation,
      clientId: client.id,
      idleMs: client.refreshIdle ?? refreshIdle,
      reuseGraceMs: reuseGrace,
      lateRetry: client.lateRetry,
    })
    if (outcome.kind === 'refused') {
      emit({ type: 'refresh.refused', clientId: client.id, reason: outcome.reason, sid: token.sid })
      throw invalidGrant(outcome.reason)
    }
    emit({ type: `refresh.${outcome.kind}`, clientId: client.id, sub: outcome.user.sub, sid: token.sid })
    if (outcome.kind === 'reused') throw invalidGrant('token_reused')
    return outcome
  }

  return async request => {
    const { client, params } = request
    const token = read(request)
    // What this client may never ask for is refused before the token is spent.
    const scope = requestedScope(params, client.scopes)
    const audience = requestedAudience(params, [...client.audience, issuer])
    const { family, user, generation } = await exchange(request, token)
    return issue({
      client,
      family,
      familyId: token.familyId,
      generation,
      user,
      scope: narrowScope(scope, family, request, user),
      audience: narrowAudience(audience, family, [...client.audience, issuer]),
    })
  }
}

// Narrowing holds for this access token only: the family keeps what was granted (RFC 6749 §6). What the client or the user
// has lost since the login is left out.
function narrowScope (wanted: string[] | undefined, family: Family, { client }: GrantRequest, user: User): string[] {
  const granted = scopeTokens(family.scope)
  if (wanted !== undefined && !isWithin(wanted, granted)) throw invalidScope('scope_wider_than_granted')
  return limited(limited(wanted ?? granted, client.scopes), user.scopes)
}

function narrowAudience (wanted: string[] | undefined, family: Family, allowed: readonly string[]): string[] {
  if (wanted !== undefined && !isWithin(wanted, family.audience)) throw invalidTarget('audience_wider_than_granted')
  const audience = limited(wanted ?? family.audience, allowed)
  if (audience.length === 0) throw invalidTarget('audience_withdrawn')
  return audience
}
