// The real server in this process, on either store: what production builds, with cheap hashing and a clock
// moved by hand.
import { createHash, randomBytes } from 'node:crypto'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { buildApp } from '../../src/app.ts'
import { buildManagement } from '../../src/http/management/management.ts'
import type { StaticToken } from '../../src/http/management/callers/static-tokens.ts'
import { knownSenderOf } from '../../src/http/callers/own-address.ts'
import { logOptions, observeRequests } from '../../src/observe/log.ts'
import type { Emit } from '../../src/base/events/events.ts'
import type { CompatSettings } from '../../src/http/compat/compat.ts'
import type { ClientRegistry, ClientSettings } from '../../src/clients/registry.ts'
import { createCore, type Core } from '../../src/core/core.ts'
import type { CoreSettings } from '../../src/core/settings.ts'
import { loadCore } from '../../src/core/start.ts'
import type { KeySource } from '../../src/keys/external/key-source.ts'
import type { KeyRing } from '../../src/keys/ring.ts'
import type { KnownSecrets } from '../../src/keys/known-secrets.ts'
import type { SightingsRecorder } from '../../src/keys/verifiers/sightings.ts'
import { rulesOf, type ClaimRule } from '../../src/oauth/claims.ts'
import { openAudit } from '../../src/observe/audit/open.ts'
import { watchDirectories } from '../../src/observe/directories.ts'
import { createMetrics, type Metrics } from '../../src/observe/metrics/metrics.ts'
import { timedStore } from '../../src/observe/tracing/traced-store.ts'
import { NO_WAY_OUT, type Outgoing } from '../../src/self-service/outgoing.ts'
import type { MakeTicket } from '../../src/self-service/make-ticket.ts'
import type { Sessions } from '../../src/sessions/sessions.ts'
import type { StatusService } from '../../src/status-lists/service.ts'
import { openStore } from '../../src/stores/open.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import type { Accounts } from '../../src/users/accounts.ts'
import type { RecheckPolicy } from '../../src/users/directory/recheck.ts'
import type { FailedLoginsPolicy } from '../../src/users/failed-logins/failed-logins.ts'
import type { LoginRefusals } from '../../src/users/refusals/login-refusals.ts'
import type { PasswordRules } from '../../src/users/new-password.ts'
import type { Unlock } from '../../src/users/refusals/unlock.ts'
import type { PasswordHasher } from '../../src/users/hashing/hasher.ts'
import {
  declarationsOf,
  type DeclaredAttribute,
} from '../../src/users/attributes/declarations.ts'
import { createHandClock } from './clock.ts'
import { PATIENCE_MS, PATIENT } from './until.ts'

export const ISSUER = 'https://id.example.com'
export const PASSWORD = 'correct horse battery staple'
export const ORDERS = 'https://orders.example.com'
export const MAIL = 'https://mail.example.com'
export const API_SECRET = 'orders-secret'

const MINUTE = 60_000
const DAY = 86_400_000

export const sha256Line = (secret: string) =>
  `sha256:${createHash('sha256').update(secret).digest('base64url')}`

/** A client of the tests: public, may log in and refresh, for both resource servers. */
export const client = (
  id: string,
  more: Partial<ClientSettings> = {},
): ClientSettings => ({
  id,
  secrets: [],
  keys: [],
  jwksUriMayBePrivate: false,
  assertionAudience: 'issuer',
  grants: ['password', 'refresh_token'],
  scopes: ['profile', 'orders:read', 'orders:write'],
  audience: [ORDERS, MAIL],
  introspect: 'own',
  introspectByToken: false,
  forwardsAddress: false,
  lateRetry: 'burn',
  dpop: 'allowed',
  ...more,
})

/** For tests that fail on purpose, of something else: no failure costs a delay. */
export const UNTHROTTLED: FailedLoginsPolicy = {
  perName: 1_000_000,
  perNetwork: 1_000_000,
  perPassword: 1_000_000,
  maxDelay: 15 * MINUTE,
  knownFor: 30 * DAY,
}

