// A real Redis server of our own: a free loopback port, no persistence, gone with the test.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from './free-port.ts'

export interface TestRedis {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends the server and removes its folder. Resolves also when called twice. */
  stop (): Promise<void>
}

/** Starts redis-server; throws when there is none: a store that wasn't tested must not look tested. */
export async function startRedis (): Promise<TestRedis> {
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-redis-'))
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  const pid = await spawned(child)
  const killLeftover = () => { child.kill('SIGKILL') }
  process.once('exit', killLeftover)
  await makeSureItIsOurs(port, pid)

  return {
    url: `redis://127.0.0.1:${port}/0`,
    port,
    pid,
    async stop () {
      process.removeListener('exit', killLeftover)
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Another suite on this machine may have won the port: its data must never be touched. */
async function makeSureItIsOurs (port: number, pid: number): Promise<void> {
  const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => {})
  try {
    await reachable(client)
    const info = await client.info('server')
    if (!info.includes(`process_id:${pid}\r\n`)) throw new Error(`port ${port} belongs to another redis-server`)
  } finally {
    client.disconnect()
  }
}

async function reachable (client: Redis, attempts = 100): Promise<void> {
  try {
    await client.connect()
  } catch (error) {
    if (attempts === 0) throw error
    await wait(20)
    await reachable(client, attempts - 1)
  }
}

async function spawned (child: ChildProcess): Promise<number> {
  try {
    await once(child, 'spawn')
  } catch (cause) {
    throw new Error('redis-server is not on the PATH: install it (apt-get install redis-server, brew install redis)', { cause })
  }
  return Number(child.pid)
}
