// One running server, as a list: what watches it, its store, the core, both listeners, what is done again and
// again. Each ends in the opposite order.
import { isDeepStrictEqual } from 'node:util'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import about from '../package.json' with { type: 'json' }
import {
  createAgreedClock,
  monotonicClock,
  systemClock,
  type Clock,
} from './base/clock.ts'
import { keyPolicy } from './config/key-policy.ts'
import { warnOfPlainHttp } from './config/rules/plain-http.ts'
import type { Config } from './config/schema.ts'
import type { OtlpSettings, TraceSettings } from './config/tracing.ts'
import { createCore, type Core } from './core/core.ts'
import { startDelivery } from './core/delivery.ts'
import { coreSettings, toClientSettings } from './core/settings.ts'
import { loadCore } from './core/start.ts'
import { startUpkeep } from './core/upkeep.ts'
import { listen } from './http/listener/listen.ts'
import { closeWithin } from './http/listener/listener.ts'
import { openSource } from './keys/external/open-key-source.ts'
import type { KeySource } from './keys/external/key-source.ts'
import type { Metrics } from './observe/metrics/metrics.ts'
import { openObservers } from './observe/observers.ts'
import type { Opened } from './observe/tracing/traced-store.ts'
import { buildManagementOf, buildPublic, type Live } from './listeners.ts'
import { openSafeStore, type SafeStoreOptions } from './safe-store.ts'
import { startStoreWatch } from './stores/watch.ts'
import { openBlocklist } from './users/blocklist/open-blocklist.ts'
import { argon2Build } from './users/hashing/argon2.ts'

const MANAGEMENT_GRACE_MS = 500

/** A server that answers. */
export interface RunningServer {
  readonly app: FastifyInstance
  readonly core: Core
  /** Where the public listener is. */
  readonly url: string
  /** Where the management listener is. */
  readonly managementUrl: string
  /**
   * Puts another configuration's clients and lifetimes in force, without dropping a request.
   *
   * @throws Error when a template of mails can't be used; nothing is changed then
   */
  apply(config: Config): void
  /** Counts a configuration that was read anew. */
  readonly countReload: Metrics['countReload']
  /** Its own metrics. */
  readonly ownMetrics: Metrics['render']
  /** Opens the audit log's file anew, after its rotation. */
  reopen(): void
  /** Tells probes that no more requests should come, answers those in flight, lets go of the store. */
  close(): Promise<void>
}

export interface ServerOptions {
  readonly config: Config
  readonly clock?: Clock
  /** Where log lines go; default: standard output. */
  readonly logStream?: { write(line: string): void }
  /** Whether a person reads the log at a terminal; default false. */
  readonly isTerminal?: boolean
  /** Where traces go; default: there are none. */
  readonly traces?: TraceSettings | undefined
  /** Where metrics and log lines go by OTLP; default: nowhere. */
  readonly otlp?: OtlpSettings | undefined
  /** Whether it answers to names of this machine only, against DNS rebinding; default false. */
  readonly loopbackNamesOnly?: boolean
  /** What is done before the first request is let in, such as adding an account; default: nothing. */
  readonly beforeListening?: (core: Core) => Promise<void>
  /** Gives the metrics that are served; default: those of this server, which may be one of several. */
  readonly allMetrics?: Metrics['render']
}

