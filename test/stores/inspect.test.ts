// What about a store's set-up puts its data at risk: found, told with what to set, shown in a metric; the
// worst of it stops a start.
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createMetrics } from '../../src/observe/metrics/metrics.ts'
import { startServer } from '../../src/server.ts'
import { connectRedis } from '../../src/stores/redis/connection/connect.ts'
import {
  createInspect,
  isLoopback,
  letsAnybodyIn,
} from '../../src/stores/redis/safety/inspect.ts'
import { createLink } from '../../src/stores/redis/connection/link.ts'
import { createRedisStore } from '../../src/stores/redis/store.ts'
import { createStoreWatch, refuseRisks, risksOf } from '../../src/stores/watch.ts'
import { createHandClock } from '../support/clock.ts'
import { freePort } from '../support/free-port.ts'
import { configOf, startInProcess } from '../support/in-process.ts'
import { startRedis, type TestRedisOptions } from '../support/redis.ts'
import { PATIENT } from '../support/until.ts'

const pem = (name: string) =>
  new URL(`../support/tls/${name}.pem`, import.meta.url).pathname
const SAFE = ['--appendonly', 'yes']

async function redisOf(t: Test, options: TestRedisOptions) {
  const redis = await startRedis(options)
  t.teardown(() => redis.stop())
  return redis
}

async function checksOf(
  t: Test,
  options: TestRedisOptions,
  { replicas = 0, isOurs = isLoopback } = {},
): Promise<string[]> {
  const { url } = await redisOf(t, options)
  const link = createLink({
    ...PATIENT,
    client: await connectRedis({ ...PATIENT, url }),
    verify: async () => {},
  })
  t.teardown(() => link.close())
  return (await createInspect({ link, replicas, isOurs })()).map(({ check }) => check)
}

t.test('each risk is found, and none where there is none', async t => {
  const elsewhere = { isOurs: () => false }
  t.same(await checksOf(t, { args: SAFE }), [])
  t.same(await checksOf(t, { args: [...SAFE, '--requirepass', 'secret'] }, elsewhere), [])
  t.same(await checksOf(t, { args: SAFE, cluster: true }), [])
  t.same(await checksOf(t, { args: SAFE, cluster: true }, elsewhere), ['authentication'])
  t.same(await checksOf(t, { args: [...SAFE, '--maxmemory-policy', 'allkeys-lru'] }), [
    'eviction',
  ])
  t.same(await checksOf(t, { args: [...SAFE, '--maxmemory-policy', 'volatile-ttl'] }), [
    'eviction',
  ])
  t.same(await checksOf(t, { args: [...SAFE, '--maxmemory', '1gb'] }), [])
  t.same(await checksOf(t, { args: [...SAFE, '--maxmemory', '1mb'] }), ['memory'])
  t.same(await checksOf(t, { args: SAFE }, elsewhere), ['authentication'])
  t.same(await checksOf(t, {}), ['persistence'])
  t.same(await checksOf(t, { args: SAFE }, { replicas: 1 }), ['replicas'])
  t.same(
    (
      await checksOf(
        t,
        { args: ['--maxmemory-policy', 'allkeys-random'] },
        { replicas: 1, ...elsewhere },
      )
    ).toSorted(),
    ['authentication', 'eviction', 'persistence', 'replicas'],
  )
})

t.test(
  'by TLS: a server that wants a certificate lets nobody in, one that wants none does',
  async t => {
    for (const wants of ['yes', 'no']) {
      const port = await freePort()
      await redisOf(t, {
        args: [
          '--tls-port',
          String(port),
          '--tls-cert-file',
          pem('server'),
          '--tls-key-file',
          pem('server-key'),
          '--tls-ca-cert-file',
          pem('ca'),
          '--tls-auth-clients',
          wants,
        ],
      })
      const client = await connectRedis({
        url: `rediss://127.0.0.1:${port}`,
        tls: {
          caFile: pem('ca'),
          serverName: 'redis.test',
          certFile: pem('client'),
          keyFile: pem('client-key'),
        },
      })
      t.teardown(() => client.disconnect())
      t.equal(
        client instanceof Redis && (await letsAnybodyIn(client)),
        wants === 'no',
        `tls-auth-clients ${wants}`,
      )
    }
  },
)

