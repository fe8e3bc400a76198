// The refresh_token grant (RFC 6749 §6) over the refresh families that docs/architecture.md describes: one
// round trip to the store, none for a forged token.
import { Type, type Static } from 'typebox'
import type { Event } from '../base/events/events.ts'
import type { Client } from '../clients/registry.ts'
import {
  invalidGrant,
  invalidScope,
  invalidTarget,
  temporarilyUnavailable,
  type OAuthError,
} from '../oauth/errors.ts'
import { scopeTokens } from '../oauth/scope.ts'
import type {
  Presented,
  Refusal,
  RotateOutcome,
  Wider,
} from '../stores/ports/families.ts'
import type { ReadRefreshToken } from '../tokens/refresh-token.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import { defineGrant, type GrantServices } from './descriptor.ts'
import type { Grant, GrantRequest } from './grant.ts'
import { accessTtl, whyTooLate } from './issue.ts'
import { TARGET_PARAMETERS } from './parameters.ts'
import { intersect, requestedAudience, requestedScope } from './targets.ts'

const PARAMETERS = {
  refresh_token: Type.String({ description: 'The token to exchange.' }),
  ...TARGET_PARAMETERS,
}

/** What the grant is built of. */
export type RefreshGrantServices = Pick<
  GrantServices,
  | 'issuer'
  | 'readRefreshToken'
  | 'isOverdue'
  | 'issue'
  | 'policy'
  | 'takeStatus'
  | 'clock'
  | 'emit'
> & { readonly families: Pick<GrantServices['families'], 'rotate'> }

type Parameters = Static<Type.TObject<typeof PARAMETERS>>
type Request = GrantRequest<Parameters>
type Wanted = Pick<Presented, 'scope' | 'audience' | 'status'>
type Exchanged = Extract<RotateOutcome, { generation: number }>
type Rotate = (
  request: Request,
  token: ReadRefreshToken,
  wanted: Wanted,
) => Promise<Exchanged>

/** The refresh_token grant. */
export const refreshTokenGrant = defineGrant({
  type: 'refresh_token',
  label: 'refresh_token',
  summary: 'A refresh token is exchanged for the next pair of tokens.',
  parameters: PARAMETERS,
  example: {
    grant_type: 'refresh_token',
    client_id: 'mobile',
    refresh_token: 'rt_AQABx5dVPuEVfgYXuLhCsmTCEQ',
  },
  allows: client => client.grants.includes('refresh_token'),
  create: createRefreshGrant,
})

function createRefreshGrant(services: RefreshGrantServices): Grant<Parameters> {
  const { issuer, issue, policy, takeStatus } = services
  const readToken = createReadToken(services)
  const rotate = createRotate(services)

  return async function exchangeRefreshToken(request) {
    const { client, params, jkt } = request
    const allowed = [...client.audience, issuer]
    const token = await readToken(request)
    // What this client may never ask for is refused before the token is spent, and so is, in the store, what
    // wasn't granted at login.
    const wanted = {
      scope: requestedScope(params.scope, client.scopes),
      audience: requestedAudience(params.resource, allowed),
    }
    const status = await takeStatus?.(accessTtl(client, policy()))
    const exchanged = await rotate(request, token, { ...wanted, status })
    const { family, user, generation } = exchanged
    const audience = intersect(wanted.audience ?? family.audience, allowed)
    if (audience.length === 0) throw invalidTarget('audience_withdrawn')
    return issue({
      client,
      family,
      familyId: token.familyId,
      generation,
      user,
      scope: grantedScope(wanted.scope, exchanged, client),
      audience,
      jkt,
      status,
    })
  }
}

/**
 * Makes the step that decodes the token. Throws invalid_grant and emits why for one that isn't ours, and
 * temporarily_unavailable while its user's directory has been away for too long.
 */
function createReadToken({
  readRefreshToken,
  isOverdue,
  emit,
}: RefreshGrantServices): (request: Request) => Promise<ReadRefreshToken> {
  return async function readToken({ client, params, refreshToken, address, origin }) {
    const token = refreshToken ?? (await readRefreshToken(params.refresh_token))
    if (token !== undefined && isOverdue?.(token.userTag) === true) {
      // Before it is spent: the client may repeat it as it is.
      throw temporarilyUnavailable('directory_unavailable')
    }
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
}

/** Makes the step that asks the store for the next generation. Throws what refuses it and emits why. */
function createRotate(services: RefreshGrantServices): Rotate {
  const { families, policy, clock, emit } = services

  return async function rotate({ client, jkt, address, origin }, token, wanted) {
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
    emit(eventOf(outcome, address, { clientId: client.id, sid: token.sid }), origin)
    if (outcome.kind === 'refused') throw refusalFor(outcome.reason)
    if (outcome.fault !== undefined) throw outcome.fault
    if (outcome.kind === 'reused') throw invalidGrant('token_reused')
    return outcome
  }
}

// The routine ones, a rotation and a replay, are counted and name no network: working it out is saved.
function eventOf(
  outcome: RotateOutcome,
  address: string,
  session: { readonly clientId: string; readonly sid: string },
): Event {
  const { kind } = outcome
  if (kind === 'refused') {
    const { reason } = outcome
    return {
      type: 'refresh.refused',
      network: networkOf(address),
      reason,
      ...session,
    }
  }
  const { sub } = outcome.user
  return kind === 'rotated' || kind === 'replayed'
    ? { type: `refresh.${kind}`, sub, ...session }
    : {
        type: `refresh.${kind}`,
        network: networkOf(address),
        sub,
        ...session,
      }
}

// Narrowing holds for this access token only: the family keeps what was granted (RFC 6749 §6). What the
// client or the user has lost since the login is left out.
function grantedScope(
  wanted: readonly string[] | undefined,
  { family, user }: Exchanged,
  client: Client,
): string[] {
  const scope = wanted ?? scopeTokens(family.scope)
  return intersect(intersect(scope, client.scopes), user.scopes)
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
