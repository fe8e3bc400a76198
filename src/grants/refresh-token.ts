// The refresh_token grant (RFC 6749 §6) over the families of DESIGN §5: one round trip to the store, none for
// a forged token.
import type { Clock } from '../base/clock.ts'
import type { Emit, Event } from '../base/events.ts'
import {
  invalidGrant,
  invalidScope,
  invalidTarget,
  type OAuthError,
} from '../oauth/errors.ts'
import { scopeTokens } from '../oauth/scope.ts'
import type { TakeStatusEntry } from '../status-lists/indices.ts'
import type {
  Families,
  Presented,
  Refusal,
  RotateOutcome,
  Wider,
} from '../stores/ports/families.ts'
import type { ReadsRefreshToken } from '../tokens/read-refresh-token.ts'
import type { ReadRefreshToken } from '../tokens/refresh-token.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import { required, type Grant, type GrantRequest } from './grant.ts'
import { accessTtl, whyTooLate, type IssueTokens, type TokenPolicy } from './issue.ts'
import { limited, requestedAudience, requestedScope } from './targets.ts'

export interface RefreshGrantDependencies {
  readonly issuer: string
  readonly families: Pick<Families, 'rotate'>
  readonly readRefreshToken: ReadsRefreshToken
  readonly issue: IssueTokens
  readonly policy: () => TokenPolicy
  /** Undefined: tokens have no status. */
  readonly takeStatus: TakeStatusEntry | undefined
  readonly clock: Clock
  readonly emit: Emit
}

type Wanted = Pick<Presented, 'scope' | 'audience' | 'status'>
type Exchanged = Extract<RotateOutcome, { generation: number }>

/** Makes the grant. */
export function createRefreshGrant({
  issuer,
  families,
  readRefreshToken,
  issue,
  policy,
  takeStatus,
  clock,
  emit,
}: RefreshGrantDependencies): Grant {
  async function read({
    client,
    params,
    refreshToken,
    address,
    origin,
  }: GrantRequest): Promise<ReadRefreshToken> {
    const text = required(params, 'refresh_token')
    const token = refreshToken ?? (await readRefreshToken(text))
    if (token !== undefined) return token
    emit(
      {
        type: 'refresh.refused',
        clientId: client.id,
        network: networkOf(address),
        reason: 'token_malformed',
      },
      origin,
    )
    throw invalidGrant('token_malformed')
  }

  async function exchange(
    { client, jkt, address, origin }: GrantRequest,
    token: ReadRefreshToken,
    wanted: Wanted,
  ): Promise<Exchanged> {
    const { refreshIdle, reuseGrace } = policy()
    const rotated = await families.rotate({
      userTag: token.userTag,
      sid: token.sid,
      generation: token.generation,
      clientId: client.id,
      idleMs: client.refreshIdle ?? refreshIdle,
      reuseGraceMs: reuseGrace,
      lateRetry: client.lateRetry,
      ...wanted,
      jkt,
    })
    const outcome = unlessTooLate(rotated, clock())
    if (outcome.kind === 'refused') {
      emit(
        {
          type: 'refresh.refused',
          clientId: client.id,
          network: networkOf(address),
          reason: outcome.reason,
          sid: token.sid,
        },
        origin,
      )
      throw refusalFor(outcome.reason)
    }
    emit(
      eventOf(outcome.kind, address, {
        clientId: client.id,
        sub: outcome.user.sub,
        sid: token.sid,
      }),
      origin,
    )
    if (outcome.fault !== undefined) throw outcome.fault
    if (outcome.kind === 'reused') throw invalidGrant('token_reused')
    return outcome
  }

  return async request => {
    const { client, params, jkt } = request
    const allowed = [...client.audience, issuer]
    const token = await read(request)
    // What this client may never ask for is refused before the token is spent, and so is, in the store, what
    // wasn't granted at login.
    const wanted = {
      scope: requestedScope(params, client.scopes),
      audience: requestedAudience(params, allowed),
    }
    const status = await takeStatus?.(accessTtl(client, policy()))
    const { family, user, generation } = await exchange(request, token, {
      ...wanted,
      status,
    })
    // Narrowing holds for this access token only: the family keeps what was granted (RFC 6749 §6). What the
    // client or the user has lost since the login is left out.
    const scope = limited(
      limited(wanted.scope ?? scopeTokens(family.scope), client.scopes),
      user.scopes,
    )
    const audience = limited(wanted.audience ?? family.audience, allowed)
    if (audience.length === 0) throw invalidTarget('audience_withdrawn')
    return issue({
      client,
      family,
      familyId: token.familyId,
      generation,
      user,
      scope,
      audience,
      jkt,
      status,
    })
  }
}

// The routine ones, a rotation and a replay, are counted and name no network: working it out is saved.
function eventOf(
  kind: Exclude<RotateOutcome['kind'], 'refused'>,
  address: string,
  session: { readonly clientId: string; readonly sub: string; readonly sid: string },
): Event {
  return kind === 'rotated' || kind === 'replayed'
    ? { type: `refresh.${kind}`, ...session }
    : { type: `refresh.${kind}`, network: networkOf(address), ...session }
}

// In a session's last second there is no token left to give that anybody could use.
function unlessTooLate(outcome: RotateOutcome, now: number): RotateOutcome {
  if (!('generation' in outcome) || outcome.fault !== undefined) return outcome
  const reason = whyTooLate(outcome.family, now)
  return reason === undefined ? outcome : { kind: 'refused', reason }
}

function refusalFor(reason: Refusal | Wider): OAuthError {
  if (reason === 'scope_wider') return invalidScope(reason)
  return reason === 'audience_wider' ? invalidTarget(reason) : invalidGrant(reason)
}
