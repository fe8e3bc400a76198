// The password grant (RFC 6749 §4.3): a name and a password open a family.
import { randomBytes } from 'node:crypto'
import { isConfidential } from '../clients/authenticate.ts'
import type { Emit } from '../events.ts'
import { sidOf } from '../ids.ts'
import { invalidGrant, invalidScope } from '../oauth/errors.ts'
import { formatScope } from '../oauth/scope.ts'
import type { Account, Families, Login } from '../stores/ports.ts'
import type { Accounts } from '../users/accounts.ts'
import { required, type Grant, type GrantRequest } from './grant.ts'
import { mayRefresh, type IssueTokens, type TokenPolicy } from './issue.ts'
import { limited, requestedAudience, requestedScope } from './targets.ts'

// A family that can't be refreshed lives as long as its access token, and a little longer for clocks that differ.
const CLOCK_MARGIN_MS = 60_000

export interface PasswordGrantDependencies {
  readonly issuer: string
  readonly accounts: Pick<Accounts, 'authenticate'>
  readonly families: Pick<Families, 'open'>
  readonly issue: IssueTokens
  readonly policy: () => TokenPolicy
  readonly emit: Emit
}

/** Makes the grant. */
export function createPasswordGrant ({ issuer, accounts, families, issue, policy, emit }: PasswordGrantDependencies): Grant {
  async function authenticate ({ client, params }: GrantRequest): Promise<Account> {
    const outcome = await accounts.authenticate(required(params, 'username'), required(params, 'password'))
    if (outcome.kind === 'ok') return outcome.account
    emit({ type: 'login.failed', clientId: client.id, reason: outcome.reason, ...(outcome.sub !== undefined && { sub: outcome.sub }) })
    throw invalidGrant(outcome.reason)
  }

  return async request => {
    const { client, params, jkt } = request
    const wanted = requestedScope(params, client.scopes) ?? client.scopes
    const audience = requestedAudience(params, client.audience) ?? defaultAudience(client.audience, issuer)
    const account = await authenticate(request)
    const scope = limited(wanted, account.scopes)
    if (wanted.length > 0 && scope.length === 0) throw invalidScope('scope_not_allowed_to_user')

    const familyId = randomBytes(16)
    const opened = await families.open({
      userTag: account.tag,
      sid: sidOf(familyId),
      clientId: client.id,
      scope: formatScope(scope),
      audience,
      epoch: account.epoch,
      jkt: isConfidential(client) ? undefined : jkt,
      ...lifetimes(request, policy()),
    })
    if (opened.kind === 'refused') {
      emit({ type: 'login.failed', clientId: client.id, reason: opened.reason, sub: account.sub })
      throw invalidGrant(opened.reason)
    }
    emit({ type: 'login.succeeded', clientId: client.id, sub: account.sub, sid: opened.family.sid })
    return issue({ client, family: opened.family, familyId, generation: 1, user: opened.user, scope, audience, jkt })
  }
}

// RFC 9068 §3 wants an audience: where none is configured, the issuer itself.
function defaultAudience (audience: readonly string[], issuer: string): readonly string[] {
  return audience.length > 0 ? audience : [issuer]
}

function lifetimes ({ client }: GrantRequest, policy: TokenPolicy): Pick<Login, 'idleMs' | 'absoluteMs'> {
  if (mayRefresh(client)) {
    return { idleMs: client.refreshIdle ?? policy.refreshIdle, absoluteMs: client.refreshAbsolute ?? policy.refreshAbsolute }
  }
  const once = (client.accessTtl ?? policy.accessTtl) + CLOCK_MARGIN_MS
  return { idleMs: once, absoluteMs: once }
}
