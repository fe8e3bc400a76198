// One running server: the configuration turned into parts, both listeners, the timers, and the way to stop
// them all.
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { buildApp, type LiveSettings } from './app.ts'
import { createClientRegistry, type ClientSettings } from './clients/registry.ts'
import { createAgreedClock, systemClock, type Clock } from './base/clock.ts'
import { keyPolicy } from './config/key-policy.ts'
import { warnOfPlainHttp } from './config/rules/plain-http.ts'
import type { Config } from './config/schema.ts'
import type { TraceSettings } from './config/tracing.ts'
import type { Emit } from './base/events.ts'
import { closeWithin } from './http/listener/connections.ts'
import { buildManagement } from './http/management/management.ts'
import { createTrust } from './http/callers/trusted-proxies.ts'
import { openSource } from './keys/external/open.ts'
import { createKeyRing } from './keys/ring.ts'
import { createKnownSecrets } from './keys/secret-lists.ts'
import {
  createSecretsNotice,
  loadAtStart,
  waitUntilHeard,
} from './keys/secrets-at-start.ts'
import { createSightings } from './keys/verifiers/sightings.ts'
import { createConnectionWatch, type Listener } from './observe/connections.ts'
import { tracedHasher } from './observe/tracing/traced-hasher.ts'
import { createLogOutput } from './observe/log-output.ts'
import { createMetrics } from './observe/metrics/metrics.ts'
import { openAudit } from './observe/audit/open.ts'
import { timedStore, tracedStore } from './observe/tracing/traced-store.ts'
import { NO_TRACING, type Tracing } from './observe/tracing/tracing.ts'
import { every, unlessItFailed } from './base/repeat.ts'
import { createStatusService } from './status-lists/service.ts'
import { openStore } from './stores/open.ts'
import type { Store } from './stores/ports/store.ts'
import { createStoreWatch, refuseRisks, risksOf } from './stores/watch.ts'
import { argon2Build } from './users/hashing/argon2.ts'
import { createPasswordHasher } from './users/hashing/hasher.ts'

/** A key that was retired elsewhere has to die here, too: nobody tells this server but the store. */
const RING_CHECK_MS = 1_000
const SIGHTINGS_MS = 60_000
/** Well below TRUST_MS (keys/secret-lists.ts). */
const SECRETS_SYNC_MS = 1_000
/** A revocation has to reach verifiers within status.ttl and a second, whichever server they ask. */
const STATUS_SYNC_MS = 500
const STORE_CHECK_MS = 5_000
const STORE_INSPECT_MS = 60_000
const STORE_NOTICE_MS = 1_000
const MANAGEMENT_GRACE_MS = 500

