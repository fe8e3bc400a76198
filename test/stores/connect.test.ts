// From a store URL to a connection: the forms of the URL, and what becomes of a server that isn't there.
import t from 'tap'
import { openStore } from '../../src/stores/open.ts'
import { StoreUnavailable } from '../../src/stores/ports.ts'
import { connectRedis, parseRedisUrl, reconnectOnError, retryStrategy } from '../../src/stores/redis/connect.ts'
import { createHandClock } from '../support/clock.ts'
import { freePort } from '../support/free-port.ts'
import { startRedis } from '../support/redis.ts'

const clock = createHandClock()

t.test('a URL is taken apart', async t => {
  const plain = { kind: 'single', tls: false, username: undefined, password: undefined, db: 0, primary: '' }
  const rows: ReadonlyArray<readonly [string, Partial<ReturnType<typeof parseRedisUrl>>]> = [
    ['redis://localhost', { hosts: [{ host: 'localhost', port: 6379 }] }],
    ['redis://10.0.0.1:7000/3', { hosts: [{ host: '10.0.0.1', port: 7000 }], db: 3 }],
    ['redis://[::1]:7000', { hosts: [{ host: '::1', port: 7000 }] }],
    ['redis://[fe80::1]', { hosts: [{ host: 'fe80::1', port: 6379 }] }],
    ['rediss://redis/', { tls: true, hosts: [{ host: 'redis', port: 6379 }] }],
    ['redis://user:pass@redis', { username: 'user', password: 'pass', hosts: [{ host: 'redis', port: 6379 }] }],
    ['redis://:p%40ss%2Fw%3Ard:x@redis', { password: 'p@ss/w:rd:x', hosts: [{ host: 'redis', port: 6379 }] }],
    ['redis://us%3Aer@redis', { username: 'us:er', hosts: [{ host: 'redis', port: 6379 }] }],
    ['redis+sentinel://a,b:1,[::2]:3/mymaster', { kind: 'sentinel', primary: 'mymaster', hosts: [{ host: 'a', port: 26379 }, { host: 'b', port: 1 }, { host: '::2', port: 3 }] }],
    ['rediss+sentinel://u:p@a/my%20master/5', { kind: 'sentinel', tls: true, username: 'u', password: 'p', primary: 'my master', db: 5, hosts: [{ host: 'a', port: 26379 }] }],
    ['redis+cluster://a,b:7001', { kind: 'cluster', hosts: [{ host: 'a', port: 6379 }, { host: 'b', port: 7001 }] }],
    ['rediss+cluster://:p@a', { kind: 'cluster', tls: true, password: 'p', hosts: [{ host: 'a', port: 6379 }] }],
  ]
  for (const [url, expected] of rows) t.same(parseRedisUrl(url), { ...plain, ...expected }, url)
})

t.test('one that names no store is told without what is in it', async t => {
  for (const url of ['redis://', 'redis+foo://secret@a', 'http://secret@a', 'redis://:secret@a/x', 'redis+sentinel://:secret@a', 'redis+sentinel://:secret@a/', 'redis://:secret@a:b', 'redis+sentinel://:secret@a/m/x', 'redis+cluster://:secret@a,', 'redis://:secret@a/1.5']) {
    t.throws(() => parseRedisUrl(url), { name: 'TypeError', message: /^store\.url: expected (?!.*secret)/ }, url)
  }
  for (const url of ['', 'sqlite', 'postgres://a', 'redis+foo://a']) await t.rejects(openStore({ url, clock }), { name: 'TypeError', message: /^store\.url: expected/ }, url)
})

t.test('a server that isn\'t there: StoreUnavailable, soon', async t => {
  const port = await freePort()
  for (const url of [`redis://127.0.0.1:${port}`, `rediss://127.0.0.1:${port}`, `redis+sentinel://127.0.0.1:${port}/mymaster`, `redis+cluster://127.0.0.1:${port}`]) {
    const start = performance.now()
    await t.rejects(openStore({ url, clock }), StoreUnavailable, url)
    t.ok(performance.now() - start < 5000)
  }
})

t.test('the store that the URL names is opened', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  for (const url of ['sqlite::memory:', redis.url]) {
    const { store, addressCounts } = await openStore({ url, clock, redisClock: clock })
    t.equal(addressCounts !== undefined, url === redis.url, 'Redis counts requests for all replicas')
    t.equal(await store.now(), clock())
    await store.close()
  }
})

t.test('a name and a password are given to the server', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const admin = await connectRedis(redis.url)
  await admin.call('ACL', 'SETUSER', 'latchkey', 'on', '>s:e/c@ret', '~*', '+@all')
  admin.disconnect()
  const at = redis.url.replace('redis://', '')
  const { store } = await openStore({ url: `redis://latchkey:s%3Ae%2Fc%40ret@${at}`, clock })
  await store.probe()
  await store.close()
  await t.rejects(openStore({ url: `redis://latchkey:wrong@${at}`, clock }), StoreUnavailable)
})

t.test('it waits longer each time, with jitter, and never above its bound', async t => {
  for (const times of [1, 2, 3, 5, 10, 1000]) {
    const waits = Array.from({ length: 50 }, () => retryStrategy(times))
    t.ok(waits.every(wait => wait >= 25 && wait <= 2000), `attempt ${times}`)
    t.ok(new Set(waits).size > 40, 'jitter')
  }
  t.ok(retryStrategy(1) < retryStrategy(10))
})

t.test('a primary that became a replica, or still loads, is left for another connection', async t => {
  t.equal(reconnectOnError(new Error('READONLY You can\'t write against a read only replica.')), true)
  t.equal(reconnectOnError(new Error('LOADING Redis is loading the dataset in memory')), true)
  t.equal(reconnectOnError(new Error('OOM command not allowed')), false)
})
