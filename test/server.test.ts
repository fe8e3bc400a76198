// startServer in this process: what it opens, what it leaves behind when it can't start, its timers, and the
// management port.
import { mock } from 'node:test'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Config } from '../src/config/schema.ts'
import { startServer } from '../src/server.ts'
import { freePort } from './support/free-port.ts'
import { configOf, startInProcess } from './support/in-process.ts'
import { startRedis } from './support/redis.ts'
import {
  addUser,
  CLIENTS,
  ORDERS,
  PASSWORD,
  postForm,
  STORES,
  USER,
} from './support/server.ts'
import { notePending } from './support/stores.ts'
import { until } from './support/until.ts'

async function get(url: string, method = 'GET') {
  const answer = await fetch(url, { method })
  const text = await answer.text()
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    allow: answer.headers.get('allow'),
    text,
    body: text.startsWith('{') ? JSON.parse(text) : undefined,
  }
}

/** A port that somebody else listens on. */
async function takenPort(t: Test): Promise<number> {
  const port = await freePort()
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
  })
  return port
}

const loginAs = (url: string, clientId: string) =>
  postForm(`${url}/token`, {
    grant_type: 'password',
    client_id: clientId,
    username: USER,
    password: PASSWORD,
  })

t.test(
  'probes and metrics are on the management port alone, the endpoints on the public one',
  async t => {
    const server = await startInProcess(t, {
      config: configOf('sqlite::memory:', {
        http: { host: '127.0.0.1', port: 0, docs: true },
      }),
    })
    t.strictSame((await get(`${server.managementUrl}/livez`)).body, { status: 'ok' })
    t.match(await get(`${server.managementUrl}/readyz`), {
      status: 200,
      body: { status: 'ready', store: 'ok' },
    })
    await loginAs(server.url, 'nobody')
    const { status, type, text } = await get(`${server.managementUrl}/metrics`)
    t.equal(status, 200)
    t.match(type, /^text\/plain; version=0\.0\.4/)
    t.match(
      text,
      /^latchkey_http_request_duration_seconds_count\{method="POST",route="\/token",status="401"\} 1$/m,
    )
    t.match(
      text,
      /^latchkey_audit_events_total\{type="client.refused",reason="client_unknown"\} 1$/m,
    )
    t.match(text, /^latchkey_store_up 1$/m)

    for (const path of ['/livez', '/readyz', '/metrics']) {
      t.match(
        await get(server.url + path),
        { status: 404, body: { error: 'not_found' } },
        `${path} on the public port`,
      )
    }
    for (const path of [
      '/.well-known/jwks.json',
      '/.well-known/oauth-authorization-server',
      '/userinfo',
      '/docs',
      '/openapi.json',
    ]) {
      t.not((await get(server.url + path)).status, 404, path)
      t.match(
        await get(server.managementUrl + path),
        { status: 404, body: { error: 'not_found' } },
        `${path} on the management port`,
      )
    }
    for (const path of ['/token', '/introspect', '/revoke']) {
      t.match(
        await get(server.managementUrl + path, 'POST'),
        { status: 404, body: { error: 'not_found' } },
        `${path} on the management port`,
      )
    }
    t.match(await get(`${server.managementUrl}/readyz`, 'POST'), {
      status: 405,
      allow: 'GET, HEAD',
    })
  },
)

t.test('pages that nobody asked for are not served', async t => {
  const { url } = await startInProcess(t, { config: configOf('sqlite::memory:') })
  for (const path of [
    '/docs',
    '/docs/',
    '/docs/static/index.html',
    '/docs/static/swagger-ui-bundle.js',
    '/docs/json',
    '/docs/yaml',
    '/openapi.json',
  ]) {
    t.match(await get(url + path), { status: 404, body: { error: 'not_found' } }, path)
  }
  const { text } = await get(`${url}/.well-known/oauth-authorization-server`)
  t.notMatch(text, 'service_documentation', 'nor named')
})

t.test('the two listeners hold requests to their time-outs', async t => {
  const { app } = await startInProcess(t, {
    config: configOf('sqlite::memory:', {
      http: { host: '127.0.0.1', port: 0, requestTimeout: '30s' },
    }),
  })
  t.match(
    { request: app.server.requestTimeout, headers: app.server.headersTimeout },
    { request: 30_000, headers: 10_000 },
  )
})

