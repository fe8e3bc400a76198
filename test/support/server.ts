// The real process with a configuration file of its own, on free loopback ports: what an operator starts,
// seen from outside.
import type { ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { openStore } from '../../src/stores/open.ts'
import { createBuiltInDirectory } from '../../src/users/directory/built-in.ts'
import { createAccounts } from '../../src/users/accounts.ts'
import { createPasswordHasher } from '../../src/users/hashing/hasher.ts'
import { NO_ATTRIBUTES } from './stores.ts'
import { startChild } from './children.ts'
import { freePort } from './free-port.ts'
import { startRedis } from './redis.ts'
import { PATIENT, PATIENCE_MS, until } from './until.ts'

export const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
export const ORDERS = 'https://orders.example.com'
export const USER = 'alice'
export const PASSWORD = 'correct horse: battery+staple é'
export const WEB_SECRET = 'web+secret:with%2Bodd é&='.replace(/[^\x20-\x7E]/g, 'e')
export const API_SECRET = 'Vb7-orders-api-of-the-tests-2kQ9xLm'

/** How a started process is reached, and how it is ended. */
export interface LatchkeyProcess {
  readonly url: string
  readonly managementUrl: string
  readonly port: number
  readonly pid: number
  readonly configFile: string
  /** The configuration as it was written. */
  readonly config: ConfigText
  /** The log's lines, and what was written to standard error. */
  readonly lines: string[]
  /** Waits until a line of the log matches. */
  logged(pattern: RegExp): Promise<string>
  /** Sends a signal. */
  signal(name: NodeJS.Signals): void
  /** Sends SIGTERM, unless it has ended; resolves with the exit code, -1 when it had to be killed. */
  stop(): Promise<number>
}

export type ConfigText = Record<string, unknown>

export interface LatchkeyOptions {
  readonly storeUrl: string
  /** Sections that replace those of the default configuration. */
  readonly config?: ConfigText
  /** Keys of `http` that are added to those of the default configuration. */
  readonly http?: ConfigText
  /** The same ports again, for a second start. */
  readonly ports?: { readonly http: number; readonly management: number }
  readonly secret?: string
  /** Origins that may call the endpoints. */
  readonly cors?: readonly string[]
  /** Where it listens and is reached; default loopback. */
  readonly host?: string
  /** Further variables of its environment. */
  readonly env?: Record<string, string>
  /** A command that starts the process, which is the rest of its arguments. */
  readonly within?: readonly string[]
  /** Whether the user is added; default true. */
  readonly addUser?: boolean
}

export const CHEAP_HASHING = {
  memoryKiB: 64,
  passes: 1,
  parallelism: 1,
  concurrency: 1,
  memoryShare: 50,
  queue: 64,
}

export const sha256Line = (secret: string) =>
  `sha256:${createHash('sha256').update(secret).digest('base64url')}`

const GRANTS = ['password', 'refresh_token']
const SCOPES = ['profile', 'orders:read', 'orders:write']

/** The clients of every process test. */
export const CLIENTS = [
  {
    id: 'mobile',
    grants: GRANTS,
    scopes: SCOPES,
    audience: [ORDERS],
  },
  {
    id: 'web',
    secrets: [sha256Line(WEB_SECRET)],
    grants: GRANTS,
    scopes: SCOPES,
    audience: [ORDERS],
  },
  {
    id: 'once',
    grants: ['password'],
    scopes: SCOPES,
    audience: [ORDERS],
  },
  {
    id: 'brief',
    grants: GRANTS,
    scopes: SCOPES,
    audience: [ORDERS],
    accessTtl: '1s',
  },
  { id: 'orders-api', secrets: [sha256Line(API_SECRET)], audience: [ORDERS] },
]

/** Starts `node src/main.ts` and waits until it is ready. */
export async function startLatchkey(options: LatchkeyOptions): Promise<LatchkeyProcess> {
  const {
    host = '127.0.0.1',
    within = [],
    ports = { http: await freePort(), management: await freePort() },
  } = options
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-e2e-'))
  const config = configOf(options, ports)
  const configFile = join(dir, 'latchkey.yaml')
  // Every JSON text is YAML.
  await writeFile(configFile, JSON.stringify(config))
  if (options.addUser ?? true) await addUser(options.storeUrl)

  const run = runMain({ LATCHKEY_CONFIG: configFile, ...options.env }, undefined, within)
  const managementUrl = `http://${host}:${ports.management}`
  await ready(managementUrl, run)
  return {
    ...run,
    url: `http://${host}:${ports.http}`,
    managementUrl,
    port: ports.http,
    configFile,
    config,
    async stop() {
      const code = await run.stop()
      await rm(dir, { recursive: true, force: true })
      return code
    },
  }
}

function configOf(
  {
    storeUrl,
    config,
    http,
    host = '127.0.0.1',
    secret = randomBytes(32).toString('base64url'),
    cors = [],
  }: LatchkeyOptions,
  ports: { http: number; management: number },
): ConfigText {
  return {
    issuer: `http://${host}:${ports.http}`,
    http: {
      host,
      port: ports.http,
      cors,
      closeGrace: '60s',
      ...http,
    },
    management: { host, port: ports.management },
    store: { url: storeUrl },
    secrets: [secret],
    // A login waits for its hash as long as a busy machine takes.
    passwords: { ...CHEAP_HASHING, maxWait: '60s' },
    throttle: {
      perAddress: { max: 1_000_000, window: '1m' },
      perClient: { max: 1_000_000_000, window: '1m' },
      perSession: { max: 1_000_000, window: '1m' },
      logins: { perName: 1_000_000, perNetwork: 1_000_000, perPassword: 1_000_000 },
    },
    clients: CLIENTS,
    ...config,
  }
}

/** A process of ours, ready or not. */
export interface MainRun extends Pick<
  LatchkeyProcess,
  'pid' | 'lines' | 'logged' | 'signal' | 'stop'
> {
  /** Resolves with the exit code when the process ends by itself. */
  readonly ended: Promise<number>
}

/**
 * What a process test starts; the image's test puts a program here that starts the image
 * (test/deploy/image.tools.ts).
 */
const { LATCHKEY_TEST_COMMAND } = process.env
const [COMMAND, ARGS] =
  LATCHKEY_TEST_COMMAND === undefined
    ? [process.execPath, [MAIN]]
    : [LATCHKEY_TEST_COMMAND, []]

/** Runs `node src/main.ts` with nothing in its environment but what is given and the PATH. */
export function runMain(
  env: Record<string, string>,
  cwd?: string,
  within: readonly string[] = [],
): MainRun {
  const [command = COMMAND, ...args] = [...within, COMMAND, ...ARGS]
  return runCommand(command, args, env, cwd)
}

/** Runs `node` with these arguments, as runMain does. */
export function runNode(
  args: readonly string[],
  env: Record<string, string>,
  cwd?: string,
): MainRun {
  return runCommand(process.execPath, args, env, cwd)
}

function runCommand(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  cwd: string | undefined,
): MainRun {
  const { PATH, NODE_OPTIONS, _TAPJS_PROCESSINFO_EXCLUDE_ } = process.env
  const inherited = { PATH, NODE_OPTIONS, _TAPJS_PROCESSINFO_EXCLUDE_ }
  const child = startChild(command, args, {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
  })
  const killLeftover = () => {
    child.kill('SIGKILL')
  }
  const lines = collectLines(child)
  const ended = once(child, 'close').then(([code]) => {
    return typeof code === 'number' ? code : -1
  })
  return {
    pid: Number(child.pid),
    lines,
    ended,
    logged: pattern => lineOf(lines, pattern),
    signal: name => {
      child.kill(name)
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const timer = setTimeout(killLeftover, PATIENCE_MS)
      const code = await ended
      clearTimeout(timer)
      return code
    },
  }
}

function collectLines(child: ChildProcess): string[] {
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      lines.push(...parts)
    })
  }
  return lines
}

