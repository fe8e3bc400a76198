// The password grant (RFC 6749 §4.3): a name and a password open a family.
import { randomBytes } from 'node:crypto'
import { isConfidential } from '../clients/authenticate.ts'
import type { Emit } from '../base/events.ts'
import { sidOf } from '../base/ids.ts'
import { invalidGrant, invalidScope, slowDown } from '../oauth/errors.ts'
import { formatScope } from '../oauth/scope.ts'
import type { TakeStatusEntry } from '../status-lists/indices.ts'
import type { Families, Login } from '../stores/ports/families.ts'
import type { Authenticate, Authentication } from '../users/authenticate.ts'
import type { NameInLogs } from '../users/names/name-in-logs.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import { required, type Grant, type GrantRequest } from './grant.ts'
import { accessTtl, mayRefresh, type IssueTokens, type TokenPolicy } from './issue.ts'
import { limited, requestedAudience, requestedScope } from './targets.ts'

// A family that can't be refreshed lives as long as its access token, and a little longer for clocks that
// differ.
const CLOCK_MARGIN_MS = 60_000

export interface PasswordGrantDependencies {
  readonly issuer: string
  readonly authenticate: Authenticate
  readonly nameInLogs: NameInLogs
  readonly families: Pick<Families, 'open'>
  readonly issue: IssueTokens
  readonly policy: () => TokenPolicy
  /** Undefined: tokens have no status. */
  readonly takeStatus: TakeStatusEntry | undefined
  readonly emit: Emit
}

type Authenticated = Extract<Authentication, { kind: 'ok' }>

/** Makes the grant. */
export function createPasswordGrant({
  issuer,
  authenticate,
  nameInLogs,
  families,
  issue,
  policy,
  takeStatus,
  emit,
}: PasswordGrantDependencies): Grant {
  const told = ({ client, params, address }: GrantRequest) => ({
    clientId: client.id,
    username: nameInLogs(required(params, 'username')),
    network: networkOf(address),
  })

  async function logIn(request: GrantRequest): Promise<Authenticated> {
    const { client, params, address, clientGone, origin } = request
    const outcome = await authenticate({
      name: required(params, 'username'),
      password: required(params, 'password'),
      clientId: client.id,
      address,
      signal: clientGone(),
      origin,
    })
    if (outcome.kind === 'ok') return outcome
    if (outcome.kind === 'throttled') {
      const retryAfterSeconds = Math.ceil(outcome.retryAfterMs / 1000)
      emit(
        {
          type: 'login.throttled',
          ...told(request),
          reason: `throttled_by_${outcome.by}`,
          retryAfterSeconds,
          ...(outcome.sub !== undefined && { sub: outcome.sub }),
        },
        origin,
      )
      throw slowDown(retryAfterSeconds, `throttled_by_${outcome.by}`)
    }
    emit(
      {
        type: 'login.failed',
        ...told(request),
        reason: outcome.reason,
        ...(outcome.sub !== undefined && { sub: outcome.sub }),
      },
      origin,
    )
    throw invalidGrant(outcome.reason)
  }

  return async request => {
    const { client, params, jkt, origin } = request
    const wanted = requestedScope(params, client.scopes) ?? client.scopes
    const audience =
      requestedAudience(params, client.audience) ??
      defaultAudience(client.audience, issuer)
    const { account, known } = await logIn(request)
    const scope = limited(wanted, account.scopes)
    if (wanted.length > 0 && scope.length === 0) {
      throw invalidScope('scope_not_allowed_to_user')
    }

    const status = await takeStatus?.(accessTtl(client, policy()))
    const familyId = randomBytes(16)
    const opened = await families.open({
      userTag: account.tag,
      sid: sidOf(familyId),
      clientId: client.id,
      scope: formatScope(scope),
      audience,
      epoch: account.epoch,
      jkt: isConfidential(client) ? undefined : jkt,
      status,
      ...lifetimes(request, policy()),
    })
    if (opened.kind === 'refused') {
      emit(
        {
          type: 'login.failed',
          ...told(request),
          reason: opened.reason,
          sub: account.sub,
        },
        origin,
      )
      throw invalidGrant(opened.reason)
    }
    emit(
      {
        type: 'login.succeeded',
        ...told(request),
        sub: account.sub,
        sid: opened.family.sid,
        networkKnown: known,
      },
      origin,
    )
    return issue({
      client,
      family: opened.family,
      familyId,
      generation: 1,
      user: opened.user,
      scope,
      audience,
      jkt,
      status,
    })
  }
}

// RFC 9068 §3 wants an audience: where none is configured, the issuer itself.
function defaultAudience(audience: readonly string[], issuer: string): readonly string[] {
  return audience.length > 0 ? audience : [issuer]
}

function lifetimes(
  { client }: GrantRequest,
  policy: TokenPolicy,
): Pick<Login, 'idleMs' | 'absoluteMs'> {
  if (mayRefresh(client)) {
    return {
      idleMs: client.refreshIdle ?? policy.refreshIdle,
      absoluteMs: client.refreshAbsolute ?? policy.refreshAbsolute,
    }
  }
  const once = accessTtl(client, policy) + CLOCK_MARGIN_MS
  return { idleMs: once, absoluteMs: once }
}