t.test('another configuration takes effect at once', async t => {
  const [sqlite] = STORES
  const store = await sqlite?.make()
  t.teardown(() => store?.remove())
  await addUser(store?.url ?? '')
  const config = configOf(store?.url ?? '')
  const server = await startInProcess(t, { config })
  t.match(await loginAs(server.url, 'tablet'), {
    status: 401,
    body: { error: 'invalid_client' },
  })
  const seen = server.lines.length
  t.ok(seen > 0)

  server.apply(
    configOf(store?.url ?? '', {
      clients: [{ ...CLIENTS[0], id: 'tablet' }],
      tokens: { accessTtl: '7m' },
      throttle: { perAddress: { max: 3 } },
      audiences: { [ORDERS]: { typ: 'JWT' } },
      log: { level: 'silent' },
    }),
  )
  const { status, body } = await loginAs(server.url, 'tablet')
  t.equal(status, 200)
  t.equal(body.expires_in, 420)
  t.match(
    Buffer.from(body.access_token.split('.')[0], 'base64url').toString(),
    '"typ":"JWT"',
  )
  t.match(await loginAs(server.url, 'mobile'), {
    status: 401,
    body: { error: 'invalid_client' },
  })
  t.match(await loginAs(server.url, 'tablet'), {
    status: 429,
    body: { error: 'slow_down' },
  })
  t.same(
    server.lines.slice(seen).map(line => JSON.parse(line).audit?.type),
    ['login.succeeded', 'client.refused'],
    'and the log is silent, but for the audit log',
  )
})

t.test('a server that drains is not ready, and answers', async t => {
  const store = await STORES[0]?.make()
  t.teardown(() => store?.remove())
  const server = await startInProcess(t, {
    config: configOf(store?.url ?? '', {
      http: { host: '127.0.0.1', port: 0, drainDelay: '3s' },
    }),
  })
  t.equal((await fetch(server.url)).headers.get('connection'), 'keep-alive')
  const before = performance.now()
  const closed = server.close()
  t.match(await get(`${server.managementUrl}/readyz`), {
    status: 503,
    body: { status: 'not ready' },
  })
  const answer = await fetch(server.url)
  t.equal(answer.status, 200, 'it answers')
  t.equal(
    answer.headers.get('connection'),
    'close',
    'no request comes upon a connection that is about to close',
  )
  await closed
  t.ok(performance.now() - before >= 2_990)
})

t.test('a file that does not take the audit log costs no login', async t => {
  const store = await STORES[0]?.make()
  t.teardown(() => store?.remove())
  await addUser(store?.url ?? '')
  const server = await startInProcess(t, {
    config: configOf(store?.url ?? '', { audit: { to: '/dev/full' } }),
  })
  t.equal((await loginAs(server.url, 'mobile')).status, 200)
  t.match(
    server.lines
      .map(line => JSON.parse(line))
      .filter(({ msg }) => msg === 'audit')
      .map(({ audit }) => audit.type),
    ['keys.changed', 'login.succeeded'],
    'its lines are among the others',
  )
  t.match(
    server.lines.find(line => line.includes('audit.to does not take')),
    /ENOSPC/,
  )
  t.match(
    (await get(`${server.managementUrl}/metrics`)).text,
    /^latchkey_audit_faults_total 2$/m,
  )
  await t.rejects(
    startServer({
      config: configOf(store?.url ?? '', { audit: { to: '/dev/null/audit.log' } }),
    }),
    { code: 'ENOTDIR' },
  )
})

t.test(
  'a store that fails later shows in the body and in a metric, and leaves the server ready',
  async t => {
    mock.timers.enable({ apis: ['setInterval'] })
    t.teardown(() => mock.timers.reset())
    const file = join(t.testdir(), 'latchkey.db')
    const server = await startInProcess(t, { config: configOf(`sqlite:${file}`) })
    const look = async () => {
      const { status, body } = await get(`${server.managementUrl}/readyz`)
      return {
        status,
        store: body.store,
        up: /^latchkey_store_up (\d)$/m.exec(
          (await get(`${server.managementUrl}/metrics`)).text,
        )?.[1],
      }
    }
    const beside = new DatabaseSync(file)
    t.teardown(() => beside.close())

    // Somebody else holds the write lock: reads go on, writes fail.
    beside.exec('BEGIN IMMEDIATE')
    mock.timers.tick(5_000)
    await until(async () => (await look()).up === '0')
    t.strictSame(await look(), { status: 200, store: 'failing', up: '0' })
    t.equal(
      (await get(`${server.url}/.well-known/jwks.json`)).status,
      200,
      'the keys are served from memory',
    )
    beside.exec('ROLLBACK')
    mock.timers.tick(5_000)
    await until(async () => (await look()).up === '1')
    t.strictSame(await look(), { status: 200, store: 'ok', up: '1' })
    mock.timers.tick(5_000)
    t.strictSame(
      server.lines
        .map(line => JSON.parse(line))
        .filter(({ level }) => level === 40)
        .map(({ msg }) => msg),
      [
        "the store takes no writes: another process holds SQLite's file for over a second",
        'the store takes writes again',
      ],
      'each change is told once',
    )

    beside.exec('ALTER TABLE documents RENAME TO elsewhere')
    mock.timers.tick(55_000)
    await until(() =>
      server.lines.some(line => line.includes('the key ring could not be checked')),
    )
    t.ok(
      server.lines.some(line =>
        /"level":50.*the key ring could not be checked/.test(line),
      ),
    )
    t.equal(
      (await get(`${server.url}/.well-known/jwks.json`)).body.keys.length,
      2,
      'the ring in memory stays',
    )
  },
)