t.test('loopback, however it is written', async t => {
  for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) {
    t.equal(isLoopback(address), true, address)
  }
  for (const address of ['10.0.0.1', '::ffff:10.0.0.1', 'fd00::1', '128.0.0.1']) {
    t.equal(isLoopback(address), false, address)
  }
})

t.test('clocks that are more than 5 s apart', async t => {
  const redis = await redisOf(t, { args: SAFE })
  const storeClock = createHandClock()
  const store = await createRedisStore({ ...PATIENT, url: redis.url, clock: storeClock })
  t.teardown(() => store.close())
  t.same(await risksOf(store, storeClock), [])
  for (const apart of [-5_001, 5_001]) {
    t.match(await risksOf(store, () => storeClock() + apart), [
      { check: 'clock', advice: /5 s apart/ },
    ])
  }
  for (const apart of [-5_000, 5_000]) {
    t.same(await risksOf(store, () => storeClock() + apart), [])
  }
})

t.test("what an operator hasn't taken stops the start, and says what to set", async t => {
  const [eviction, authentication] = [
    { check: 'eviction', advice: 'eviction!' },
    { check: 'authentication', advice: 'authentication!' },
  ] as const
  const none = { allowEviction: false, allowNoAuthentication: false }
  t.throws(() => refuseRisks([eviction, authentication], none), {
    message: 'eviction!\nauthentication!',
  })
  t.throws(
    () => refuseRisks([eviction, authentication], { ...none, allowEviction: true }),
    { message: 'authentication!' },
  )
  t.throws(
    () =>
      refuseRisks([eviction, authentication], { ...none, allowNoAuthentication: true }),
    { message: 'eviction!' },
  )
  t.doesNotThrow(() =>
    refuseRisks([eviction, authentication], {
      allowEviction: true,
      allowNoAuthentication: true,
    }),
  )
  t.doesNotThrow(
    () =>
      refuseRisks(
        ['persistence', 'clock', 'replicas'].map(
          check => ({ check, advice: '' }) as never,
        ),
        none,
      ),
    'the others are warnings',
  )

  const redis = await redisOf(t, { args: ['--maxmemory-policy', 'allkeys-lru'] })
  await t.rejects(startServer({ config: configOf(redis.url) }), {
    message: /maxmemory-policy allkeys-lru.*store\.allowEviction: true/,
  })
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const written = (await client.keys('*')).toSorted()
  t.same(
    written,
    ['lk:epoch:0', 'lk:format', 'lk:names'],
    'and nothing but its marks was written',
  )

  const server = await startInProcess(t, {
    config: configOf('', { store: { url: redis.url, allowEviction: true } }),
  })
  t.same(
    server.lines
      .map(line => JSON.parse(line))
      .filter(({ level }) => level === 40)
      .map(({ msg }) => msg.slice(0, 17)),
    ['Redis may throw a', 'Redis keeps no ap'],
  )
  const metrics = await (await fetch(`${server.managementUrl}/metrics`)).text()
  for (const [check, value] of Object.entries({
    eviction: 1,
    persistence: 1,
    authentication: 0,
    clock: 0,
    replicas: 0,
  })) {
    t.match(
      metrics,
      new RegExp(`^latchkey_store_at_risk\\{check="${check}"\\} ${value}$`, 'm'),
    )
  }
})

t.test('while it runs: what is new is told once, also when it comes back', async t => {
  const redis = await redisOf(t, { args: SAFE })
  const clock = createHandClock()
  const store = await createRedisStore({ ...PATIENT, url: redis.url, clock })
  t.teardown(() => store.close())
  const warnings: string[] = []
  const watch = createStoreWatch({
    store,
    clock,
    log: {
      warn: message => {
        warnings.push(message)
      },
    },
    metrics: createMetrics(),
  })
  await watch.inspect()
  for (const policy of ['allkeys-lru', 'allkeys-lru', 'noeviction', 'allkeys-lru']) {
    await store.client.config('SET', 'maxmemory-policy', policy)
    await watch.inspect()
  }
  t.equal(warnings.length, 2)
  await redis.stop()
  await t.resolves(watch.inspect(), 'a store that fails is no risk of this kind')
  t.equal(warnings.length, 2)
})
