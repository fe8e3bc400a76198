// The server, wired in one visible list: plugins, then routes. It never listens; main.ts and the tests call
// this same function.
import cors from '@fastify/cors'
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import fastify, { LogController, type FastifyInstance } from 'fastify'
import { createAssertions } from './clients/assertion.ts'
import type { ClientRegistry } from './clients/registry.ts'
import type { Clock } from './base/clock.ts'
import type { Emit } from './base/events.ts'
import { createGrants } from './grants/all.ts'
import { createIssue, type TokenPolicy } from './grants/issue.ts'
import { registerAddressLimit, type RateLimits } from './http/callers/address-limit.ts'
import { createClientOf } from './http/callers/client.ts'
import {
  closeConnectionsWhenStopping,
  connectionOptions,
} from './http/listener/connections.ts'
import type { ConnectionObserver } from './http/listener/connection-bounds.ts'
import { docsRoutes, registerOpenApi } from './http/public/docs.ts'
import { createProvenKey } from './http/callers/dpop.ts'
import { answersOptions, corsOptions } from './http/request/cors.ts'
import {
  sendFrameworkError,
  setErrorHandler,
  setNotFoundHandler,
} from './http/request/error-handler.ts'
import { collectRoutes, type RouteTable } from './http/public/routes.ts'
import { introspectRoute } from './http/public/introspect.ts'
import { createIntrospectorOf } from './http/callers/introspector.ts'
import { jwksRoute } from './http/public/jwks.ts'
import { answerLoopbackNamesOnly } from './http/request/loopback-names.ts'
import { metadataRoutes } from './http/public/metadata.ts'
import { boundWork, type WorkBounds } from './http/request/overload.ts'
import type { ProxiedRequestOptions } from './http/callers/proxied-request.ts'
import { createRefreshTokenOf } from './http/public/refresh-token-of.ts'
import { revokeRoute } from './http/public/revoke.ts'
import { startPageRoute } from './http/public/start-page.ts'
import { statusRoute } from './http/public/status-list.ts'
import { watchSenders } from './http/callers/sender-watch.ts'
import { sendSecurityHeaders } from './http/request/security-headers.ts'
import { tokenRoute } from './http/public/token.ts'
import { createTokenFailures } from './http/callers/token-failures.ts'
import { createTokenHolder } from './http/callers/token-holder.ts'
import { createTrust } from './http/callers/trusted-proxies.ts'
import { userinfoRoute } from './http/public/userinfo.ts'
import { verifyRoute } from './http/public/verify.ts'
import { registerVerifier } from './http/callers/verify-access-token.ts'
import type { KeyRing } from './keys/ring.ts'
import type { SightingsRecorder } from './keys/verifiers/sightings.ts'
import { logOptions, observeRequests } from './observe/log.ts'
import type { Metrics } from './observe/metrics/metrics.ts'
import { NO_TRACING, type Tracing } from './observe/tracing/tracing.ts'
import type { AddressCounts } from './stores/ports/address-counts.ts'
import { createCheckToken } from './status-lists/check-token.ts'
import type { StatusService } from './status-lists/service.ts'
import type { Store } from './stores/ports/store.ts'
import type { AccessTokenType } from './tokens/access-token.ts'
import { createNonces } from './tokens/dpop-nonce.ts'
import { createReadsRefreshToken } from './tokens/read-refresh-token.ts'
import { createRefreshTokenCodec } from './tokens/refresh-token.ts'
import { createJwtSigner } from './tokens/sign-jwt.ts'
import { createFind } from './users/accounts.ts'
import { createAuthenticate } from './users/authenticate.ts'
import { createNameInLogs } from './users/names/name-in-logs.ts'
import type { PasswordHasher } from './users/hashing/hasher.ts'
import { createThrottle, type ThrottlePolicy } from './users/failed-logins/throttle.ts'

const BODY_LIMIT = 16 * 1024

/** What the server reads while it runs; each call gives the values of now. */
export interface LiveSettings extends RateLimits {
  readonly policy: () => TokenPolicy
  readonly typOf: (audience: string) => AccessTokenType
  readonly dpop: () => { readonly proofAge: number; readonly nonce: boolean }
  readonly algorithmOf: (audience: string) => string | undefined
  readonly logins: () => ThrottlePolicy
  readonly usernamesInLogs: () => boolean
}