t.test(
  'an issuer in the clear starts where it is allowed, and the log warns',
  async t => {
    const file = join(t.testdir(), 'latchkey.db')
    const warningsOf = async (settings: Record<string, unknown>) => {
      const server = await startInProcess(t, {
        config: configOf(`sqlite:${file}`, settings),
      })
      await server.close()
      return server.lines
        .map(line => JSON.parse(line))
        .filter(({ level, msg }) => level === 40 && /PLAIN HTTP/.test(msg))
        .map(({ msg }) => msg)
    }
    t.match(await warningsOf({ issuer: 'http://latchkey:3000', allowHttp: true }), [
      /the issuer http:\/\/latchkey:3000 is not https \(allowHttp\): .*For trying out only/,
    ])
    t.same(await warningsOf({ issuer: 'https://id.example.com', allowHttp: true }), [])
  },
)

t.test("the files of SQLite are their owner's alone", async t => {
  const file = join(t.testdir(), 'made', 'latchkey.db')
  await startInProcess(t, { config: configOf(`sqlite:${file}`) })
  for (const path of [file, `${file}-wal`, `${file}-shm`]) {
    t.equal(statSync(path).mode & 0o777, 0o600, path)
  }
  t.equal(statSync(dirname(file)).mode & 0o777, 0o700)
})

for (const { name, make } of STORES) {
  t.test(`a start that fails leaves nothing running: ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const fails = async (config: Config, error: object) =>
      t.match(
        await startServer({ config, logStream: { write: () => {} } }).then(
          () => 'started',
          error => error,
        ),
        error,
      )
    const first = await startServer({
      config: configOf(store.url),
      logStream: { write: () => {} },
    })
    await first.close()
    await first.close()
    t.pass('closing twice is harmless')

    await fails(
      configOf(store.url, { http: { host: '127.0.0.1', port: await takenPort(t) } }),
      { code: 'EADDRINUSE' },
    )
    const port = await freePort()
    await fails(
      configOf(store.url, {
        http: { host: '127.0.0.1', port },
        management: { host: '127.0.0.1', port: await takenPort(t) },
      }),
      { code: 'EADDRINUSE' },
    )
    await t.rejects(
      fetch(`http://127.0.0.1:${port}`),
      'the public listener is closed again',
    )
    await fails(configOf(store.url, { secrets: ['o'.repeat(43)] }), { message: /secret/ })
    await fails(
      configOf(
        name === 'Redis'
          ? `redis://127.0.0.1:${await freePort()}`
          : `${store.url}/below/a/file.db`,
      ),
      { name: 'StoreUnavailable' },
    )
    if (name === 'Redis') {
      const isAlone = async () => (await connectionsTo(store.url)) === 1
      t.ok(await until(isAlone), 'no connection but the one that asks')
    } else {
      t.doesNotThrow(
        () => exclusively(store.url.slice('sqlite:'.length)),
        'nobody holds the file',
      )
    }
  })
}

async function connectionsTo(url: string): Promise<number> {
  const client = new Redis(url)
  try {
    return String(await client.client('LIST'))
      .trim()
      .split('\n').length
  } finally {
    client.disconnect()
  }
}

/** Fails when anybody else has the file open. */
function exclusively(file: string): void {
  const db = new DatabaseSync(file)
  try {
    db.exec(
      'PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT; PRAGMA journal_mode = DELETE',
    )
  } finally {
    db.close()
  }
}

t.test(
  'on Redis, a server that went away fails the requests and not the process',
  async t => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const server = await startInProcess(t, { config: configOf(redis.url) })
    await redis.stop()
    t.match(await loginAs(server.url, 'mobile'), {
      status: 503,
      body: { error: 'temporarily_unavailable' },
    })
    t.equal((await get(`${server.managementUrl}/readyz`)).status, 200)
  },
)

t.test('what users have deleted is erased though they may delete no more', async t => {
  const { core } = await startInProcess(t, { config: configOf('sqlite::memory:') })
  const { accounts, settings, store } = core
  t.equal(settings.selfService.account, false)
  const someone = { password: PASSWORD, roles: [], scopes: null }
  for (const name of ['gone', 'here']) await accounts.add({ ...someone, name })
  const { tag = '' } = (await accounts.find('gone')) ?? {}
  await notePending(store.directory, tag, { deleteAt: 1 })
  await until(async () => (await accounts.find('gone')) === undefined)
  t.ok(await accounts.find('here'), 'and nobody else')
})
