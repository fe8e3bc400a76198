// How the Redis servers are set up, and what of it puts the data at risk. It is asked of every primary.
import { BlockList, isIPv6 } from 'node:net'
import { Cluster, Redis } from 'ioredis'
import type { StoreRisk } from '../../ports/health.ts'
import { mayFenceOff } from '../connection/fence.ts'
import type { Caller } from '../connection/caller.ts'

export interface InspectOptions {
  readonly link: Caller
  /** How many replicas writes wait for. */
  readonly replicas: number
  /** Whether nobody else can reach that address; default: loopback. */
  readonly isOurs?: (address: string) => boolean
}

type Facts = Readonly<Record<string, string>>

const BARE_MS = 500

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8)
LOOPBACK.addAddress('::1', 'ipv6')

/** Makes the inspection. Rejects with StoreUnavailable. */
export function createInspect({
  link,
  replicas,
  isOurs = isLoopback,
}: InspectOptions): () => Promise<StoreRisk[]> {
  async function risksOf(node: Redis): Promise<StoreRisk[]> {
    const facts = await link.run(async () => factsOf(await node.info()))
    const open = !isOurs(String(node.stream.remoteAddress)) && (await letsAnybodyIn(node))
    return [
      ...evicts(facts),
      ...fillsUp(facts),
      ...(open
        ? [
            {
              check: 'authentication',
              advice:
                'Redis lets anybody in who can reach it: set requirepass or ACL users, or ' +
                'store.allowNoAuthentication: true',
            } as const,
          ]
        : []),
      ...forgets(facts),
      ...lacksReplicas(facts, replicas),
      ...((await link.run(() => mayFenceOff(node)))
        ? []
        : [
            {
              check: 'fence',
              advice:
                'Redis does not let this user end connections of its own that were given up: after ' +
                'a cut network sessions may end; add +client|kill to its ACL',
            } as const,
          ]),
    ]
  }

  return async () => {
    const risks = await Promise.all(primariesOf(link.client).map(risksOf))
    // Many primaries, one advice.
    return [...new Map(risks.flat().map(risk => [risk.check, risk])).values()]
  }
}

/** The connections to those servers that take writes. */
export function primariesOf(client: Redis | Cluster): Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client]
}

/** The fields of an INFO reply. */
export function factsOf(info: string): Facts {
  return Object.fromEntries(
    [...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value]),
  )
}

function evicts({ maxmemory_policy: policy = 'noeviction' }: Facts): StoreRisk[] {
  if (policy === 'noeviction') return []
  return [
    {
      check: 'eviction',
      advice:
        `Redis may throw away accounts, sessions and revocations (maxmemory-policy ${policy}): set ` +
        'it to noeviction, or store.allowEviction: true',
    },
  ]
}

/** How much of Redis' memory may be taken before an operator is told. */
const FULL = 0.85

// A full Redis takes no writes: nobody logs in, and nothing can be revoked.
function fillsUp({
  used_memory: used = '0',
  maxmemory: limit = '0',
}: Facts): StoreRisk[] {
  if (Number(limit) === 0 || Number(used) < FULL * Number(limit)) return []
  const [usedMiB, limitMiB] = [used, limit].map(bytes =>
    Math.round(Number(bytes) / 2 ** 20),
  )
  return [
    {
      check: 'memory',
      advice:
        `Redis has ${usedMiB} of ${limitMiB} MiB in use (maxmemory), and takes no writes when it is full: ` +
        'raise maxmemory',
    },
  ]
}

// A snapshot now and then loses the minutes since the last one.
function forgets({ aof_enabled: aof }: Facts): StoreRisk[] {
  return aof === '0'
    ? [
        {
          check: 'persistence',
          advice:
            'Redis keeps no append-only file: a restart loses what came after the last snapshot, ' +
            'revocations included; set appendonly yes',
        },
      ]
    : []
}

function lacksReplicas(
  { connected_slaves: connected = '0' }: Facts,
  wanted: number,
): StoreRisk[] {
  if (Number(connected) >= wanted) return []
  return [
    {
      check: 'replicas',
      advice:
        `Redis has ${connected} replicas, store.replicas asks for ${wanted}: logins and revocations ` +
        'are answered 503 until there are so many',
    },
  ]
}

/** Whether the server answers who has neither password nor certificate. */
export async function letsAnybodyIn(node: Redis): Promise<boolean> {
  const { remoteAddress, remotePort } = node.stream
  const { ca, servername } = Object(node.options.tls)
  const bare = new Redis({
    host: String(remoteAddress),
    port: Number(remotePort),
    ...(node.options.tls && { tls: { ca, servername } }),
    protocol: 2,
    enableReadyCheck: false,
    disableClientInfo: true,
    lazyConnect: true,
    connectTimeout: BARE_MS,
    commandTimeout: BARE_MS,
    retryStrategy: () => null,
  })
  bare.on('error', () => {})
  const answer = await bare
    .connect()
    .then(() => bare.ping())
    .catch(() => 'refused')
  bare.disconnect()
  return answer === 'PONG'
}

/** Whether an address can be reached from this machine only. */
export function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '')
  return LOOPBACK.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
}
