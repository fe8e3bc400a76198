// The process: configuration, server, signals, a stop with grace. The only reader of `process` beside cli/.
import cluster from 'node:cluster'
import process from 'node:process'
import { developmentConfig } from './config/development.ts'
import { loadConfig } from './config/load.ts'
import { reloadable, watchConfig } from './config/reload.ts'
import type { Config } from './config/schema.ts'
import { otlpSettings, traceSettings } from './config/tracing.ts'
import { thisMachine } from './base/machine.ts'
import { checkThreads, threadsFor, yieldToEventLoop } from './base/pool-threads.ts'
import { FOREIGN_CLUSTER, notOurCluster, SUPERVISED } from './processes/foreign.ts'
import { countOf } from './processes/share-out.ts'
import { longestStopMs, stopWithGrace } from './processes/stop.ts'
import { addDemoUser, demoBanner } from './demo.ts'
import type { RunningServer, ServerOptions } from './server.ts'
import { keepTickShape, settleHeap } from './settle-heap.ts'
import { planCapacity } from './users/hashing/capacity.ts'

const WATCH_MS = 2_000

/** What a process is started with. */
export interface ServeOptions {
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Runs the server until the process is told to stop. Without LATCHKEY_CONFIG it runs in development mode.
 *
 * @throws ConfigError when the file, or a variable that says where traces go, is refused; Error when
 * development mode is asked for where NODE_ENV says production
 */
export async function serve({ env }: ServeOptions): Promise<void> {
  // libuv reads it when its pool is first used, and nothing has used it so far: modules are read without it.
  process.env['UV_THREADPOOL_SIZE'] ??= String(threadsFor(thisMachine().cores))
  keepTickShape()
  const { worker } = cluster
  if (worker !== undefined && env[SUPERVISED] !== undefined) {
    const { serveAsWorker } = await import('./processes/worker.ts')
    serveAsWorker({
      worker,
      process,
      start: async options => {
        await letLoopGoFirst(options.config)
        checkHashing(options.config)
        return startServer({ ...optionsOf(env), ...options })
      },
    })
    return
  }
  const file = env['LATCHKEY_CONFIG'] ?? ''
  await (file === '' ? serveDevelopment(env) : serveFile(file, env)).catch(error => {
    // The channel of another program's cluster would keep a process that serves nothing.
    worker?.disconnect()
    throw error
  })
}

/** What runs, be it one server or several processes. */
interface Running {
  readonly log: RunningServer['app']['log']
  /** Puts another configuration in force; throws, or rejects, when it is refused. */
  readonly apply: (config: Config) => void | Promise<void>
  readonly countReload: RunningServer['countReload']
  readonly reopen: () => void
  readonly stop: () => Promise<void>
  /** How long a stop may take, in milliseconds. */
  readonly withinMs: number
}

async function serveFile(file: string, env: ServeOptions['env']): Promise<void> {
  const load = () => loadConfig(file, env)
  const config = await load()
  await letLoopGoFirst(config)
  const count = countOf(config, thisMachine())
  const running = await (count === 1
    ? startAlone(config, env)
    : startSeveral(config, count))
  const watch = watchConfig({
    file,
    load,
    intervalMs: WATCH_MS,
    apply: reloads(config, running),
    onRefused: ({ message }) => {
      running.countReload('refused')
      running.log.error({ fault: message }, 'configuration refused; the old one stays')
    },
  })
  process.on('SIGHUP', () => {
    running.reopen()
    watch.reload()
  })
  stopWithGrace({
    ...running,
    stop() {
      watch.stop()
      return running.stop()
    },
    // A hangup means reload here; by default it would end the process.
    skip: ['SIGHUP'],
  })
}

async function startAlone(config: Config, env: ServeOptions['env']): Promise<Running> {
  checkHashing(config)
  const server = await startServer({ ...optionsOf(env), config })
  if (cluster.isWorker) server.app.log.warn(FOREIGN_CLUSTER)
  return {
    ...server,
    log: server.app.log,
    stop: server.close,
    withinMs: longestStopMs(config),
  }
}

// Only here: a process that serves alone reads nothing of it.
async function startSeveral(config: Config, count: number): Promise<Running> {
  if (cluster.isWorker) throw notOurCluster(count)
  const { supervise } = await import('./processes/primary.ts')
  return supervise({ config, count, isTerminal: isTerminal() })
}

/** Makes what takes over a configuration that was read anew. */
function reloads(
  atStart: Config,
  { apply, countReload, log }: Running,
): (next: Config) => Promise<void> {
  let current = atStart
  return async next => {
    const { config, needRestart } = reloadable(current, next)
    await apply(config)
    current = config
    countReload('taken')
    log.info(
      { needRestart },
      needRestart.length > 0
        ? 'configuration reloaded; some keys need a restart'
        : 'configuration reloaded',
    )
  }
}

/**
 * Has the pool's threads give way to the event loop. Not on SQLite: its waits for the disk go through them,
 * and a busy machine would hold them up.
 */
async function letLoopGoFirst({ store }: Config): Promise<void> {
  if (!store.url.startsWith('sqlite:')) await yieldToEventLoop()
}

/** Makes sure that hashing leaves threads to everything else. */
function checkHashing({ passwords }: Config): void {
  checkThreads(
    planCapacity(passwords, thisMachine()).concurrency,
    Number(process.env['UV_THREADPOOL_SIZE']),
  )
}

// Not before it is known that this process is a server: one that supervises others needs half the memory.
async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { startServer: start } = await import('./server.ts')
  const server = await start(options)
  settleHeap()
  return server
}

/** What a server is started with beside its configuration. */
function optionsOf(env: ServeOptions['env']) {
  return {
    traces: traceSettings(env),
    otlp: otlpSettings(env),
    isTerminal: isTerminal(),
  }
}

async function serveDevelopment(env: ServeOptions['env']): Promise<void> {
  if (env['NODE_ENV'] === 'production') {
    throw new Error(
      'NODE_ENV is production but LATCHKEY_CONFIG names no file: development mode is refused',
    )
  }
  const development = await developmentConfig({ env })
  let isNew = false
  const server = await startServer({
    ...optionsOf(env),
    config: development.config,
    loopbackNamesOnly: true,
    // Whoever sees that it listens gets a token with the line of the README.
    async beforeListening({ accounts }) {
      isNew = await addDemoUser(accounts, development)
    },
  }).catch(nameTakenPort)
  server.app.log.warn(
    'DEVELOPMENT MODE: no LATCHKEY_CONFIG; SQLite and generated secrets under .latchkey/, loopback only',
  )
  process.stderr.write(demoBanner(development, server.url, isNew))
  stopWithGrace({
    stop: server.close,
    log: server.app.log,
    withinMs: longestStopMs(development.config),
  })
}

/** Whether a person reads the log as it comes. */
function isTerminal(): boolean {
  // Undefined where it is none, whatever the type says.
  return Boolean(process.stdout.isTTY)
}

/** Says how to get around a port that is taken; throws the error, so named. */
function nameTakenPort(error: NodeJS.ErrnoException & { readonly port?: number }): never {
  if (error.code !== 'EADDRINUSE') throw error
  throw new Error(
    `port ${error.port} is taken, perhaps by a Latchkey that runs already: name another by ` +
      'LATCHKEY_DEV_PORT (LATCHKEY_DEV_PORT=4000 npm start); management listens on the next one',
    { cause: error },
  )
}

if (import.meta.main) {
  serve({ env: process.env }).catch(({ message }: Error) => {
    process.stderr.write(`latchkey: ${message}\n`)
    process.exitCode = 1
  })
}