/** A server that answers. */
export interface RunningServer {
  readonly app: FastifyInstance
  readonly store: Store
  /** Where the public listener is. */
  readonly url: string
  /** Where the management listener is. */
  readonly managementUrl: string
  /** Puts another configuration's clients and lifetimes in force, without dropping a request. */
  apply(config: Config): void
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
  /** Where traces go; default: there are none. */
  readonly traces?: TraceSettings | undefined
  /** Whether it answers to names of this machine only, against DNS rebinding; default false. */
  readonly loopbackNamesOnly?: boolean
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
  {
    config,
    clock = systemClock,
    logStream,
    traces,
    loopbackNamesOnly = false,
  }: ServerOptions,
  parts: AsyncDisposableStack,
): Promise<RunningServer> {
  let current = config
  const output = createLogOutput()
  parts.defer(() => output.flush())
  const metrics = createMetrics(packageVersion())
  const told: { log?: FastifyBaseLogger } = {}
  const audit = openAudit({
    to: config.audit.to,
    output: logStream ?? {
      write(line) {
        output.write(line)
        output.flush()
      },
    },
    failed(error) {
      metrics.countAuditFault()
      told.log?.error(
        { err: error },
        'audit.to does not take the audit log, which goes to standard output',
      )
    },
    clock,
  })
  parts.defer(audit.close)
  const tracing =
    traces === undefined
      ? NO_TRACING
      : await openTracing(traces, error => {
          told.log?.warn(
            { err: error },
            'traces could not be sent and are lost; requests go on',
          )
        })
  parts.defer(tracing.close)
  const emit: Emit = (event, origin) => {
    metrics.emit(event)
    audit.emit(event, origin)
  }
  const agreed = createAgreedClock({ system: clock, monotonic: () => performance.now() })
  const opened = await openStore({
    ...config.store,
    lossPeriodMs: config.store.lossPeriod,
    clock,
  })
  parts.defer(() => opened.store.close())
  const { store, addressCounts } = tracedStore(
    timedStore(opened, metrics),
    tracing,
    config.store.url.startsWith('sqlite:') ? 'sqlite' : 'redis',
  )
  // Before anything is written there.
  refuseRisks(await risksOf(store, clock), config.store)
  const hasher = createPasswordHasher({
    ...config.passwords,
    onWaited: ms => {
      metrics.observeHashWait(ms / 1000)
    },
  })
  metrics.showHashing(hasher.load)
  const source = await openSource(config.keys, keyPolicy(config))
  if (source !== undefined) parts.defer(source.close)
  const known = createKnownSecrets({ store, secrets: config.secrets })
  const keys = createKeyRing({
    keys: store.keys,
    secrets: config.secrets,
    isEverywhere: known.isEverywhere,
    now: () => store.now().then(agreed.hear),
    policy: () => keyPolicy(current),
    emit,
    source,
  })
  await loadAtStart(keys, { known, wait })
  metrics.showKeys(keys.describe)
  const sightings = createSightings({ sightings: store.sightings, clock: agreed.now })
  const status = createStatusService({
    issuer: config.issuer,
    status: config.status,
    lists: store.statusLists,
    keys,
    signed: sightings.signed,
    clock: agreed.now,
    metrics,
  })
  await status.sync()
  metrics.showStatus(status.count)
  const clients = createClientRegistry(current.clients.map(toClientSettings))
  let ready = false
  let draining = false

  const watchConnections = (listener: Listener) =>
    createConnectionWatch({
      listener,
      counts: metrics.connections(listener),
      log: () => told.log,
      clock,
    })
  const management = buildManagement({
    isReady: () => ready,
    storeState: () => watch.state(),
    metrics: metrics.render,
    bounds: {
      ...config.management,
      isExempt: createTrust(config.http.trustedProxies),
    },
    observer: watchConnections('management'),
    loopbackNamesOnly,
  })
  parts.defer(() => closeWithin(management, MANAGEMENT_GRACE_MS))
  const app = await buildApp({
    issuer: config.issuer,
    secrets: config.secrets,
    http: config.http,
    connections: watchConnections('public'),
    logLevel: config.log.level,
    logStream: logStream ?? output,
    version: packageVersion(),
    clients,
    live: liveSettings(() => current),
    store,
    addressCounts,
    isSecretElsewhere: known.isElsewhere,
    keys,
    sightings,
    status,
    hasher: tracedHasher(hasher, tracing),
    metrics,
    tracing,
    emit,
    clock: agreed.now,
    isDraining: () => draining,
    loopbackNamesOnly,
  })
  told.log = app.log
  warnOfPlainHttp(config, app.log)
  parts.defer(() => closeWithin(app, config.http.closeGrace))

  source?.watch(error => {
    app.log.error(
      { err: error },
      'the keys that are kept elsewhere could not be read; those of before go on',
    )
  })
  const checkRing = unlessItFailed(
    () => keys.load(),
    error => {
      app.log.error(
        { err: error },
        'the key ring could not be checked; the one in memory goes on',
      )
    },
  )
  parts.defer(every(RING_CHECK_MS, checkRing))
  const noticeSecrets = createSecretsNotice(known, app.log)
  noticeSecrets()
  await waitUntilHeard({ known, wait })
  const syncSecrets = unlessItFailed(
    () => known.sync().then(noticeSecrets),
    error => {
      app.log.error(
        { err: error },
        'the secrets of the other servers could not be read; those known go on',
      )
    },
  )
  parts.defer(every(SECRETS_SYNC_MS, syncSecrets))
  const syncStatus = unlessItFailed(status.sync, error => {
    app.log.error(
      { err: error },
      'the status lists could not be read; those in memory go on',
    )
  })
  parts.defer(every(STATUS_SYNC_MS, syncStatus))
  const saveSightings = unlessItFailed(sightings.flush, error => {
    app.log.warn({ err: error }, 'who fetches the keys could not be saved')
  })
  parts.defer(saveSightings)
  parts.defer(every(SIGHTINGS_MS, saveSightings))
  const watch = createStoreWatch({
    store,
    clock,
    log: app.log,
    metrics,
  })
  await watch.inspect()
  parts.defer(every(STORE_CHECK_MS, watch.probe))
  parts.defer(every(STORE_INSPECT_MS, watch.inspect))
  parts.defer(every(STORE_NOTICE_MS, async () => watch.notice()))
  const url = await app.listen({ host: config.http.host, port: config.http.port })
  const managementUrl = await management.listen({
    host: config.management.host,
    port: config.management.port,
  })
  ready = true
  parts.defer(async () => {
    ready = false
    draining = true
    await wait(config.http.drainDelay ?? 0)
  })
  app.log.info(
    { argon2: argon2Build.name, reason: argon2Build.reason },
    'passwords are hashed by this build of argon2',
  )

  return {
    app,
    store,
    url,
    managementUrl,
    apply(next) {
      current = next
      clients.replace(next.clients.map(toClientSettings))
      app.log.level = next.log.level
      // Another algorithm is planned for at once.
      checkRing()
    },
    reopen: audit.reopen,
    close: () => parts.disposeAsync(),
  }
}

// Only here: who doesn't trace never reads OpenTelemetry.
async function openTracing(
  traces: TraceSettings,
  failed: (error: unknown) => void,
): Promise<Tracing> {
  const { openTracing: open } = await import('./observe/tracing/otel.ts')
  return open({ ...traces, version: packageVersion(), failed })
}

function liveSettings(current: () => Config): LiveSettings {
  return {
    policy: () => current().tokens,
    dpop: () => current().dpop,
    addressLimit: () => current().throttle.perAddress,
    clientLimit: () => current().throttle.perClient,
    sessionLimit: () => current().throttle.perSession,
    typOf: audience => current().audiences[audience]?.typ ?? 'at+jwt',
    algorithmOf: audience => current().audiences[audience]?.algorithm,
    logins: () => current().throttle.logins,
    usernamesInLogs: () => current().log.usernames,
  }
}

// The configuration's optional keys are absent, never undefined.
function toClientSettings(client: Config['clients'][number]): ClientSettings {
  return client
}

function packageVersion(): string {
  const { version } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  )
  return version
}
