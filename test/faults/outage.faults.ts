// Redis away in every way there is, under load.
import t from 'tap'
import { type FaultProxy, startProxy } from './support/fault-proxy.ts'
import { addUsers, startServers } from './support/load.ts'
import { type Outage, live, OUTAGE_MS, warmUp } from './support/outage.ts'
import { type RedisNode, startNode } from './support/redis-node.ts'

interface Scene {
  readonly redis: RedisNode
  readonly proxy: FaultProxy
}

/** An outage, and what brings it about. */
interface Kind extends Omit<Outage, 'begin' | 'end' | 'forMs'> {
  readonly forMs?: number
  readonly begin: (scene: Scene) => Promise<void> | void
  readonly end: (scene: Scene) => Promise<void> | void
}

/**
 * The young generation of the image and the systemd unit. Without that limit V8 doubles it, 48 MiB at once,
 * some 30,000 answers after a start: that is not the outage's memory.
 */
const AS_DEPLOYED = { NODE_OPTIONS: '--max-semi-space-size=8' }

const OUTAGES: readonly Kind[] = [
  {
    name: 'stopped (SIGSTOP)',
    begin: ({ redis }) => redis.signal('SIGSTOP'),
    end: ({ redis }) => redis.signal('SIGCONT'),
  },
  {
    name: 'refused',
    begin: ({ proxy }) => proxy.refuse(),
    end: ({ proxy }) => proxy.accept(),
  },
  {
    name: 'half open',
    begin: ({ proxy }) => {
      proxy.silent = true
    },
    end: ({ proxy }) => {
      proxy.silent = false
    },
  },
  {
    name: '1 s late',
    forMs: 6000,
    begin: ({ proxy }) => {
      proxy.delayMs = 1000
    },
    end: ({ proxy }) => {
      proxy.delayMs = 0
    },
  },
  {
    name: 'full (maxmemory, noeviction)',
    forMs: 6000,
    reads: true,
    begin: async ({ redis }) => {
      await redis.admin.config('SET', 'maxmemory', '1')
    },
    end: async ({ redis }) => {
      await redis.admin.config('SET', 'maxmemory', '0')
    },
  },
]

t.test('Redis away', async t => {
  const redis = await startNode(t)
  const proxy = await startProxy(redis.port)
  t.teardown(() => proxy.close())
  // One process lives through all of them.
  const servers = await startServers(t, 1, {
    storeUrl: `redis://127.0.0.1:${proxy.port}/0`,
    env: AS_DEPLOYED,
  })
  await addUsers(redis.url, 4)
  await warmUp(servers)
  for (const { name, forMs = OUTAGE_MS, reads, begin, end } of OUTAGES) {
    await t.test(name, async t => {
      await live(t, servers, {
        name: `Redis ${name}`,
        forMs,
        begin: () => begin({ redis, proxy }),
        end: () => end({ redis, proxy }),
        ...(reads && { reads }),
      })
    })
  }
})