/** What the server is built of. */
export interface AppDependencies {
  readonly issuer: string
  readonly secrets: readonly string[]
  /** Whether another server has a secret of that number (src/base/secrets.ts) which this one has not. */
  readonly isSecretElsewhere: (number: number) => Promise<boolean>
  readonly http: {
    readonly cors: readonly string[]
    readonly docs: boolean
    /** Milliseconds. */
    readonly requestTimeout: number
    readonly maxConnections: number
    readonly maxConnectionsPerAddress: number
  } & WorkBounds &
    ProxiedRequestOptions
  /** Notified of the connections. */
  readonly connections: ConnectionObserver
  readonly logLevel: string
  /** Where log lines go. */
  readonly logStream: { write(line: string): void }
  readonly version: string
  readonly clients: ClientRegistry
  readonly live: LiveSettings
  readonly store: Store
  /** Where requests are counted per address; undefined: in this process. */
  readonly addressCounts: AddressCounts | undefined
  readonly keys: KeyRing
  readonly sightings: Pick<SightingsRecorder, 'fetched' | 'signed'>
  readonly status: StatusService
  readonly hasher: PasswordHasher
  readonly metrics: Metrics
  /** Default: no traces. */
  readonly tracing?: Tracing
  /** Told of what happens: the metrics and the audit log hear of it. */
  readonly emit: Emit
  readonly clock: Clock
  /** Whether it answers to names of this machine only, as development mode does; default false. */
  readonly loopbackNamesOnly?: boolean
  /** Whether the server is about to stop listening. */
  readonly isDraining?: () => boolean
}

/** Builds the public server; it doesn't listen. */
export async function buildApp(deps: AppDependencies): Promise<FastifyInstance> {
  const { issuer, clients, keys, sightings, http, metrics } = deps
  const app = createServer(deps)
  const path = new URL(issuer).pathname.replace(/\/$/, '')
  const routes = collectRoutes(app)
  closeConnectionsWhenStopping(app, deps.isDraining)
  if (deps.loopbackNamesOnly === true) answerLoopbackNamesOnly(app)
  if (http.docs) await registerOpenApi(app, { ...deps, path, scopes: clients.scopes() })
  // Outside of what follows: nothing that is registered there stands before the keys.
  for (const prefix of new Set(['', path])) {
    app.register(jwksRoute, {
      prefix,
      jwks: keys.jwks,
      clients,
      fetched: sightings.fetched,
      count: metrics.countJwks,
    })
  }
  await app.register(async endpoints =>
    registerEndpoints(endpoints, { ...deps, path, routes }),
  )
  return app
}

