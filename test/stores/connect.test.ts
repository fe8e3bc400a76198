// From a store URL to a connection: the forms of the URL, and what becomes of a server that isn't there.
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { blockOf } from '../docs/support/blocks.ts'
import { openStore } from '../../src/stores/open.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import {
  connectRedis,
  createClient,
  reconnectOnError,
  retryStrategy,
} from '../../src/stores/redis/connection/connect.ts'
import { readTls } from '../../src/stores/redis/connection/tls.ts'
import { parseRedisUrl } from '../../src/stores/redis/connection/url.ts'
import { runChild } from '../support/children.ts'
import { createHandClock } from '../support/clock.ts'
import { startFakeSentinel } from '../support/fake-sentinel.ts'
import { freePort } from '../support/free-port.ts'
import { startRedis, startSentinel } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT, SOON_MS, until } from '../support/until.ts'

const clock = createHandClock()
const pem = (name: string) =>
  new URL(`../support/tls/${name}.pem`, import.meta.url).pathname

/** The commands by which an operator makes the ACL user. */
const ACL = blockOf('docs/reliability.md', 'ACL SETUSER')

t.test('a URL is taken apart', async t => {
  const plain = {
    kind: 'single',
    tls: false,
    username: undefined,
    password: undefined,
    db: 0,
    primary: '',
  }
  const rows: ReadonlyArray<
    readonly [string, Partial<ReturnType<typeof parseRedisUrl>>]
  > = [
    ['redis://localhost', { hosts: [{ host: 'localhost', port: 6379 }] }],
    ['redis://10.0.0.1:7000/3', { hosts: [{ host: '10.0.0.1', port: 7000 }], db: 3 }],
    ['redis://[::1]:7000', { hosts: [{ host: '::1', port: 7000 }] }],
    ['redis://[fe80::1]', { hosts: [{ host: 'fe80::1', port: 6379 }] }],
    ['rediss://redis/', { tls: true, hosts: [{ host: 'redis', port: 6379 }] }],
    [
      'redis://user:pass@redis',
      { username: 'user', password: 'pass', hosts: [{ host: 'redis', port: 6379 }] },
    ],
    [
      'redis://:p%40ss%2Fw%3Ard:x@redis',
      { password: 'p@ss/w:rd:x', hosts: [{ host: 'redis', port: 6379 }] },
    ],
    [
      'redis://us%3Aer@redis',
      { username: 'us:er', hosts: [{ host: 'redis', port: 6379 }] },
    ],
    [
      'redis+sentinel://a,b:1,[::2]:3/mymaster',
      {
        kind: 'sentinel',
        primary: 'mymaster',
        hosts: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 1 },
          { host: '::2', port: 3 },
        ],
      },
    ],
    [
      'rediss+sentinel://u:p@a/my%20master/5',
      {
        kind: 'sentinel',
        tls: true,
        username: 'u',
        password: 'p',
        primary: 'my master',
        db: 5,
        hosts: [{ host: 'a', port: 26379 }],
      },
    ],
    [
      'redis+cluster://a,b:7001',
      {
        kind: 'cluster',
        hosts: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 7001 },
        ],
      },
    ],
    [
      'rediss+cluster://:p@a',
      {
        kind: 'cluster',
        tls: true,
        password: 'p',
        hosts: [{ host: 'a', port: 6379 }],
      },
    ],
  ]
  for (const [url, expected] of rows) {
    t.same(parseRedisUrl(url), { ...plain, ...expected }, url)
  }
})

t.test('one that names no store is told without what is in it', async t => {
  for (const url of [
    'redis://',
    'redis+foo://secret@a',
    'http://secret@a',
    'redis://:secret@a/x',
    'redis+sentinel://:secret@a',
    'redis+sentinel://:secret@a/',
    'redis://:secret@a:b',
    'redis+sentinel://:secret@a/m/x',
    'redis+cluster://:secret@a,',
    'redis://:secret@a/1.5',
  ]) {
    t.throws(
      () => parseRedisUrl(url),
      { name: 'TypeError', message: /^store\.url: expected (?!.*secret)/ },
      url,
    )
  }
  // What is to be written instead.
  for (const [url, instead] of [
    ['redis://lk:100%sure@secret/0', 'percent-encoded'],
    ['redis://lk:pass/w@rd@secret/0', 'percent-encoded'],
    ['redis://secret/0?tls=true', 'keys of its own'],
    ['redis://secret/-1', 'a number of 0 or more as database'],
    ['redis+cluster://secret/2', 'no database'],
    ['redis://secret:99999', 'host:port'],
  ] as const) {
    const message = new RegExp(`^store\\.url: expected (?!.*secret).*${instead}`)
    t.throws(() => parseRedisUrl(url), { name: 'TypeError', message }, url)
  }
  for (const url of ['', 'sqlite', 'postgres://a', 'redis+foo://a']) {
    await t.rejects(
      openStore({ ...PATIENT, url, clock }),
      { name: 'TypeError', message: /^store\.url: expected/ },
      url,
    )
  }
})

