// A real Redis Cluster of three masters without replicas: keys of different slots lie on different servers.
import { Redis } from 'ioredis'
import { startRedis, type TestRedis } from './redis.ts'
import { until } from './until.ts'

const MASTERS = 3
const SLOTS = 16_384

export interface TestCluster extends Pick<TestRedis, 'url' | 'stop'> {
  /** How many keys each master has. */
  keyCounts(): Promise<number[]>
}

/** Starts the masters and shares the slots out; throws when there is no redis-server. */
export async function startMasters(): Promise<TestCluster> {
  const started = await Promise.allSettled(
    Array.from({ length: MASTERS }, () => startRedis({ cluster: 'member' })),
  )
  const nodes = started.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
  const clients = nodes.map(({ port }) => new Redis(port, '127.0.0.1'))
  async function stop(): Promise<void> {
    for (const client of clients) client.disconnect()
    await Promise.all(nodes.map(node => node.stop()))
  }
  const failed = started.find(each => each.status === 'rejected')
  try {
    if (failed !== undefined) throw failed.reason
    await meet(nodes, clients)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join()}`,
    keyCounts: () => Promise.all(clients.map(client => client.dbsize())),
    stop,
  }
}

async function meet(
  nodes: readonly TestRedis[],
  clients: readonly Redis[],
): Promise<void> {
  const share = Math.ceil(SLOTS / MASTERS)
  for (const [index, client] of clients.entries()) {
    const start = index * share
    const end = Math.min(start + share, SLOTS) - 1
    // Two nodes of one epoch would quarrel about who has a slot.
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    await client.cluster('ADDSLOTSRANGE', start, end)
  }
  // Only now: a node that knows another one takes no epoch.
  for (const client of clients) {
    for (const { port, busPort } of nodes) {
      await client.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
    }
  }
  await until(async () => {
    const states = await Promise.all(clients.map(client => client.cluster('INFO')))
    return states.every(
      state =>
        String(state).includes('cluster_state:ok') &&
        String(state).includes(`cluster_slots_ok:${SLOTS}`) &&
        String(state).includes(`cluster_known_nodes:${MASTERS}`),
    )
  })
}
