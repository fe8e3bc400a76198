// The processes of a bench: Redis, Latchkey as production runs it, the floors, the load. All of them end with
// the stack that they are put on.
import { type ChildProcess, execFile, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Profiler } from 'node:inspector'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { endWithUs } from '../test/support/children.ts'
import { freePort } from '../test/support/free-port.ts'
import { startRedis, type TestRedis } from '../test/support/redis.ts'
import type { FloorOptions, HashJob } from './floor.ts'
import type { Job } from './load.ts'
import type { MeterQuestion } from './meter.ts'
import { CLIENTS, USER } from './parties.ts'

const HERE = new URL('./', import.meta.url).pathname
const READY_ATTEMPTS = 500

/** The password hashing of every bench: what the server takes when it is told nothing. */
export interface Hashing extends Readonly<
  Record<'memoryKiB' | 'passes' | 'parallelism', number>
> {
  readonly concurrency: number | 'auto'
}

/** A process whose CPU time can be asked for. */
export interface Measured {
  readonly url: string
  /** Microseconds since the start, all threads. */
  cpu(): Promise<number>
  /** By how much the event loop was late since this was asked last: p99, milliseconds. */
  loop(): Promise<number>
  /** Bytes of memory that are its now. */
  rss(): Promise<number>
  /** A V8 CPU profile of the work. */
  profiled(work: () => Promise<unknown>): Promise<Profiler.Profile>
}

export interface Floor extends Measured {
  /** Computes hashes and nothing else; seconds. */
  hash(job: HashJob): Promise<number>
}

export interface Cast {
  readonly redis: TestRedis
  readonly latchkey: Measured
  readonly floor: Floor
  /** Runs a job in the load's process; seconds. */
  load(job: Job): Promise<number>
}

/** Where a Latchkey of the bench keeps everything: a Redis of its own, or a file. */
export type StoreKind = 'redis' | 'sqlite'

/** Starts another Latchkey, with a store of its own. */
export async function startBeside(
  parts: AsyncDisposableStack,
  hashing: Hashing,
  { store = 'redis', ...variant }: Variant & { readonly store?: StoreKind },
): Promise<Measured> {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const redis = await startRedis()
  parts.defer(() => redis.stop())
  return startLatchkey(parts, dir, urlOf(store, dir, redis), hashing, variant)
}

function urlOf(store: StoreKind, dir: string, redis: TestRedis): string {
  return store === 'redis' ? redis.url : `sqlite:${join(dir, 'latchkey.db')}`
}

/** Starts everybody. */
export async function startCast(
  parts: AsyncDisposableStack,
  hashing: Hashing,
  store: StoreKind = 'redis',
): Promise<Cast> {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const redis = await startRedis()
  parts.defer(() => redis.stop())
  const latchkey = await startLatchkey(parts, dir, urlOf(store, dir, redis), hashing)
  const jwks: unknown = await (
    await fetch(`${latchkey.url}/.well-known/jwks.json`)
  ).json()
  const floor = await startFloor(parts, {
    port: await freePort(),
    redisPort: redis.port,
    jwks,
    hashing,
  })
  return {
    redis,
    latchkey,
    floor,
    load: startWorker(parts, 'load.ts'),
  }
}

/** Starts a process that answers one question at a time; a text tells what went wrong. */
export function startWorker<Question extends object, Answer>(
  parts: AsyncDisposableStack,
  module: string,
): (question: Question) => Promise<Answer> {
  const child = start(parts, module)
  return question => ask(child, question)
}

/** Where a server differs from the ordinary one of a bench. */
export interface Variant {
  /** Sections of its configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** The checkout of Latchkey that it is started from. */
  readonly root?: string
  /** What is known of its user. */
  readonly attributes?: Readonly<Record<string, string>>
}

