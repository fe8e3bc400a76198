// The public server in one visible list: plugins, then routes. It never listens; server.ts and the tests call
// this same function.
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import type { Core } from './core/core.ts'
import {
  registerCallers,
  type CallerSettings,
  type Callers,
} from './http/callers/callers.ts'
import { knownSenderOf } from './http/callers/own-address.ts'
import type { ProxiedRequestOptions } from './http/callers/proxied-request.ts'
import { detectMissingProxy } from './http/callers/missing-proxy.ts'
import {
  allOldPaths,
  createCompat,
  NO_COMPAT,
  type Compat,
  type CompatSettings,
} from './http/compat/compat.ts'
import { createRewrite, refuseOwnPaths } from './http/compat/old-paths.ts'
import type { ConnectionObserver } from './http/listener/connection-bounds.ts'
import { closeConnectionsWhenStopping } from './http/listener/listener.ts'
import { createServer, type HttpSettings } from './http/listener/create-server.ts'
import { registerAccount } from './http/public/account/register.ts'
import { docsRoutes, registerOpenApi } from './http/public/openapi/docs.ts'
import { jwksRoute } from './http/public/jwks.ts'
import { metadataRoutes } from './http/public/metadata.ts'
import { collectRoutes, type RouteTable } from './http/request/routes.ts'
import { startPageRoute } from './http/public/start-page.ts'
import { statusRoute } from './http/public/status-list.ts'
import { registerTokenRoutes } from './http/public/token-routes.ts'
import { verifyRoute } from './http/public/verify.ts'
import { answerOnceNoted } from './http/request/answer-once-noted.ts'
import { answersOptions, corsOptions } from './http/request/cors.ts'
import { setErrorHandler, setNotFoundHandler } from './http/request/error-handler.ts'
import { answerLoopbackNamesOnly } from './http/request/loopback-names.ts'
import { sendRequestId } from './http/request/request-id.ts'
import { limitInFlight, type InFlightLimits } from './http/request/in-flight-limit.ts'
import { sendSecurityHeaders } from './http/request/security-headers.ts'
import { logOptions, observeRequests, type RequestObserver } from './observe/log.ts'
import type { Metrics } from './observe/metrics/metrics.ts'
import { NO_TRACING, type Tracing } from './observe/tracing/tracing.ts'
import type { AddressCounts } from './stores/ports/address-counts.ts'

/** What the server is built of. */
export interface AppDependencies {
  readonly core: Core
  readonly http: HttpSettings &
    InFlightLimits &
    ProxiedRequestOptions & { readonly cors: readonly string[]; readonly docs: boolean }
  /** What the server reads while it runs. */
  readonly live: CallerSettings & Pick<RequestObserver, 'successes'>
  /** What old clients may go on doing; default: nothing. */
  readonly compat?: CompatSettings
  /** Notified of the connections. */
  readonly connections: ConnectionObserver
  readonly logLevel: string
  /** `service` of its lines; default: latchkey. */
  readonly service?: string
  /** Where log lines go. */
  readonly logStream: { write(line: string): void }
  readonly version: string
  /** Where requests are counted per address; undefined: in this process. */
  readonly addressCounts: AddressCounts | undefined
  readonly metrics: Metrics
  /** Default: no traces. */
  readonly tracing?: Tracing
  /** Whether it answers to names of this machine only, as development mode does; default false. */
  readonly loopbackNamesOnly?: boolean
  /** Whether the server is about to stop listening. */
  readonly isDraining?: () => boolean
}

/** What the endpoints are registered with. */
interface Endpoints extends AppDependencies {
  /** The issuer's path, without a slash at its end; empty where it has none. */
  readonly path: string
  /** The issuer, without a slash at its end. */
  readonly base: string
  /**
   * An issuer with a path: everything is below it, too, so that a proxy may keep the path or cut it off.
   */
  readonly prefixes: ReadonlySet<string>
  readonly routes: RouteTable
  readonly old: Compat
}

