// A cluster of several masters, the one with the first mark of the epoch away: the others serve their
// sessions meanwhile, and nothing is concluded from what only that one could say.
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { freePort } from '../support/free-port.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { until } from '../support/until.ts'

const HOUR = 3_600_000
const LAST_SLOT = 16_383
const FIRST_MARK = 'lk:epoch:0'
const AWAY = 'the master that knows the epoch is away'

interface Master extends TestRedis {
  readonly busPort: number
  readonly admin: Redis
}

async function startMaster(t: Test): Promise<Master> {
  const busPort = await freePort()
  const redis = await startRedis({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
      ...['--cluster-announce-ip', '127.0.0.1', '--cluster-node-timeout', '1000'],
      ...['--cluster-require-full-coverage', 'no'],
    ],
  })
  const admin = new Redis(redis.port, '127.0.0.1', { retryStrategy: () => 50 })
  admin.on('error', () => {})
  t.teardown(() => {
    admin.disconnect()
    return redis.stop()
  })
  return { ...redis, busPort, admin }
}

/** Three masters; the first has the slot of the first mark and no other. */
async function clusterOf(t: Test) {
  const masters = await Promise.all([startMaster(t), startMaster(t), startMaster(t)])
  const [first, second, third] = masters
  for (const { port, busPort } of [second, third]) {
    await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
  }
  const slot = Number(await first.admin.cluster('KEYSLOT', FIRST_MARK))
  await first.admin.cluster('ADDSLOTS', slot)
  await second.admin.cluster('ADDSLOTSRANGE', 0, slot - 1)
  await third.admin.cluster('ADDSLOTSRANGE', slot + 1, LAST_SLOT)
  const knowsAll = async ({ admin }: Master) =>
    /cluster_state:ok[^]*cluster_slots_ok:16384/.test(String(await admin.cluster('INFO')))
  await until(async () => (await Promise.all(masters.map(knowsAll))).every(Boolean))
  const hosts = masters.map(({ port }) => `127.0.0.1:${port}`)
  return { first, url: `redis+cluster://${hosts.join(',')}` }
}

t.test('the master of the first mark is away', async t => {
  const { first, url } = await clusterOf(t)
  const open = async () => {
    const store = await createRedisStore({ url, lossPeriodMs: HOUR })
    t.teardown(() => store.close())
    return store
  }
  const store = await open()
  const account = someAccount('owner')
  await store.users.add(account)
  const ref = await signIn(store, account.tag)
  await first.stop()

  t.match(await store.families.rotate(presented(ref, 1)), { kind: 'rotated' })
  t.same(
    await store.families.rotate(presented({ ...ref, sid: 'unknown' }, 1)),
    { kind: 'refused', reason: 'family_unknown' },
    'the marks of the others are as they were: that is a verdict',
  )
  const startFails = () =>
    open().then(
      () => undefined,
      error => error.reason,
    )
  // On a busy machine a start may give up before it has reached one that is there.
  t.ok(await until(async () => (await startFails()) === AWAY), 'no start without it')

  // Another master came back without its data: of what it doesn't know nobody can judge now.
  await store.client.del('lk:epoch:1')
  await t.rejects(store.families.rotate(presented({ ...ref, sid: 'unknown' }, 1)), {
    name: 'StoreUnavailable',
    reason: AWAY,
  })
  t.equal(store.condition().isLost, false, 'nor is it called a loss')
})