t.test("a server that isn't there: StoreUnavailable, soon", async t => {
  const port = await freePort()
  for (const url of [
    `redis://127.0.0.1:${port}`,
    `rediss://127.0.0.1:${port}`,
    `redis+sentinel://127.0.0.1:${port}/mymaster`,
    `redis+cluster://127.0.0.1:${port}`,
  ]) {
    const start = performance.now()
    // By the store's own limit: a patient one takes its time to connect, too.
    await t.rejects(openStore({ url, clock }), StoreUnavailable, url)
    t.ok(performance.now() - start < SOON_MS, url)
  }
})

t.test('a machine so busy that a try to connect ends unheard tries again', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const connecting = connectRedis({ url: server.url, deadlineMs: PATIENT.deadlineMs })
  for (let ticks = 0; ticks < 10; ticks++) {
    await new Promise<void>(resolve => {
      process.nextTick(resolve)
    })
  }
  // The loop is held for longer than a try may take: its timer is seen before the connection is.
  const held = performance.now()
  while (performance.now() - held < 700);
  const client = await connecting
  t.equal(await client.ping(), 'PONG')
  client.disconnect()
})

t.test('the store that the URL names is opened', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  for (const url of ['sqlite::memory:', redis.url]) {
    const { store, addressCounts } = await openStore({
      ...PATIENT,
      url,
      clock,
      redisClock: clock,
    })
    t.equal(
      addressCounts !== undefined,
      url === redis.url,
      'Redis counts requests for all replicas',
    )
    t.equal(await store.now(), clock())
    await store.close()
  }
})

t.test('a name and a password are given to the server', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const admin = await connectRedis({ url: redis.url })
  await admin.call('ACL', 'SETUSER', 'latchkey', 'on', '>s:e/c@ret', '~*', '+@all')
  admin.disconnect()
  const at = redis.url.replace('redis://', '')
  const { store } = await openStore({
    ...PATIENT,
    url: `redis://latchkey:s%3Ae%2Fc%40ret@${at}`,
    clock,
  })
  await store.probe()
  await store.close()
  await t.rejects(
    openStore({ ...PATIENT, url: `redis://latchkey:wrong@${at}`, clock }),
    StoreUnavailable,
  )
})

t.test('an ACL user that may do what docs/reliability.md says, and no more', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const admin = await connectRedis({ url: redis.url })
  t.teardown(() => {
    admin.disconnect()
  })
  for (const line of ACL.trim().replace('PASSWORD', 's:e/c@ret').split('\n')) {
    const [command = '', ...args] = line.split(' ')
    t.equal(await admin.call(command, ...args), 'OK', line)
  }
  const settings = {
    ...PATIENT,
    url: redis.url,
    username: 'latchkey',
    password: 's:e/c@ret',
    clock,
  }
  const { store } = await openStore(settings)
  t.teardown(() => store.close())
  await store.directory.add(someAccount('acl'))
  const ref = await signIn(store, someAccount('acl').tag)
  t.match(await store.families.rotate(presented(ref, 1)), { kind: 'rotated' })
  t.equal((await store.families.list(ref.userTag)).length, 1)
  await store.accessTokens.revoke({ ...ref, jti: 'a', expiresAt: Date.now() + 60_000 })
  await store.probe()
  t.same(
    await risksOf(store),
    ['persistence'],
    "the tests' Redis has no append-only file",
  )
  const listening = { ...settings, recallsChecks: true }
  const deaf = await openStore(listening)
  t.teardown(() => deaf.store.close())
  t.same(await risksOf(deaf.store), ['persistence', 'tracking'])
  await admin.call('ACL', 'SETUSER', 'latchkey', '+subscribe')
  // Behind it: the one that was refused may have tried again just now.
  await admin.call('ACL', 'LOG', 'RESET')
  const hearing = await openStore(listening)
  t.teardown(() => hearing.store.close())
  await until(async () => !(await risksOf(hearing.store)).includes('tracking'))
  t.same(await admin.call('ACL', 'LOG'), [], 'nothing was refused')
  await t.rejects(openStore({ ...settings, password: 'wrong' }), StoreUnavailable)
})

const risksOf = async (store: Store) =>
  (await store.inspect()).map(({ check }) => check).toSorted()

