// A real Redis server of our own: a free loopback port, no persistence, gone with the test.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startChild } from './children.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

export interface TestRedis {
  readonly url: string
  readonly port: number
  /** Where a node of a cluster meets the others; 0: it is none. */
  readonly busPort: number
  readonly pid: number
  /** Ends the server and removes its folder. Resolves also when called twice. */
  stop(): Promise<void>
}

export interface TestRedisOptions {
  /** A cluster of one; `member`: a node that others are to meet, without slots. */
  readonly cluster?: boolean | 'member'
  /** Where one was before. */
  readonly port?: number
  /** Further options of redis-server. */
  readonly args?: readonly string[]
}

/** Starts redis-server; throws when there is none: a store that wasn't tested must not look tested. */
export async function startRedis(
  options: TestRedisOptions = {},
  attempts = 3,
): Promise<TestRedis> {
  try {
    return await startOnce(options)
  } catch (error) {
    // Another suite may have taken a port that was free a moment ago.
    if (!(error instanceof EndedAtOnce) || options.port !== undefined || attempts === 0) {
      throw error
    }
    return startRedis(options, attempts - 1)
  }
}

class EndedAtOnce extends Error {}

async function startOnce(options: TestRedisOptions): Promise<TestRedis> {
  const { cluster = false, port = await freePort(), args = [] } = options
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-redis-'))
  const fixed = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  // The port of the cluster's bus is the server's plus 10,000 unless it is told; a lone node needs none that
  // is reached.
  const busPort = cluster === false ? 0 : await freePort()
  const child = startChild(
    'redis-server',
    [
      ...fixed,
      ...(cluster !== false
        ? [
            '--cluster-enabled',
            'yes',
            '--cluster-port',
            String(busPort),
            '--cluster-announce-ip',
            '127.0.0.1',
          ]
        : []),
      ...args,
    ],
    { stdio: 'ignore' },
  )
  const password = passwordIn(args)
  const { pid, stop } = await watched(child, dir, {
    port,
    password,
    then: cluster === true ? takeAllSlots : async () => {},
  })
  const credentials = password === undefined ? '' : `:${password}@`
  return {
    url:
      cluster !== false
        ? `redis+cluster://${credentials}127.0.0.1:${port}`
        : `redis://${credentials}127.0.0.1:${port}/0`,
    port,
    busPort,
    pid,
    stop,
  }
}

function passwordIn(args: readonly string[]): string | undefined {
  const at = args.indexOf('--requirepass')
  return at === -1 ? undefined : args[at + 1]
}

/** Starts one sentinel that watches the primary at that port under the name mymaster. */
export async function startSentinel(
  primaryPort: number,
  primaryPassword: string,
  password: string,
): Promise<TestRedis> {
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-sentinel-'))
  const file = join(dir, 'sentinel.conf')
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${dir}`,
      `requirepass ${password}`,
      `sentinel monitor mymaster 127.0.0.1 ${primaryPort} 1`,
      `sentinel auth-pass mymaster ${primaryPassword}`,
      'sentinel down-after-milliseconds mymaster 1000',
      '',
    ].join('\n'),
  )
  const child = startChild('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  const { pid, stop } = await watched(child, dir, {
    port,
    password,
    then: async () => {},
  })
  return {
    url: `redis+sentinel://127.0.0.1:${port}/mymaster`,
    port,
    busPort: 0,
    pid,
    stop,
  }
}

/** How a server is asked whose it is, and what is done with it then. */
export interface Ownership {
  readonly port: number
  readonly password: string | undefined
  readonly then: (client: Redis) => Promise<void>
}

/** Waits until the server is reached and known to be ours; gives the way to end it. */
async function watched(
  child: ChildProcess,
  dir: string,
  ownership: Ownership,
): Promise<Pick<TestRedis, 'pid' | 'stop'>> {
  const pid = await spawned(child)
  await makeSureItIsOurs(child, ownership)
  // A test that fails before it could say when to stop it must not wait for it: it ends with the suite.
  child.unref()
  return {
    pid,
    async stop() {
      if (!hasEnded(child)) {
        child.ref()
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Another suite on this machine may have won the port: its data must never be touched. */
export async function makeSureItIsOurs(
  child: ChildProcess,
  { port, password, then }: Ownership,
): Promise<void> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => null,
    ...(password !== undefined && { password }),
  })
  client.on('error', () => {})
  try {
    // Waits no longer for one that has ended.
    await until(() => hasEnded(child) || client.connect().then(() => true))
    if (hasEnded(child)) throw new EndedAtOnce('redis-server ended at once')
    const info = await client.info('server')
    if (!info.includes(`process_id:${child.pid}\r\n`)) {
      throw new Error(`port ${port} belongs to another redis-server`)
    }
    await then(client)
  } finally {
    client.disconnect()
  }
}

/**
 * A cluster of one: every slot is here, and keys of two slots in one script are refused as in any cluster.
 */
async function takeAllSlots(client: Redis): Promise<void> {
  await client.cluster('ADDSLOTSRANGE', 0, 16_383)
  await until(async () =>
    String(await client.cluster('INFO')).includes('cluster_state:ok'),
  )
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) =>
  exitCode !== null || signalCode !== null

/** Waits until the process runs; gives its id. */
export async function spawned(child: ChildProcess): Promise<number> {
  try {
    await once(child, 'spawn')
  } catch (cause) {
    throw new Error(
      'redis-server is not on the PATH: install it (apt-get install redis-server, brew install redis)',
      { cause },
    )
  }
  return Number(child.pid)
}