/** Builds the public server; it doesn't listen. */
export async function buildApp(deps: AppDependencies): Promise<FastifyInstance> {
  const { core, http, metrics, compat = NO_COMPAT } = deps
  const { clients, keys, sightings } = core
  const base = new URL(core.settings.issuer).href.replace(/\/$/, '')
  const path = new URL(base).pathname.replace(/\/$/, '')
  const app = createServer({
    http,
    observer: deps.connections,
    logger: { ...logOptions(deps.logLevel, deps.service), stream: deps.logStream },
    rewrite: createRewrite({ paths: allOldPaths(compat), path }),
  })
  const prefixes = new Set(['', path])
  const routes = collectRoutes(app)
  refuseOwnPaths(app, routes, compat.paths)
  const old = createCompat(app, {
    compat,
    clock: core.clock,
    count: metrics.countCompat,
  })
  closeConnectionsWhenStopping(app, deps.isDraining)
  if (deps.loopbackNamesOnly === true) answerLoopbackNamesOnly(app)
  if (http.docs) await registerOpenApi(app, { ...deps, path, scopes: clients.scopes() })
  // Outside of what follows: nothing that is registered there stands before the keys.
  for (const prefix of prefixes) {
    app.register(jwksRoute, {
      prefix,
      jwks: keys.jwks,
      clients,
      fetched: sightings.fetched,
      count: metrics.countJwks,
    })
  }
  await app.register(async endpoints =>
    registerEndpoints(endpoints, {
      ...deps,
      path,
      base,
      prefixes,
      routes,
      old,
    }),
  )
  return app
}

/** All other routes, and what they go through. */
async function registerEndpoints(app: FastifyInstance, deps: Endpoints): Promise<void> {
  const { http, metrics, tracing = NO_TRACING } = deps
  setErrorHandler(app)
  answerOnceNoted(app, deps.core.announcer)
  tracing.observeRequests(app)
  sendRequestId(app)
  observeRequests(app, {
    metrics,
    senderOf: knownSenderOf,
    successes: deps.live.successes,
    traceIdOf: tracing.traceIdOf,
  })
  detectMissingProxy(app, { issuer: deps.core.settings.issuer, http, metrics })
  sendSecurityHeaders(app)
  metrics.showInFlight(limitInFlight(app, http))
  const callers = await registerCallers(app, {
    ...deps,
    introspectUrl: `${deps.base}/introspect`,
  })
  await app.register(async pages => registerPages(pages, deps, callers))
  // Proxies ask here, and no page does: outside of CORS. Last, so that the document begins with /token.
  for (const prefix of deps.prefixes) {
    app.register(verifyRoute, {
      prefix,
      tokenHolder: callers.tokenHolder,
      http,
      claimsFor: deps.core.settings.claimsFor,
    })
  }
}

/** What pages of other origins may call, where the configuration says so. */
async function registerPages(
  pages: FastifyInstance,
  deps: Endpoints,
  callers: Callers,
): Promise<void> {
  const { core, http, metrics, path, prefixes } = deps
  if (http.cors.length > 0) {
    await pages.register(cors, corsOptions({ origins: http.cors, path }))
  }
  deps.old.noteOldPaths(pages)
  setNotFoundHandler(pages, {
    routes: deps.routes,
    answersOptions: url => answersOptions(url, { origins: http.cors, path }),
  })
  const { base, live, addressCounts } = deps
  const { sessionLimit } = live
  registerAccount(pages, {
    core,
    base,
    prefixes,
    callers,
    sessionLimit,
    addressCounts,
  })
  for (const prefix of prefixes) {
    registerTokenRoutes(pages, {
      ...deps,
      callers,
      prefix,
      count: metrics,
    })
    pages.register(async documents => registerDocuments(documents, deps), { prefix })
    if (http.docs) pages.register(docsRoutes, { prefix, path, clients: core.clients })
  }
}

/** What anybody may read. */
async function registerDocuments(
  documents: FastifyInstance,
  { core, http, path }: Endpoints,
): Promise<void> {
  // Where no page may call the endpoints they don't pay for the question either.
  if (http.cors.length === 0) {
    await documents.register(cors, corsOptions({ origins: [], path }))
  }
  await documents.register(metadataRoutes, {
    issuer: core.settings.issuer,
    path,
    scopes: () => core.clients.scopes(),
    attributes: () => [...core.settings.attributes().keys()],
    keys: core.keys,
    docs: http.docs,
  })
  await documents.register(startPageRoute, { path, docs: http.docs })
  await documents.register(statusRoute, { status: core.status })
}