async function lineOf(lines: readonly string[], pattern: RegExp): Promise<string> {
  const find = () => lines.find(text => pattern.test(text))
  await until(() => find() !== undefined).catch(() => {
    throw new Error(`no line matches ${pattern}:\n${lines.join('\n')}`)
  })
  return String(find())
}

async function ready(managementUrl: string, run: MainRun): Promise<void> {
  let ended = false
  run.ended.then(
    () => {
      ended = true
    },
    () => {},
  )
  const isReady = async () => ended || (await fetch(`${managementUrl}/readyz`)).ok
  await until(isReady).catch(async () => {
    await run.stop()
    throw new Error(`latchkey is not ready:\n${run.lines.join('\n')}`)
  })
  if (ended) {
    throw new Error(`latchkey ended before it was ready:\n${run.lines.join('\n')}`)
  }
}

/** Adds the user of every process test; nothing happens when there is one. */
export async function addUser(storeUrl: string): Promise<void> {
  const { store } = await openStore({ ...PATIENT, url: storeUrl, clock: Date.now })
  try {
    const accounts = createAccounts({
      directory: createBuiltInDirectory({ ...store, ...NO_ATTRIBUTES }),
      hasher: createPasswordHasher({ ...CHEAP_HASHING, maxWait: PATIENCE_MS }),
      emit: () => {},
      checkNewPassword: async () => undefined,
      ...NO_ATTRIBUTES,
    })
    const added = await accounts.add({
      name: USER,
      password: PASSWORD,
      scopes: null,
      roles: ['buyer'],
    })
    if (added.kind === 'refused' && added.reason !== 'name_taken') {
      throw new Error(added.reason)
    }
  } finally {
    await store.close()
  }
}

