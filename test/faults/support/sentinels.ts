// A primary and its replicas under real sentinels, as docs/reliability.md says that they are to be run; each
// node behind a delaying proxy.
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { startChild } from '../../support/children.ts'
import { freePort } from '../../support/free-port.ts'
import { makeSureItIsOurs, spawned } from '../../support/redis.ts'
import { type DelayedNode, startDelayedNode } from './delayed-node.ts'
import { msUntil } from './load.ts'

const SENTINELS = 3
const QUORUM = 2
const NAME = 'mymaster'

/** What a sentinel told, and when (performance.now). */
export interface Told {
  readonly at: number
  readonly event: string
  readonly text: string
}

export interface Watched {
  /** For `store.url`. */
  readonly url: string
  readonly nodes: readonly DelayedNode[]
  /** What the sentinels told so far. */
  readonly told: Told[]
  /** The nodes that say that they are what is asked for; who doesn't answer is nothing. */
  inRole(role: 'master' | 'slave'): Promise<DelayedNode[]>
  /** Waits until the primary has so many replicas in step, and gives it. */
  settled(replicas: number): Promise<DelayedNode>
}

/** Starts three sentinels over three nodes. They end with the test. */
export async function startWatched(t: Test): Promise<Watched> {
  const first = await startMember(t)
  const others = await Promise.all([1, 2].map(() => startMember(t, replicaOf(first))))
  const nodes = [first, ...others]
  const told: Told[] = []
  const ports = await Promise.all(
    Array.from({ length: SENTINELS }, () => startSentinel(t, first.port, told)),
  )
  await msUntil(async () => await isComplete(ports, others.length), 20_000)

  const inRole: Watched['inRole'] = async wanted => {
    const roles = await Promise.all(nodes.map(({ admin }) => roleOf(admin)))
    return nodes.filter((_, index) => roles[index] === wanted)
  }

  async function settled(replicas: number): Promise<DelayedNode> {
    let primary: DelayedNode | undefined
    const took = await msUntil(async () => {
      // One that is being brought down again says so, too, for a moment.
      const masters = await inRole('master')
      primary = masters.length === 1 ? masters[0] : undefined
      const info = await primary?.admin.info('replication').catch(() => undefined)
      return (info?.match(/^slave\d+:.*state=online/gm)?.length ?? 0) >= replicas
    }, 60_000)
    if (primary === undefined || took === Infinity) {
      throw new Error(`no primary with ${replicas} replicas`)
    }
    return primary
  }

  return {
    url: `redis+sentinel://${ports.map(port => `127.0.0.1:${port}`).join()}/${NAME}`,
    nodes,
    told,
    inRole,
    settled,
  }
}

/** How a node is told whom to follow. */
export const replicaOf = ({ port }: DelayedNode) => ['--replicaof', `127.0.0.1 ${port}`]

function startMember(t: Test, more: readonly string[] = []): Promise<DelayedNode> {
  // A primary that nobody follows takes no writes, and a replica that comes back isn't kept waiting for
  // others.
  const ours = ['--min-replicas-to-write', '1', '--repl-diskless-sync-delay', '0']
  return startDelayedNode(t, port => [
    '--replica-announce-ip',
    '127.0.0.1',
    '--replica-announce-port',
    String(port),
    ...ours,
    ...more,
  ])
}

async function startSentinel(
  t: Test,
  primaryPort: number,
  told: Told[],
): Promise<number> {
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-sentinel-'))
  const file = join(dir, 'sentinel.conf')
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${dir}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} ${QUORUM}`,
      `sentinel down-after-milliseconds ${NAME} 2000`,
      `sentinel failover-timeout ${NAME} 10000`,
      '',
    ].join('\n'),
  )
  const child = startChild('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  const listener = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
  t.teardown(async () => {
    listener.disconnect()
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    await rm(dir, { recursive: true, force: true })
  })
  await spawned(child)
  await makeSureItIsOurs(child, {
    port,
    password: undefined,
    then: async () => {},
  })
  listener
    .on('error', () => {})
    .on('pmessage', (_pattern, event, text) => {
      told.push({ at: performance.now(), event, text })
    })
  await listener.connect()
  await listener.psubscribe('*')
  return port
}

/** Whether every sentinel knows the others and the replicas. */
async function isComplete(ports: readonly number[], replicas: number): Promise<boolean> {
  const states = await Promise.all(
    ports.map(async port => {
      const asking = new Redis({ port, host: '127.0.0.1' })
      try {
        return String(await asking.call('INFO', 'sentinel'))
      } finally {
        asking.disconnect()
      }
    }),
  )
  return states.every(text => text.includes(`slaves=${replicas},sentinels=${SENTINELS}`))
}

async function roleOf(admin: Redis): Promise<string> {
  if (admin.status === 'wait') await admin.connect()
  // Without a connection a command would wait for one.
  if (admin.status !== 'ready') return 'away'
  return admin.call('ROLE').then(
    reply => (Array.isArray(reply) ? String(reply[0]) : ''),
    () => 'away',
  )
}
