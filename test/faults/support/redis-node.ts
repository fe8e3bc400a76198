// A redis-server that can be killed, stopped and started again, on the same port and with the data that it
// left.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { startChild } from '../../support/children.ts'
import { freePort } from '../../support/free-port.ts'
import { makeSureItIsOurs, spawned } from '../../support/redis.ts'

export interface RedisNode {
  readonly port: number
  readonly url: string
  readonly dir: string
  /** For the test's own questions, past every proxy. Connects again by itself. */
  readonly admin: Redis
  /** Sends a signal. */
  signal(name: NodeJS.Signals): void
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>
  /** Starts it again, with further arguments where they are given; resolves when it answers. */
  start(more?: readonly string[]): Promise<void>
}

export interface NodeOptions {
  /** Default: a free one. */
  readonly port?: number
  /** Appended to the command line. */
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
  /** The one that `--requirepass` names. */
  readonly password?: string
  /** What runs once it answers, whenever it was started. */
  readonly prepare?: (admin: Redis) => Promise<void>
}

/** Starts redis-server without persistence, unless its arguments say otherwise. It ends with the test. */
export async function startNode(
  t: Test,
  {
    port: given,
    args = [],
    env = {},
    password,
    prepare = async () => {},
  }: NodeOptions = {},
): Promise<RedisNode> {
  const port = given ?? (await freePort())
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-redis-'))
  const options = [
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
    ...args,
  ]
  const admin = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => 50,
    ...(password !== undefined && { password }),
  })
  admin.on('error', () => {})
  let child: ChildProcess | undefined

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return
    }
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async function start(more: readonly string[] = []): Promise<void> {
    child = startChild('redis-server', [...options, ...more], {
      stdio: 'ignore',
      env: { ...process.env, ...env },
    })
    await spawned(child)
    await makeSureItIsOurs(child, { port, password, then: prepare })
  }

  t.teardown(async () => {
    admin.disconnect()
    await kill()
    await rm(dir, { recursive: true, force: true })
  })
  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}/0`,
    dir,
    admin,
    kill,
    start,
    signal: name => {
      child?.kill(name)
    },
  }
}