/** A fresh store, and how to be rid of it. */
export interface TestStore {
  readonly url: string
  remove(): Promise<void>
}

/** The stores that a process can run on, each made anew when asked for. */
export const STORES: ReadonlyArray<{
  readonly name: string
  make(): Promise<TestStore>
}> = [
  {
    name: 'SQLite',
    async make() {
      const dir = await mkdtemp(join(tmpdir(), 'latchkey-sqlite-'))
      return {
        url: `sqlite:${join(dir, 'latchkey.db')}`,
        remove: () => rm(dir, { recursive: true, force: true }),
      }
    },
  },
  {
    name: 'Redis',
    async make() {
      const redis = await startRedis()
      return { url: redis.url, remove: () => redis.stop() }
    },
  },
]

/** The URL of a store of that kind; it is removed with the test. */
export async function storeUrlFor(
  t: Test,
  { make }: (typeof STORES)[number],
): Promise<string> {
  const { url, remove } = await make()
  t.teardown(remove)
  return url
}

/** Sends JSON, by a method and with a token where there is one; gives the answer's status. */
export async function statusOfJson(
  url: string,
  body: object,
  { method = 'POST', token }: { readonly method?: string; readonly token?: string } = {},
): Promise<number> {
  const { status } = await fetch(url, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  return status
}

/** Sends a form; the answer's body is read as JSON. */
export async function postForm(
  url: string,
  params: Record<string, string>,
): Promise<{ status: number; body: any }> {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(params) })
  return { status: answer.status, body: await answer.json() }
}

/** Logs the user in. */
export async function login(
  { url }: { readonly url: string },
  clientId = 'mobile',
): Promise<{ access_token: string; refresh_token: string }> {
  const { status, body } = await postForm(`${url}/token`, {
    grant_type: 'password',
    client_id: clientId,
    username: USER,
    password: PASSWORD,
  })
  if (status !== 200) throw new Error(`login failed: ${JSON.stringify(body)}`)
  return body
}
