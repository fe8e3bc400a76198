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
export async function startRedis ({ cluster = false }: { readonly cluster?: boolean } = {}): Promise<TestRedis> {
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-redis-'))
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no']
  // The port of the cluster's bus is the server's plus 10,000 unless it is told; a lone node needs none that is reached.
  const busPort = cluster ? await freePort() : 0
  const child = spawn('redis-server', [...options, ...(cluster ? ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-announce-ip', '127.0.0.1'] : [])], { stdio: 'ignore' })
  const pid = await spawned(child)
  const killLeftover = () => { child.kill('SIGKILL') }
  process.once('exit', killLeftover)
  await makeSureItIsOurs(port, pid, cluster ? takeAllSlots : async () => {})

  return {
    url: cluster ? `redis+cluster://127.0.0.1:${port}` : `redis://127.0.0.1:${port}/0`,
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
async function makeSureItIsOurs (port: number, pid: number, then: (client: Redis) => Promise<void>): Promise<void> {
  const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => {})
  try {
    await reachable(client)
    const info = await client.info('server')
    if (!info.includes(`process_id:${pid}\r\n`)) throw new Error(`port ${port} belongs to another redis-server`)
    await then(client)
  } finally {
    client.disconnect()
  }
}

/** A cluster of one: every slot is here, and keys of two slots in one script are refused as in any cluster. */
async function takeAllSlots (client: Redis): Promise<void> {
  await client.cluster('ADDSLOTSRANGE', 0, 16_383)
  for (let attempts = 100; !String(await client.cluster('INFO')).includes('cluster_state:ok'); attempts--) {
    if (attempts === 0) throw new Error('the cluster of one has no quorum')
    await wait(20)
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