t.test('TLS: the server is proven to us, and we to the server', async t => {
  const port = await freePort()
  const redis = await startRedis({
    args: [
      '--tls-port',
      String(port),
      '--tls-cert-file',
      pem('server'),
      '--tls-key-file',
      pem('server-key'),
      '--tls-ca-cert-file',
      pem('ca'),
    ],
  })
  t.teardown(() => redis.stop())
  const dir = t.testdir({ 'ca.pem': readFileSync(pem('ca')) })
  const caFile = join(dir, 'ca.pem')
  const ours = { certFile: pem('client'), keyFile: pem('client-key') }
  const open = (tls: object) =>
    openStore({ ...PATIENT, url: `rediss://127.0.0.1:${port}`, tls, clock })

  const { store } = await open({ caFile, serverName: 'redis.test', ...ours })
  t.teardown(() => store.close())
  await store.probe()
  await t.rejects(
    openStore({ ...PATIENT, url: `rediss://127.0.0.1:${port}`, clock }),
    StoreUnavailable,
    'an authority that nobody knows',
  )
  await t.rejects(
    open({ caFile, ...ours }),
    StoreUnavailable,
    'a certificate for another name',
  )
  await t.rejects(
    open({ caFile, serverName: 'redis.test' }),
    StoreUnavailable,
    'no certificate of ours',
  )
  await t.rejects(open({ caFile: join(dir, 'nowhere.pem') }), {
    message:
      /^store\.tls\.caFile: expected a file that can be read \(ENOENT\): .*nowhere/,
  })

  // Renewed certificates are read at the next connection; one that is just being replaced is none yet.
  rmSync(caFile)
  t.equal(Object(readTls({ caFile: pem('ca') })).ca, readFileSync(pem('ca'), 'utf8'))
  const admin = await connectRedis({ url: redis.url })
  t.teardown(() => admin.disconnect())
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await t.resolves(
    until(() => store.probe().then(() => true)),
    'connected again',
  )
})

t.test(
  "a cluster's node that is silent for less than the deadline is waited for",
  async t => {
    const redis = await startRedis({ cluster: true })
    t.teardown(() => redis.stop())
    const { store } = await openStore({
      ...PATIENT,
      url: `redis+cluster://127.0.0.1:${redis.port}`,
      clock,
    })
    t.teardown(() => store.close())
    await store.probe()
    await runChild('redis-cli', [
      '-p',
      String(redis.port),
      'client',
      'pause',
      '2000',
      'all',
    ])
    await t.resolves(store.probe())
  },
)

t.test('TLS to a cluster', async t => {
  const port = await freePort()
  const redis = await startRedis({
    cluster: true,
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
      'no',
      '--tls-cluster',
      'yes',
    ],
  })
  t.teardown(() => redis.stop())
  const { store } = await openStore({
    ...PATIENT,
    url: `rediss+cluster://localhost:${port}`,
    tls: { caFile: pem('ca'), serverName: 'redis.test' },
    clock,
  })
  t.teardown(() => store.close())
  await store.probe()
})

t.test(
  'Sentinel: with passwords of its own, and a primary that turned replica is left',
  async t => {
    const redis = await startRedis({ args: ['--requirepass', 'primary-password'] })
    t.teardown(() => redis.stop())
    const sentinel = await startSentinel(
      redis.port,
      'primary-password',
      'sentinel-password',
    )
    t.teardown(() => sentinel.stop())
    const url = `redis+sentinel://:primary-password@127.0.0.1:${sentinel.port}/mymaster`
    for (const username of [undefined, 'default']) {
      const { store } = await openStore({
        ...PATIENT,
        url,
        sentinel: { username, password: 'sentinel-password' },
        clock,
      })
      t.teardown(() => store.close())
      await store.probe()
    }

    const ask = async (...command: string[]) =>
      (
        await runChild('redis-cli', [
          '-p',
          String(sentinel.port),
          '-a',
          'sentinel-password',
          ...command,
        ])
      ).stdout
    const listening = async () =>
      (await ask('client', 'list', 'type', 'pubsub')).match(/ sub=1 /g)?.length ?? 0
    t.ok(await until(async () => (await listening()) >= 2), 'both hear of a failover')
    await ask('client', 'kill', 'type', 'pubsub')
    t.ok(
      await until(async () => (await listening()) >= 2),
      'and again once their connections were cut',
    )

    await t.rejects(
      openStore({ url, clock }),
      { name: StoreUnavailable.name, message: /NOAUTH/ },
      'without a password of the sentinel',
    )
    await t.rejects(
      openStore({ url, sentinel: { username: 'nobody', password: 'x' }, clock }),
      { name: StoreUnavailable.name, message: /WRONGPASS/ },
      "a user that the sentinel doesn't know",
    )
  },
)