/** Cheap, and never in the way of the tests beside it. */
const HASHING = {
  memoryKiB: 64,
  passes: 2,
  parallelism: 1,
  concurrency: 2,
  memoryShare: 50,
  queue: 64,
  maxWait: PATIENCE_MS,
}

/** All is off. */
export const NO_SELF_SERVICE: CoreSettings['selfService'] = {
  account: false,
  registration: 'closed',
  verify: 'none',
  recovery: false,
  codes: false,
  ticketTtl: 30 * MINUTE,
  deletion: {},
  perNetwork: { max: 1_000_000, window: 60 * MINUTE },
  perTarget: { max: 1_000_000, window: 60 * MINUTE },
  perTargetInAll: { max: 1_000_000, window: 60 * MINUTE },
}

/** The clients of every test. */
export const CLIENTS: readonly ClientSettings[] = [
  client('mobile'),
  client('web', {
    secrets: [sha256Line('web-secret'), sha256Line('web-secret-2')],
    forwardsAddress: true,
  }),
  client('once', { grants: ['password'] }),
  client('orders-api', {
    secrets: [sha256Line(API_SECRET)],
    grants: [],
    scopes: [],
    audience: [ORDERS],
  }),
  client('mail-api', {
    secrets: [sha256Line('mail-secret')],
    grants: [],
    scopes: [],
    audience: [MAIL],
  }),
  client('auditor', {
    secrets: [sha256Line('auditor-secret')],
    grants: [],
    scopes: [],
    audience: [],
    introspect: 'any',
  }),
  client('service', { secrets: [sha256Line('service-secret')], introspectByToken: true }),
  client('machine', {
    secrets: [sha256Line('machine-secret'), sha256Line('machine-secret-2')],
    grants: ['client_credentials'],
    scopes: ['orders:read', 'orders:write'],
  }),
  client('odd+:%id', { secrets: [sha256Line('s+:% é')] }),
  client('bare', { scopes: [], audience: [] }),
  client('strict', { lateRetry: 'refuse' }),
  client('bound', { dpop: 'required' }),
]

export interface TestApp {
  readonly app: FastifyInstance
  /** The management listener. */
  readonly management: FastifyInstance
  readonly store: Store
  readonly keys: KeyRing
  /** Reads what is new when it is told to. */
  readonly known: KnownSecrets
  readonly sightings: SightingsRecorder
  /** Reads what is new when it is told to. */
  readonly status: StatusService
  readonly core: Core
  readonly accounts: Accounts
  readonly refusals: LoginRefusals
  readonly unlock: Unlock
  readonly elsewhere: Core['elsewhere']
  readonly authenticate: Core['authenticate']
  readonly sessions: Sessions
  readonly makeTicket: MakeTicket
  readonly clients: ClientRegistry
  readonly metrics: Metrics
  readonly clock: ReturnType<typeof createHandClock>
  /** Every line that the server logged. */
  readonly lines: string[]
  /** What the server reads while it runs; change it to see it obeyed. */
  readonly live: {
    usernames: boolean
    successes: number
    logins: FailedLoginsPolicy
    proofAge: number
    nonce: boolean
    accessTtl: number
    refreshIdle: number
    refreshAbsolute: number
    reuseGrace: number
    recheck: RecheckPolicy
    max: number
    maxPerClient: number
    maxPerSession: number
    window: number
    rotateEvery: number
    publishAhead: number
    typ: Record<string, 'JWT' | 'at+jwt'>
    algorithm: Record<string, string>
    /** As `claims` and `audiences`. */
    claims: Record<string, ClaimRule>
    audiences: Record<string, { claims: Record<string, ClaimRule> }>
    attributes: Record<string, DeclaredAttribute>
    loginBy: string[]
    /** As `admin.roles`. */
    notify: ReturnType<CoreSettings['notify']>
    roles: Record<string, string[]>
    /** As `scim.tokens`. */
    staticTokens: StaticToken[]
    /** As `scim.perClient` and `scim.perAddress`. */
    maxPerCaller: number
    maxForged: number
    /** As `management.url`. */
    managementUrl: string | undefined
    /** As `scim.passwords`, and `scim.profile: strict`. */
    scimPasswords: boolean
    strict: boolean
  }
  post(
    url: string,
    params: Params,
    headers?: Record<string, string>,
  ): Promise<LightMyRequestResponse>
  login(more?: Params): Promise<{
    access_token: string
    refresh_token: string
    /** With the scope openid. */
    id_token: string
    expires_in: number
    scope: string
    token_type: string
  }>
  refresh(refreshToken: string, more?: Params): Promise<LightMyRequestResponse>
  introspect(
    token: string,
    id?: string,
    secret?: string,
  ): Promise<Record<string, unknown>>
  close(): Promise<void>
}

