// The process: configuration, server, signals, and a stop with grace. The only reader of `process` beside
// cli/.
import process from 'node:process'
import closeWithGrace from 'close-with-grace'
import { developmentConfig, type Development } from './config/development.ts'
import { loadConfig } from './config/load.ts'
import { reloadable, watchConfig } from './config/reload.ts'
import type { Config } from './config/schema.ts'
import { otlpSettings, traceSettings } from './config/tracing.ts'
import { checkThreads, thisMachine, threadsFor } from './base/machine.ts'
import { startServer, type RunningServer } from './server.ts'
import { planCapacity } from './users/hashing/capacity.ts'

const WATCH_MS = 2_000
/** After the grace for requests: a stop that still hangs then is ended by exit code 1. */
const LAST_RESORT_MS = 2_000

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
  process.env['UV_THREADPOOL_SIZE'] ??= String(threadsFor(thisMachine()))
  const file = env['LATCHKEY_CONFIG']
  if (file === undefined || file === '') await serveDevelopment(env)
  else await serveFile(file, env)
}

async function serveFile(file: string, env: ServeOptions['env']): Promise<void> {
  const load = () => loadConfig(file, env)
  let current = await load()
  checkThreads(
    planCapacity(current.passwords, thisMachine()).concurrency,
    Number(process.env['UV_THREADPOOL_SIZE']),
  )
  const server = await startServer({
    config: current,
    traces: traceSettings(env),
    otlp: otlpSettings(env),
    isTerminal: isTerminal(),
  })
  const { log } = server.app

  const watch = watchConfig({
    file,
    load,
    intervalMs: WATCH_MS,
    apply(next) {
      const { config, needRestart } = reloadable(current, next)
      server.apply(config)
      current = config
      server.countReload('taken')
      log.info(
        { needRestart },
        needRestart.length > 0
          ? 'configuration reloaded; some keys need a restart'
          : 'configuration reloaded',
      )
    },
    onRefused: ({ message }) => {
      server.countReload('refused')
      log.error({ fault: message }, 'configuration refused; the old one stays')
    },
  })
  process.on('SIGHUP', () => {
    server.reopen()
    watch.reload()
  })
  // A hangup means reload here; by default it would end the process.
  stopWithGrace(server, current, { stopWatching: () => watch.stop(), skip: ['SIGHUP'] })
}

async function serveDevelopment(env: ServeOptions['env']): Promise<void> {
  if (env['NODE_ENV'] === 'production') {
    throw new Error(
      'NODE_ENV is production but LATCHKEY_CONFIG names no file: development mode is refused',
    )
  }
  const development = await developmentConfig({ env })
  const server = await startServer({
    config: development.config,
    traces: traceSettings(env),
    otlp: otlpSettings(env),
    loopbackNamesOnly: true,
    isTerminal: isTerminal(),
  }).catch(nameTakenPort)
  const made = await addDemoUser(server, development)
  server.app.log.warn(
    'DEVELOPMENT MODE: no LATCHKEY_CONFIG; SQLite and generated secrets under .latchkey/, loopback only',
  )
  process.stderr.write(banner(development, server.url, made))
  stopWithGrace(server, development.config)
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

/** Adds the demo user; says whether it was missing. */
async function addDemoUser(
  { core }: RunningServer,
  { demo: { name, password } }: Development,
): Promise<boolean> {
  const user = {
    name,
    password,
    scopes: null,
    roles: ['demo'],
  }
  return (await core.accounts.add(user)).kind === 'added'
}

// On the terminal and not in the log: the password is shown once, to whoever started the server by hand.
function banner({ demo }: Development, url: string, made: boolean): string {
  const lines = [
    '',
    '  Latchkey runs in DEVELOPMENT MODE. Do not use it for anything real.',
    ...(made
      ? [`  Demo user: ${demo.name}   password: ${demo.password}`]
      : ['  Demo user: demo; its password is in .latchkey/demo-password']),
    '  Get a token:',
    `    curl -d grant_type=password -d client_id=${demo.clientId} -d username=${demo.name} -d ` +
      `password="$(cat .latchkey/demo-password)" ${url}/token`,
    `  Try the API: ${url}/docs`,
    '',
  ]
  return lines.join('\n') + '\n'
}

function stopWithGrace(
  server: RunningServer,
  { http }: Config,
  {
    stopWatching = () => {},
    skip = [],
  }: { readonly stopWatching?: () => void; readonly skip?: 'SIGHUP'[] } = {},
): void {
  closeWithGrace(
    {
      delay: (http.drainDelay ?? 0) + http.closeGrace + LAST_RESORT_MS,
      logger: server.app.log,
      skip,
    },
    async ({ err }) => {
      if (err !== undefined) server.app.log.fatal({ err }, 'the process failed')
      stopWatching()
      await server.close()
    },
  )
}

if (import.meta.main) {
  serve({ env: process.env }).catch(({ message }: Error) => {
    process.stderr.write(`latchkey: ${message}\n`)
    process.exitCode = 1
  })
}