t.test(
  'Sentinel: one that takes connections and never answers is nothing for the console',
  async t => {
    const said = t.capture(console, 'error')
    const redis = await startRedis({ args: ['--requirepass', 'primary-password'] })
    t.teardown(() => redis.stop())
    const sentinel = await startSentinel(
      redis.port,
      'primary-password',
      'sentinel-password',
    )
    t.teardown(() => sentinel.stop())
    const silent = createServer().listen(0, '127.0.0.1')
    const accepted = once(silent, 'connection')
    await once(silent, 'listening')
    t.teardown(() => silent.close())
    const { port } = Object(silent.address())
    const { store } = await openStore({
      ...PATIENT,
      url: `redis+sentinel://:primary-password@127.0.0.1:${sentinel.port},127.0.0.1:${port}/mymaster`,
      sentinel: { password: 'sentinel-password' },
      clock,
    })
    const [socket] = await accepted
    t.teardown(() => socket.destroy())
    await wait(1500)
    await store.close()
    t.same(
      said().map(({ args }) => args),
      [],
    )
  },
)

t.test(
  'Sentinel: a failover that is told of again, or of another primary, cuts nobody off',
  async t => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const sentinel = await startFakeSentinel(t, redis.port)
    const client = await connectRedis({
      url: `redis+sentinel://127.0.0.1:${sentinel.port}/mymaster`,
    })
    t.teardown(() => client.disconnect())
    let cuts = 0
    client.on('close', () => {
      cuts += 1
    })
    t.ok(await until(() => sentinel.listeners() === 1))
    sentinel.tell(`mymaster 127.0.0.1 1 127.0.0.1 ${redis.port}`)
    sentinel.tell(`other 127.0.0.1 ${redis.port} 127.0.0.1 1`)
    await wait(300)
    t.equal(cuts, 0)
    sentinel.tell(`mymaster 127.0.0.1 ${redis.port} 127.0.0.1 1`)
    t.ok(await until(() => cuts > 0), 'one that went elsewhere does')
  },
)

t.test('TLS to Sentinel is TLS to the sentinels, too', async t => {
  const client = createClient({
    url: 'rediss+sentinel://127.0.0.1/mymaster',
    tls: { serverName: 'redis.test' },
  })
  t.match(client.options, {
    enableTLSForSentinelMode: true,
    sentinelTLS: { servername: 'redis.test' },
    tls: { servername: 'redis.test' },
  })
})

t.test('it waits longer each time, with jitter, and never above its bound', async t => {
  for (const times of [1, 2, 3, 5, 10, 1000]) {
    const waits = Array.from({ length: 50 }, () => retryStrategy(times))
    t.ok(
      waits.every(wait => wait >= 12 && wait <= 500),
      `attempt ${times}`,
    )
    t.ok(new Set(waits).size > 40, 'jitter')
  }
  t.ok(retryStrategy(1) < retryStrategy(10))
})

t.test(
  'a primary that became a replica, or still loads, is left for another connection',
  async t => {
    t.equal(
      reconnectOnError(
        new Error("READONLY You can't write against a read only replica."),
      ),
      true,
    )
    t.equal(
      reconnectOnError(new Error('LOADING Redis is loading the dataset in memory')),
      true,
    )
    t.equal(
      reconnectOnError(
        new Error(
          'ERR Error running script (call to f_0f): @user_script:1: @user_script: 1: -READONLY You ' +
            "can't write against a read only replica.",
        ),
      ),
      true,
      'as Redis 6.2 has it',
    )
    t.equal(reconnectOnError(new Error('OOM command not allowed')), false)
  },
)

t.test(
  'a process ends with its connection to a cluster, whatever that was at',
  async t => {
    const redis = await startRedis({ cluster: true })
    t.teardown(() => redis.stop())
    const { href } = new URL(
      '../../src/stores/redis/connection/connect.ts',
      import.meta.url,
    )
    // Ended while it asks who has which slots, which Redis doesn't let it.
    const script = `
    const { connectRedis } = await import(process.env.CONNECT)
    const client = await connectRedis({ url: process.env.STORE })
    client.once('node error', () => client.disconnect())
    await client.nodes()[0].call('ACL', 'SETUSER', 'default', '-cluster|slots')
  `
    const env = { ...process.env, CONNECT: href, STORE: redis.url }
    const args = ['--input-type=module', '--eval', script]
    await t.resolves(runChild(process.execPath, args, { env, timeout: SOON_MS }))
  },
)