/**
 * Starts a server. When it can't be started, nothing of it is left behind.
 *
 * @throws StoreUnavailable when the store can't be reached; Error when the store is too unsafe to run on, a
 * key can't be opened or a port is taken
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const parts = new AsyncDisposableStack()
  try {
    return await start(options, parts)
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

/** Each part is put on the stack as it comes to life; they end in the opposite order. */
async function start(
  options: ServerOptions,
  parts: AsyncDisposableStack,
): Promise<RunningServer> {
  const { config, clock = systemClock, loopbackNamesOnly = false } = options
  const live: Live = { config, isReady: false, isDraining: false }
  const observers = await openObservers({
    ...options,
    clock,
    version: about.version,
    auditTo: config.audit.to,
    form: config.log,
    parts,
  })
  const { metrics } = observers
  const { store, addressCounts } = await openSafeStore({
    config,
    clock,
    observers,
    parts,
  })
  const opened = { store, addressCounts }
  const { core, source } = await openCore({ live, clock, opened, observers, parts })
  const listeners = {
    live,
    core,
    observers,
    addressCounts,
    loopbackNamesOnly,
    allMetrics: options.allMetrics ?? metrics.render,
  }
  const management = buildManagementOf(listeners, () => watch.state())
  parts.defer(() => closeWithin(management, MANAGEMENT_GRACE_MS))
  const app = await buildPublic(listeners)
  const { log } = app
  observers.useLog(log)
  warnOfPlainHttp(config, log)
  parts.defer(() => closeWithin(app, config.http.closeGrace))

  const { checkRing, lookAtValues } = await startUpkeep({
    core,
    source,
    log,
    wait,
    logAuditLine: observers.logAuditLine,
    parts,
  })
  const delivery = startDelivery({ core, metrics, log, parts })
  const watch = await startStoreWatch({ store, clock, log, metrics }, parts)
  await options.beforeListening?.(core)
  const url = await listen(app, config.http)
  const managementUrl = await listen(management, config.management)
  live.isReady = true
  parts.defer(() => drain(live))
  log.info(
    {
      argon2: argon2Build.name,
      reason: argon2Build.reason,
      concurrency: core.hasher.capacity.concurrency,
    },
    'passwords are hashed by this build of argon2',
  )

  return {
    app,
    core,
    url,
    managementUrl,
    apply(next) {
      // First, as it may refuse: nothing is changed then.
      delivery.readTemplates(next.notify.mail)
      const { attributes } = live.config
      live.config = next
      core.clients.replace(next.clients.map(toClientSettings))
      log.level = next.log.level
      management.log.level = next.log.level
      // Another algorithm is planned for at once.
      checkRing()
      if (!isDeepStrictEqual(attributes, next.attributes)) lookAtValues()
    },
    countReload: metrics.countReload,
    ownMetrics: metrics.render,
    reopen: observers.reopen,
    close: () => parts.disposeAsync(),
  }
}

interface LoadedCore {
  readonly core: Core
  /** Where keys are kept elsewhere; undefined: nowhere. */
  readonly source: KeySource | undefined
}

/** The core, which knows all that it needs for the first request; measured. */
async function openCore({
  live,
  clock,
  opened,
  observers: { metrics, emit, instruments },
  parts,
}: Omit<SafeStoreOptions, 'config'> & {
  readonly live: Live
  readonly opened: Pick<Opened, 'store' | 'addressCounts'>
}): Promise<LoadedCore> {
  const { config } = live
  const source = await openSource(config.keys, keyPolicy(config))
  if (source !== undefined) parts.defer(source.close)
  const blocklist = await openBlocklist(config.passwords)
  parts.defer(() => blocklist.close())
  const agreed = createAgreedClock({ system: clock, monotonic: monotonicClock })
  const core = createCore({
    settings: coreSettings(() => live.config),
    ...opened,
    clock: agreed.now,
    storeNow: () => opened.store.now().then(agreed.hear),
    emit,
    source,
    isBreached: blocklist.isBreached,
    instruments,
  })
  parts.defer(() => core.announcer.settled())
  const { elsewhere } = core
  if (elsewhere !== undefined) parts.defer(elsewhere.close)
  metrics.showHashing(core.hasher.load)
  await loadCore(core, wait)
  metrics.showKeys(core.keys.describe)
  metrics.showStatus(core.status.count)
  return { core, source }
}

/** Probes say first that no more requests should come. */
async function drain(live: Live): Promise<void> {
  live.isReady = false
  live.isDraining = true
  await wait(live.config.http.drainDelay ?? 0)
}
