// Both listeners of a server, built and not yet listening. What they read of the configuration they read each
// time that they need it: a reload may have changed it.
import type { FastifyInstance } from 'fastify'
import about from '../package.json' with { type: 'json' }
import { buildApp, type AppDependencies } from './app.ts'
import type { Config } from './config/schema.ts'
import type { Core } from './core/core.ts'
import { knownSenderOf } from './http/callers/own-address.ts'
import { createTrust } from './http/callers/trusted-proxies.ts'
import type { ApiSettings } from './http/management/api.ts'
import { buildManagement } from './http/management/management.ts'
import { logOptions, observeRequests } from './observe/log.ts'
import type { Observers } from './observe/observers.ts'
import type { AddressCounts } from './stores/ports/address-counts.ts'
import type { StoreState } from './stores/watch.ts'

/** What changes while the server runs. */
export interface Live {
  config: Config
  isReady: boolean
  isDraining: boolean
}

/** What both listeners are built of. */
export interface ListenerParts {
  readonly live: Live
  readonly core: Core
  readonly observers: Observers
  readonly addressCounts: AddressCounts | undefined
  readonly loopbackNamesOnly: boolean
  /** The metrics that are served. */
  readonly allMetrics: Observers['metrics']['render']
}

/**
 * Builds the management listener.
 *
 * @param storeState what `/readyz` says of the store
 */
export function buildManagementOf(
  { live, core, observers, loopbackNamesOnly, allMetrics }: ListenerParts,
  storeState: () => StoreState,
): FastifyInstance {
  const { config } = live
  const { metrics } = observers
  return buildManagement({
    isReady: () => live.isReady,
    storeState,
    metrics: allMetrics,
    bounds: {
      ...config.management,
      isExempt: createTrust(config.http.trustedProxies),
    },
    observer: observers.connections('management'),
    loopbackNamesOnly,
    logger: {
      ...logOptions(config.log.level, config.log.service),
      stream: observers.logStream,
    },
    api: {
      core,
      settings: apiSettings(() => live.config),
      version: about.version,
      observe: routes =>
        observeRequests(routes, {
          metrics,
          senderOf: knownSenderOf,
          successes: () => live.config.log.successes,
          traceIdOf: () => undefined,
        }),
    },
  })
}

/** Builds the public listener. */
export function buildPublic({
  live,
  core,
  observers,
  addressCounts,
  loopbackNamesOnly,
}: ListenerParts): Promise<FastifyInstance> {
  const { config } = live
  return buildApp({
    core,
    http: config.http,
    compat: config.compat,
    live: callerSettings(() => live.config),
    connections: observers.connections('public'),
    logLevel: config.log.level,
    service: config.log.service,
    logStream: observers.logStream,
    version: about.version,
    addressCounts,
    metrics: observers.metrics,
    tracing: observers.tracing,
    isDraining: () => live.isDraining,
    loopbackNamesOnly,
  })
}

/** What the public listener goes by. */
function callerSettings(current: () => Config): AppDependencies['live'] {
  return {
    dpop: () => current().dpop,
    addressLimit: () => current().throttle.perAddress,
    clientLimit: () => current().throttle.perClient,
    sessionLimit: () => current().throttle.perSession,
    successes: () => current().log.successes,
  }
}

/** What the API of the management listener goes by. */
function apiSettings(current: () => Config): ApiSettings {
  return {
    dpop: () => current().dpop,
    addressLimit: () => current().scim.perAddress,
    sessionLimit: () => current().throttle.perSession,
    callerLimit: () => current().scim.perClient,
    roles: () => current().admin.roles,
    tokens: () => current().scim.tokens,
    url: () => current().management.url,
    passwords: () => current().scim.passwords,
    strict: () => current().scim.profile === 'strict',
  }
}