/** Starts Latchkey with a user. */
export async function startLatchkey(
  parts: AsyncDisposableStack,
  dir: string,
  storeUrl: string,
  hashing: Hashing,
  { config, root = join(HERE, '..'), attributes = {} }: Variant = {},
): Promise<Measured> {
  const [port, management] = [await freePort(), await freePort()]
  const configFile = join(dir, 'latchkey.yaml')
  // Every JSON text is YAML. The limits are on, and out of reach.
  await writeFile(
    configFile,
    JSON.stringify({
      issuer: `http://127.0.0.1:${port}`,
      http: { host: '127.0.0.1', port },
      management: { host: '127.0.0.1', port: management },
      store: { url: storeUrl },
      secrets: [randomBytes(32).toString('base64url')],
      passwords: hashing,
      throttle: {
        perAddress: { max: 1_000_000_000, window: '1h' },
        perClient: { max: 1_000_000_000, window: '1h' },
        perSession: { max: 1_000_000_000, window: '1h' },
      },
      clients: CLIENTS,
      ...config,
    }),
  )
  // Its own way of adding a user: an earlier release doesn't read the store of a later one.
  const its: typeof import('../test/support/server.ts') = await import(
    join(root, 'test/support/server.ts')
  )
  await its.addUser(storeUrl)
  const bin = join(root, 'bin/latchkey.js')
  const known = Object.entries(attributes).flatMap(([name, value]) => [
    '--attribute',
    `${name}=${value}`,
  ])
  if (known.length > 0) {
    const line = [bin, 'users', 'set', USER, ...known, '--config', configFile]
    await promisify(execFile)(process.execPath, line)
  }
  // A file takes the log, as in production: a pipe would be this process's work.
  const log = await open(join(dir, 'latchkey.log'), 'w')
  parts.defer(() => log.close())
  const child = start(parts, bin, {
    ...METERED,
    args: ['serve', '--config', configFile],
    output: log.fd,
  })
  await answering(child, `http://127.0.0.1:${management}/readyz`)
  return measured(child, `http://127.0.0.1:${port}`)
}

async function startFloor(
  parts: AsyncDisposableStack,
  options: FloorOptions,
): Promise<Floor> {
  const child = start(parts, 'floor.ts', { ...METERED, args: [JSON.stringify(options)] })
  const url = `http://127.0.0.1:${options.port}`
  await answering(child, `${url}/.well-known/jwks.json`)
  return { ...measured(child, url), hash: job => ask(child, job) }
}

function measured(child: ChildProcess, url: string): Measured {
  const question = <Answer>(question: MeterQuestion) => ask<Answer>(child, question)
  return {
    url,
    cpu: () => question('cpu'),
    loop: () => question('loop'),
    rss: () => question('rss'),
    async profiled(work) {
      await question('profile-start')
      await work()
      return question('profile-stop')
    },
  }
}

interface StartOptions {
  readonly args?: readonly string[]
  readonly output?: number | 'inherit'
  /** What runs before the module. */
  readonly execArgv?: string[]
}

const METERED = { execArgv: ['--import', join(HERE, 'meter.ts')] }

function start(
  parts: AsyncDisposableStack,
  module: string,
  { args = [], output = 'inherit', execArgv = [] }: StartOptions = {},
): ChildProcess {
  const child = endWithUs(
    fork(resolve(HERE, module), args, {
      execArgv,
      // As the image has it.
      env: {
        PATH: process.env['PATH'],
        MALLOC_ARENA_MAX: '1',
        NODE_OPTIONS: '--max-semi-space-size=8',
      },
      stdio: ['ignore', output, output, 'ipc'],
    }),
  )
  parts.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  return child
}

/** One question at a time. An answer that is a text tells what went wrong. */
async function ask<Answer>(
  child: ChildProcess,
  question: object | MeterQuestion,
): Promise<Answer> {
  child.send(question)
  const settled = new AbortController()
  const answered = once(child, 'message', settled).then(([answer]) => answer)
  const ended = once(child, 'exit', settled).then(
    ([code]) => `the process ended with ${code}`,
  )
  const answer = await Promise.race([answered, ended])
  settled.abort()
  if (typeof answer === 'string') throw new Error(answer)
  return answer
}

async function answering(
  child: ChildProcess,
  url: string,
  attempts = READY_ATTEMPTS,
): Promise<void> {
  const status = await fetch(url).then(
    answer => answer.status,
    () => 0,
  )
  if (status === 200) return
  if (attempts === 0 || child.exitCode !== null) {
    throw new Error(`nothing answers at ${url}`)
  }
  await wait(20)
  await answering(child, url, attempts - 1)
}