type Params = Record<string, string> | [string, string][] | string

export interface TestAppOptions {
  /** How long a call to the store may take, in milliseconds; default: as long as a busy machine needs. */
  readonly storeDeadlineMs?: number
  /** Default: SQLite in memory. */
  readonly storeUrl?: string
  /** As in `http`. */
  readonly answerTimeout?: number
  readonly maxInFlight?: number
  readonly requestTimeout?: number
  readonly maxConnections?: number
  readonly maxConnectionsPerAddress?: number
  /** As `status.enabled`; default true. */
  readonly statusEnabled?: boolean
  /** As `store.replicas`. */
  readonly replicas?: number
  /** As `store.lossPeriod`; default: a store that loses its data isn't noticed. */
  readonly lossPeriodMs?: number
  /** How far the store's clock is ahead of the server's. */
  readonly storeAheadMs?: number
  /** Where its clock stands; milliseconds, default: now. */
  readonly now?: number
  readonly issuer?: string
  readonly secrets?: readonly string[]
  readonly trustedProxies?: readonly string[]
  readonly proxyHeaders?: 'original' | 'forwarded'
  readonly cors?: readonly string[]
  readonly logLevel?: string
  readonly docs?: boolean
  /** As `compat`. */
  readonly compat?: CompatSettings
  /** Instead of CLIENTS. */
  readonly clients?: readonly ClientSettings[]
  /** What signs; default ES256. */
  readonly algorithm?: 'ES256' | 'RS256' | 'PS256' | 'EdDSA'
  /** Keys that are kept elsewhere. */
  readonly source?: KeySource
  /** Something between the server and its hasher; default: nothing. */
  readonly overHasher?: (hasher: PasswordHasher) => PasswordHasher
  /** As in the configuration; default: all is off. */
  readonly selfService?: CoreSettings['selfService']
  /** Directories elsewhere. */
  readonly directories?: CoreSettings['directories']
  /** What is sent; default: nothing is. */
  readonly outgoing?: Outgoing
  /** As in `passwords`. */
  readonly passwords?: { readonly queue?: number; readonly maxWait?: number }
  /** The rules for new passwords; default: any is good. */
  readonly passwordRules?: Partial<Pick<PasswordRules, 'minLength' | 'isBreached'>>
}

/** Builds the server with one user, `alice`; what was opened is closed where that fails. */
export async function buildTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  let store: Store | undefined
  const opening = (opened: Store) => {
    store = opened
  }
  try {
    return await build({ ...options, opening })
  } catch (error) {
    await store?.close()
    throw error
  }
}

