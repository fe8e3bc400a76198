// The password grant (RFC 6749 §4.3): a name and a password open a family.
import { Type, type Static } from 'typebox'
import { sidOf } from '../base/ids.ts'
import { systemRandom } from '../base/random.ts'
import { isConfidential } from '../clients/client-auth.ts'
import type { Client } from '../clients/registry.ts'
import { invalidGrant, invalidScope, slowDown } from '../oauth/errors.ts'
import { formatScope } from '../oauth/scope.ts'
import type { Device, Login, OpenOutcome } from '../stores/ports/families.ts'
import type { Authentication } from '../users/authenticate.ts'
import { networkOf } from '../users/failed-logins/network.ts'
import { mustChangePassword } from '../users/required-change.ts'
import { deviceName, userAgentFamily } from './device.ts'
import { defineGrant, type GrantServices } from './descriptor.ts'
import type { Grant, GrantRequest, TokenResponse } from './grant.ts'
import { accessTtl, mayRefresh, type TokenPolicy } from './issue.ts'
import { TARGET_PARAMETERS } from './parameters.ts'
import {
  defaultAudience,
  intersect,
  requestedAudience,
  requestedScope,
} from './targets.ts'

// A family that can't be refreshed lives as long as its access token, and a little longer for clocks that
// differ.
const CLOCK_MARGIN_MS = 60_000

const PARAMETERS = {
  username: Type.String({ description: "The user's name." }),
  password: Type.String({ format: 'password', description: "The user's password." }),
  device_name: Type.Optional(
    Type.String({
      description:
        'What the user calls the device, for the list of sessions: at most 64 printable characters.',
    }),
  ),
  ...TARGET_PARAMETERS,
}

/** What the grant is built of. */
export type PasswordGrantServices = Pick<
  GrantServices,
  | 'issuer'
  | 'authenticate'
  | 'nameInLogs'
  | 'issue'
  | 'policy'
  | 'takeStatus'
  | 'keepAccount'
  | 'emit'
  | 'random'
> & { readonly families: Pick<GrantServices['families'], 'open'> }

type Parameters = Static<Type.TObject<typeof PARAMETERS>>
type Request = GrantRequest<Parameters>
type Authenticated = Extract<Authentication, { kind: 'ok' }>

/** What a session is opened for, and from where. */
interface Targets {
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly device: Device
}

/** The password grant. */
export const passwordGrant = defineGrant({
  type: 'password',
  label: 'password',
  summary: 'A name and a password open a session.',
  parameters: PARAMETERS,
  example: {
    grant_type: 'password',
    client_id: 'mobile',
    username: 'alice',
    password: 'correct horse battery staple',
    scope: 'orders:read',
  },
  allows: client => client.grants.includes('password'),
  create: createPasswordGrant,
})

function createPasswordGrant(services: PasswordGrantServices): Grant<Parameters> {
  const { issuer } = services
  const logIn = createLogIn(services)
  const openSession = createOpenSession(services)

  return async function exchangePassword(request) {
    const { client, params } = request
    const device = deviceOf(request)
    const wanted = requestedScope(params.scope, client.scopes) ?? client.scopes
    const audience =
      requestedAudience(params.resource, client.audience) ??
      defaultAudience(client.audience, issuer)
    const login = await logIn(request)
    const scope = intersect(wanted, login.account.scopes)
    if (wanted.length > 0 && scope.length === 0) {
      throw invalidScope('scope_not_allowed_to_user', login.account.sub)
    }
    return openSession(request, login, { scope, audience, device })
  }
}

/** Makes the step that checks the password. Throws what refuses it, with an event of it. */
function createLogIn(
  services: PasswordGrantServices,
): (request: Request) => Promise<Authenticated> {
  const { authenticate, emit } = services

  return async function logIn(request) {
    const { client, params, address, clientGone, origin } = request
    const outcome = await authenticate({
      name: params.username,
      password: params.password,
      clientId: client.id,
      address,
      signal: clientGone(),
      origin,
    })
    if (outcome.kind === 'ok') return outcome
    const attempt = {
      ...attemptOf(request, services),
      ...(outcome.sub !== undefined && { sub: outcome.sub }),
    }
    if (outcome.kind === 'refused') {
      emit({ type: 'login.failed', ...attempt, reason: outcome.reason }, origin)
      throw invalidGrant(outcome.reason, outcome.sub)
    }
    const reason = `throttled_by_${outcome.by}` as const
    const retryAfterSeconds = Math.ceil(outcome.retryAfterMs / 1000)
    emit({ type: 'login.throttled', ...attempt, reason, retryAfterSeconds }, origin)
    throw slowDown(retryAfterSeconds, reason, outcome.sub)
  }
}

/** Makes the step that opens the family of a login and issues its first tokens. */
function createOpenSession(
  services: PasswordGrantServices,
): (request: Request, login: Authenticated, targets: Targets) => Promise<TokenResponse> {
  const { families, issue, policy, takeStatus, keepAccount } = services
  const { random = systemRandom } = services

  return async function openSession(request, { account, known }, targets) {
    const { client, jkt } = request
    const { scope, audience, device } = targets
    await keepAccount(account, request.origin)
    const status = await takeStatus?.(accessTtl(client, policy()))
    const familyId = random.bytes(16)
    const opened = await families.open({
      userTag: account.tag,
      sid: sidOf(familyId),
      clientId: client.id,
      scope: formatScope(scope),
      audience,
      sessionsEpoch: account.sessionsEpoch,
      jkt: isConfidential(client) ? undefined : jkt,
      device,
      status,
      ...lifetimes(client, policy()),
    })
    emitOutcome(opened, { request, services, sub: account.sub, networkKnown: known })
    if (opened.kind === 'refused') throw invalidGrant(opened.reason, account.sub)
    const tokens = await issue({
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
    return mustChangePassword(account)
      ? { ...tokens, password_change_required: true }
      : tokens
  }
}

// The account may have changed between the password's check and the family's beginning.
function emitOutcome(
  opened: OpenOutcome,
  {
    request,
    services,
    sub,
    networkKnown,
  }: {
    readonly request: Request
    readonly services: PasswordGrantServices
    readonly sub: string
    readonly networkKnown: boolean
  },
): void {
  const attempt = { ...attemptOf(request, services), sub }
  services.emit(
    opened.kind === 'refused'
      ? { type: 'login.failed', ...attempt, reason: opened.reason }
      : { type: 'login.succeeded', ...attempt, sid: opened.family.sid, networkKnown },
    request.origin,
  )
}

/** What its owner recognises the session by. Throws invalid_request for a name that can't be shown. */
function deviceOf({ params, origin, address }: Request): Device {
  return {
    name: deviceName(params.device_name),
    userAgent: userAgentFamily(origin.headers['user-agent']),
    network: networkOf(address),
  }
}

/** How events name a login. */
function attemptOf(
  { client, params, address }: Request,
  { nameInLogs }: Pick<GrantServices, 'nameInLogs'>,
) {
  return {
    clientId: client.id,
    username: nameInLogs(params.username),
    network: networkOf(address),
  }
}

function lifetimes(
  client: Client,
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
