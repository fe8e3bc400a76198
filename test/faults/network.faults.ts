// The server's network cut off from Redis: it runs in a network namespace of its own, with one cable to Redis
// and one to its clients.
import t from 'tap'
import { addUsers, startServers } from './support/load.ts'
import { createNamespace } from './support/namespace.ts'
import { live, OUTAGE_MS, warmUp } from './support/outage.ts'
import { startNode } from './support/redis-node.ts'

const PASSWORD = 'a password, as it listens beyond loopback'

t.test('a server in a network of its own', async t => {
  const { within, host, redisHost, plug, route } = await createNamespace(t)
  const redis = await startNode(t, {
    args: ['--bind', `127.0.0.1 ${redisHost}`, '--requirepass', PASSWORD],
    password: PASSWORD,
  })
  const storeUrl = (at: string) =>
    `redis://:${encodeURIComponent(PASSWORD)}@${at}:${redis.port}/0`
  const servers = await startServers(t, 1, {
    storeUrl: storeUrl(redisHost),
    host,
    within,
  })
  await addUsers(storeUrl('127.0.0.1'), 4)
  await warmUp(servers)
  for (const [name, change] of [
    ['the cable to Redis pulled', plug],
    ['the route to Redis gone', route],
  ] as const) {
    await t.test(name, async t => {
      await live(t, servers, {
        name: `Latchkey in a network of its own, ${name}`,
        forMs: OUTAGE_MS,
        begin: () => change(false),
        end: () => change(true),
      })
    })
  }
})
