// A Redis Cluster of three masters, each with a replica; every node behind a proxy that holds back what goes
// to its replica.
import type { Test } from 'tap'
import { freePort } from '../../support/free-port.ts'
import { type DelayedNode, startDelayedNode } from './delayed-node.ts'
import { msUntil } from './load.ts'

const MASTERS = 3
const SLOTS = 16_384
const NODE_TIMEOUT_MS = 1000

export interface ClusterNode extends DelayedNode {
  readonly id: string
}

export interface RunningCluster {
  /** For `store.url`. */
  readonly url: string
  readonly nodes: readonly ClusterNode[]
  /** The nodes that say that they are masters now. */
  masters(): Promise<ClusterNode[]>
  /** Waits until every slot has a master and every master has a replica in step; gives the masters. */
  settled(): Promise<ClusterNode[]>
}

/** Starts it. It ends with the test. */
export async function startCluster(t: Test): Promise<RunningCluster> {
  const nodes = await Promise.all(
    Array.from({ length: 2 * MASTERS }, () => startMember(t)),
  )
  const [first] = nodes
  if (first === undefined) throw new Error('no node')
  for (const { port, busPort } of nodes) {
    await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
  }
  const everybodyKnows = async () => (await Promise.all(nodes.map(isMet))).every(Boolean)
  if ((await msUntil(everybodyKnows, 30_000)) === Infinity) {
    throw new Error('the nodes did not meet')
  }
  const share = Math.ceil(SLOTS / MASTERS)
  for (const [index, { admin }] of nodes.entries()) {
    const start = index * share
    if (index < MASTERS) {
      await admin.call(
        'CLUSTER',
        'ADDSLOTSRANGE',
        start,
        Math.min(start + share, SLOTS) - 1,
      )
    } else await admin.call('CLUSTER', 'REPLICATE', String(nodes[index - MASTERS]?.id))
  }

  async function masters(): Promise<ClusterNode[]> {
    const states = await Promise.all(nodes.map(stateOf))
    return nodes.filter((_, index) => states[index]?.role === 'master')
  }

  async function settled(): Promise<ClusterNode[]> {
    const isSettled = async () => {
      const states = await Promise.all(nodes.map(stateOf))
      const replicated = states.filter(
        ({ role, replicas }) => role === 'master' && replicas === 1,
      )
      return replicated.length === MASTERS && states.every(({ isOk }) => isOk)
    }
    if ((await msUntil(isSettled, 60_000)) === Infinity) {
      throw new Error('the cluster did not settle')
    }
    return masters()
  }

  await settled()
  return {
    url: `redis+cluster://${nodes
      .slice(0, MASTERS)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join()}`,
    nodes,
    masters,
    settled,
  }

  async function isMet({ admin }: ClusterNode): Promise<boolean> {
    return (
      String(await admin.call('CLUSTER', 'NODES')).match(/ connected\b/g)?.length ===
      nodes.length
    )
  }
}

async function startMember(t: Test): Promise<ClusterNode & { busPort: number }> {
  const busPort = await freePort()
  const node = await startDelayedNode(t, port => [
    '--cluster-enabled',
    'yes',
    '--cluster-port',
    String(busPort),
    '--cluster-announce-ip',
    '127.0.0.1',
    '--cluster-announce-port',
    String(port),
    '--cluster-announce-bus-port',
    String(busPort),
    '--cluster-node-timeout',
    String(NODE_TIMEOUT_MS),
    '--cluster-require-full-coverage',
    'no',
    '--repl-diskless-sync-delay',
    '0',
  ])
  return { ...node, busPort, id: String(await node.admin.call('CLUSTER', 'MYID')) }
}

/** What a node says of itself; nothing good when it is away. */
async function stateOf({ admin }: DelayedNode): Promise<{
  readonly role: string
  readonly replicas: number
  readonly isOk: boolean
}> {
  if (admin.status !== 'ready') return { role: 'away', replicas: 0, isOk: false }
  const [info, replication] = await Promise.all(
    [admin.call('CLUSTER', 'INFO'), admin.info('replication')].map(asked =>
      asked.then(String, () => ''),
    ),
  )
  return {
    role: /^role:(\w+)/m.exec(String(replication))?.[1] ?? 'away',
    replicas: String(replication).match(/^slave\d+:.*state=online/gm)?.length ?? 0,
    isOk: String(info).includes('cluster_state:ok'),
  }
}