async function build({
  opening,
  storeDeadlineMs = PATIENT.deadlineMs,
  storeUrl = 'sqlite::memory:',
  issuer = ISSUER,
  secrets = [randomBytes(32).toString('base64url')],
  trustedProxies = [],
  proxyHeaders,
  cors = [],
  logLevel = 'trace',
  docs = true,
  compat,
  clients: registered = CLIENTS,
  algorithm = 'ES256',
  storeAheadMs = 0,
  now,
  source,
  overHasher = hasher => hasher,
  directories = [],
  passwords = {},
  passwordRules = {},
  replicas,
  lossPeriodMs,
  answerTimeout = PATIENCE_MS,
  statusEnabled = true,
  maxInFlight = 1000,
  requestTimeout = PATIENCE_MS,
  maxConnections = 5000,
  maxConnectionsPerAddress = 1000,
  selfService = NO_SELF_SERVICE,
  outgoing = NO_WAY_OUT,
}: TestAppOptions & { readonly opening: (store: Store) => void }): Promise<TestApp> {
  const clock = createHandClock(now)
  const storeClock = () => clock() + storeAheadMs
  const opened = await openStore({
    deadlineMs: storeDeadlineMs,
    url: storeUrl,
    clock: storeClock,
    redisClock: storeClock,
    replicas,
    lossPeriodMs,
  })
  opening(opened.store)
  const metrics = createMetrics()
  const { store, addressCounts } = timedStore(opened, metrics)
  const lines: string[] = []
  const logStream = {
    write(line: string) {
      lines.push(line)
    },
  }
  const audit = openAudit({ to: 'stdout', output: logStream, failed() {}, clock })
  const emit: Emit = (event, origin) => {
    metrics.emit(event)
    audit.emit(event, origin)
  }
  const live = {
    usernames: false,
    successes: 1,
    logins: UNTHROTTLED,
    proofAge: MINUTE,
    nonce: false,
    accessTtl: 10 * MINUTE,
    refreshIdle: 14 * DAY,
    refreshAbsolute: 90 * DAY,
    reuseGrace: 10_000,
    max: 1_000_000,
    maxPerClient: 1_000_000,
    maxPerSession: 1_000_000,
    window: MINUTE,
    rotateEvery: 90 * DAY,
    publishAhead: 7 * DAY,
    typ: {} as Record<string, 'JWT' | 'at+jwt'>,
    algorithm: {} as Record<string, string>,
    claims: {} as Record<string, ClaimRule>,
    audiences: {} as Record<string, { claims: Record<string, ClaimRule> }>,
    attributes: {} as Record<string, DeclaredAttribute>,
    claimsMaxBytes: 2048,
    loginBy: ['name'],
    roles: {} as Record<string, string[]>,
    staticTokens: [] as StaticToken[],
    maxPerCaller: 1_000_000,
    maxForged: 1_000_000,
    managementUrl: undefined as string | undefined,
    scimPasswords: true,
    strict: false,
    recheck: { grace: 60 * MINUTE, recheck: 5 * MINUTE },
    notify: {
      giveUp: DAY,
      maxItems: 100_000,
      noticesPerAccount: { max: 10, window: 60 * MINUTE },
    } as ReturnType<CoreSettings['notify']>,
  }
  const settings: CoreSettings = {
    issuer,
    secrets,
    status: { enabled: statusEnabled, ttl: 10_000 },
    hashing: { ...HASHING, ...passwords },
    clients: registered,
    minPasswordLength: passwordRules.minLength ?? (() => 1),
    keyPolicy: () => ({
      algorithm,
      audienceAlgorithms: Object.values(live.algorithm),
      rotateEveryMs: live.rotateEvery,
      publishAheadMs: live.publishAhead,
      accessTtlMs: live.accessTtl,
    }),
    tokenPolicy: () => live,
    typOf: audience => live.typ[audience] ?? 'at+jwt',
    algorithmOf: audience => live.algorithm[audience],
    claimsFor: audience => rulesOf(audience, live),
    logins: () => live.logins,
    attributes: () => declarationsOf(live.attributes),
    claimsBudget: () => live,
    loginBy: () => live.loginBy,
    selfService,
    directories,
    recheck: () => live.recheck,
    ticketPolicy: () => ({ ttl: 30 * MINUTE, codes: true }),
    notify: () => live.notify,
    usernamesInLogs: () => live.usernames,
  }
  const core = createCore({
    settings,
    store,
    addressCounts,
    clock,
    monotonic: clock,
    emit,
    outgoing,
    source,
    ...(passwordRules.isBreached !== undefined && {
      isBreached: passwordRules.isBreached,
    }),
    instruments: {
      status: metrics,
      directories: watchDirectories(metrics, () => app.log),
      hashWaited: () => {},
      aroundHasher: overHasher,
      aroundSign: sign => sign,
    },
  })
  await loadCore(core, async () => {})
  const { keys, sightings, status, accounts, clients } = core
  metrics.showKeys(keys.describe)
  metrics.showHashing(core.hasher.load)
  metrics.showStatus(status.count)
  const app = await buildApp({
    core,
    http: {
      trustedProxies,
      ...(proxyHeaders !== undefined && { proxyHeaders }),
      cors,
      docs,
      requestTimeout,
      answerTimeout,
      maxInFlight,
      maxConnections,
      maxConnectionsPerAddress,
    },
    ...(compat !== undefined && { compat }),
    live: {
      dpop: () => live,
      addressLimit: () => live,
      clientLimit: () => ({ max: live.maxPerClient, window: live.window }),
      sessionLimit: () => ({ max: live.maxPerSession, window: live.window }),
      successes: () => live.successes,
    },
    connections: metrics.connections('public'),
    logLevel,
    logStream,
    version: '0.0.0-test',
    addressCounts,
    metrics,
  })
  const management = buildManagement({
    isReady: () => true,
    storeState: () => ({ store: 'ok' }),
    metrics: metrics.render,
    bounds: { maxConnections: 1, maxConnectionsPerAddress: 1, isExempt: () => false },
    observer: metrics.connections('management'),
    loopbackNamesOnly: false,
    logger: { ...logOptions(logLevel), stream: logStream },
    api: {
      core,
      settings: {
        dpop: () => live,
        addressLimit: () => ({ max: live.maxForged, window: live.window }),
        sessionLimit: () => ({ max: live.maxPerSession, window: live.window }),
        callerLimit: () => ({ max: live.maxPerCaller, window: live.window }),
        roles: () => live.roles,
        tokens: () => live.staticTokens,
        url: () => live.managementUrl,
        passwords: () => live.scimPasswords,
        strict: () => live.strict,
      },
      version: '0.0.0-test',
      observe: routes =>
        observeRequests(routes, {
          metrics,
          senderOf: knownSenderOf,
          successes: () => live.successes,
          traceIdOf: () => undefined,
        }),
    },
  })
  await accounts.add({
    name: 'alice',
    password: PASSWORD,
    scopes: null,
    roles: ['buyer'],
  })

  const post: TestApp['post'] = (url, params, headers = {}) =>
    app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload:
        typeof params === 'string' ? params : new URLSearchParams(params).toString(),
    })
  return {
    app,
    core,
    management,
    store,
    keys,
    known: core.knownSecrets,
    sightings,
    status,
    accounts,
    refusals: core.refusals,
    unlock: core.unlock,
    elsewhere: core.elsewhere,
    authenticate: core.authenticate,
    sessions: core.sessions,
    makeTicket: core.makeTicket,
    clients,
    metrics,
    clock,
    lines,
    live,
    post,
    async login(more = {}) {
      const answer = await post('/token', {
        grant_type: 'password',
        client_id: 'mobile',
        username: 'alice',
        password: PASSWORD,
        ...Object.fromEntries(new URLSearchParams(more)),
      })
      if (answer.statusCode !== 200) throw new Error(`login failed: ${answer.body}`)
      return answer.json()
    },
    refresh: (refreshToken, more = {}) =>
      post('/token', {
        grant_type: 'refresh_token',
        client_id: 'mobile',
        refresh_token: refreshToken,
        ...Object.fromEntries(new URLSearchParams(more)),
      }),
    async introspect(token, id = 'orders-api', secret = API_SECRET) {
      return (
        await post('/introspect', { token, client_id: id, client_secret: secret })
      ).json()
    },
    async close() {
      await app.close()
      await management.close()
      await store.close()
      audit.close()
    },
  }
}