/** All other routes, and what they go through. */
async function registerEndpoints(
  app: FastifyInstance,
  deps: AppDependencies & { readonly path: string; readonly routes: RouteTable },
): Promise<void> {
  const {
    issuer,
    path,
    clients,
    live,
    store,
    keys,
    status,
    clock,
    http,
    metrics,
    tracing = NO_TRACING,
    emit,
  } = deps
  const base = new URL(issuer).href.replace(/\/$/, '')
  setErrorHandler(app)
  tracing.observeRequests(app)
  observeRequests(app, metrics)
  watchSenders(app, deps)
  sendSecurityHeaders(app)
  boundWork(app, http)

  const refreshTokens = createRefreshTokenCodec(deps)
  const readRefreshToken = createReadsRefreshToken(refreshTokens, deps.isSecretElsewhere)
  const sign = tracing.around(
    'sign',
    createJwtSigner(keys.signingKey, deps.sightings.signed),
  )
  const issue = createIssue({
    issuer,
    sign,
    refreshTokens,
    policy: live.policy,
    uriOf: status.uriOf,
    typOf: live.typOf,
    algorithmOf: live.algorithmOf,
    clock,
  })
  const throttle = createThrottle({
    attempts: store.loginAttempts,
    secrets: deps.secrets,
    policy: live.logins,
  })
  const authenticate = createAuthenticate({
    find: createFind(store.users),
    users: store.users,
    hasher: deps.hasher,
    throttle,
    emit,
  })
  const nameInLogs = createNameInLogs({
    secrets: deps.secrets,
    plain: live.usernamesInLogs,
  })
  const grants = createGrants({
    issuer,
    authenticate,
    nameInLogs,
    families: store.families,
    readRefreshToken,
    issue,
    policy: live.policy,
    takeStatus: status.take,
    clock,
    emit,
  })
  const clientOf = createClientOf({
    clients,
    assertions: createAssertions({ issuer, replays: store.replays, clock }),
    emit,
  })
  const verify = await registerVerifier(app, {
    issuer,
    keys,
    knowsAudience: clients.knowsAudience,
    clock,
  })
  const provenKey = createProvenKey({
    replays: store.replays,
    nonces: createNonces(deps),
    settings: live.dpop,
    clock,
  })
  const check = createCheckToken({
    accessTokens: store.accessTokens,
    isRevoked: status.isRevoked,
  })
  const tokenHolder = createTokenHolder({
    verify,
    check,
    provenKey,
    failures: createTokenFailures(live),
  })
  const introspectorOf = createIntrospectorOf({
    url: `${base}/introspect`,
    clientOf,
    clients,
    tokenHolder,
  })
  const refreshTokenOf = createRefreshTokenOf(refreshTokens)
  const limits = await registerAddressLimit(app, {
    settings: live,
    refreshTokenOf,
    counts: deps.addressCounts,
    clientOf,
  })

  // An issuer with a path: everything is below it, too, so that a proxy may keep the path or cut it off.
  const prefixes = new Set(['', path])
  await app.register(async pages => {
    if (http.cors.length > 0) {
      await pages.register(cors, corsOptions({ origins: http.cors, path }))
    }
    setNotFoundHandler(pages, {
      routes: deps.routes,
      answersOptions: url => answersOptions(url, { origins: http.cors, path }),
    })
    for (const prefix of prefixes) {
      pages.register(tokenRoute, {
        prefix,
        url: `${base}/token`,
        clientOf,
        grants,
        refreshTokenOf,
        limit: limits.unproven,
        provenKey,
        count: metrics,
      })
      pages.register(introspectRoute, {
        prefix,
        issuer,
        introspectorOf,
        limit: limits.strangersTo(introspectorOf),
        verify,
        check,
        readRefreshToken,
        families: store.families,
        policy: live.policy,
        sign,
        clock,
        emit,
      })
      pages.register(revokeRoute, {
        prefix,
        clientOf,
        limit: limits.strangersTo(clientOf),
        verify,
        readRefreshToken,
        store,
        status,
        emit,
      })
      pages.register(userinfoRoute, { prefix, url: `${base}/userinfo`, tokenHolder })
      pages.register(
        async documents => {
          // Where no page may call the endpoints they don't pay for the question either.
          if (http.cors.length === 0) {
            await documents.register(cors, corsOptions({ origins: [], path }))
          }
          await documents.register(metadataRoutes, {
            issuer,
            path,
            scopes: () => clients.scopes(),
            algorithm: () => keys.signingKey().alg,
            docs: http.docs,
          })
          await documents.register(startPageRoute, { path, docs: http.docs })
          await documents.register(statusRoute, { status })
        },
        { prefix },
      )
      if (http.docs) pages.register(docsRoutes, { prefix, path, clients })
    }
  })
  // Proxies ask here, and no page does: outside of CORS. Last, so that the document begins with /token.
  for (const prefix of prefixes) {
    app.register(verifyRoute, { prefix, tokenHolder, http })
  }
}

function createServer({
  http,
  connections,
  logLevel,
  logStream,
}: AppDependencies): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger: { ...logOptions(logLevel), stream: logStream },
    logController: new LogController({ disableRequestLogging: true }),
    // A logger for every request is as dear as a line; the few lines that tell of a request name it
    // themselves.
    childLoggerFactory: logger => logger,
    requestIdHeader: false,
    trustProxy: http.trustedProxies.length > 0 ? [...http.trustedProxies] : false,
    bodyLimit: BODY_LIMIT,
    ...connectionOptions({
      ...http,
      bounds: { ...http, isExempt: createTrust(http.trustedProxies) },
      observer: connections,
    }),
    frameworkErrors: sendFrameworkError,
  })
  // Bodies are read where an endpoint says how; elsewhere, what is wrong is the path or the method and not
  // the body.
  app.removeAllContentTypeParsers()
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  return app
}
