// The processes of a bench: Redis, Latchkey as production runs it, the floors, the load. All of them end with
// the stack that they are put on.
import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChild } from '../test/support/children.ts'
import { freePort } from '../test/support/free-port.ts'
import { startRedis, type TestRedis } from '../test/support/redis.ts'
import { nodeFlags } from './as-image.ts'
import {
  ask,
  HERE,
  type Measured,
  measured,
  METERED,
  start,
  startWorker,
} from './child.ts'
import type { FloorOptions, HashJob } from './floor.ts'
import type { Job } from './load.ts'
import { CLIENTS, USER } from './parties.ts'
import { pin } from './pinning.ts'

/** The password hashing of every bench: what the server takes when it is told nothing. */
export interface Hashing extends Readonly<
  Record<'memoryKiB' | 'passes' | 'parallelism', number>
> {
  readonly concurrency: number | 'auto'
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

/** Another Latchkey, and its Redis. */
export interface Beside extends Measured {
  readonly redis: TestRedis
}

/** Starts another Latchkey, with a store of its own. */
export async function startBeside(
  parts: AsyncDisposableStack,
  hashing: Hashing,
  { store = 'redis', ...variant }: Variant & { readonly store?: StoreKind },
): Promise<Beside> {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const redis = await startStore(parts)
  const server = await startLatchkey(
    parts,
    dir,
    urlOf(store, dir, redis),
    hashing,
    variant,
  )
  return { ...server, redis }
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
  const redis = await startStore(parts)
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
    await runChild(process.execPath, line)
  }
  // A file takes the log, as in production: a pipe would be this process's work.
  const log = await open(join(dir, 'latchkey.log'), 'w')
  parts.defer(() => log.close())
  const child = start(parts, bin, {
    execArgv: [...nodeFlags(bin), ...METERED.execArgv],
    args: ['serve', '--config', configFile],
    output: log.fd,
  })
  return measured(child, `http://127.0.0.1:${port}`, {
    readyUrl: `http://127.0.0.1:${management}/readyz`,
  })
}

async function startFloor(
  parts: AsyncDisposableStack,
  options: FloorOptions,
): Promise<Floor> {
  const child = start(parts, 'floor.ts', { ...METERED, args: [JSON.stringify(options)] })
  const url = `http://127.0.0.1:${options.port}`
  const process = await measured(child, url, { readyUrl: `${url}/.well-known/jwks.json` })
  return { ...process, hash: job => ask(child, job) }
}

/** Starts a Redis that ends with the stack. */
export async function startStore(parts: AsyncDisposableStack): Promise<TestRedis> {
  const redis = await startRedis()
  parts.defer(() => redis.stop())
  pin(redis.pid, 'store')
  return redis
}
