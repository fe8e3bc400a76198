// A listener's connections: pipelined requests, clients that don't read, and bounds on how many there are.
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { placeOf } from '../../src/http/listener/connection-bounds.ts'
import { MAX_WAITING } from '../../src/http/listener/pipelining.ts'
import { createConnectionWatch } from '../../src/observe/connections.ts'
import { createMetrics } from '../../src/observe/metrics/metrics.ts'
import { CONNECTION_REASONS } from '../../src/base/events/reasons.ts'
import { buildTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'
import { openRaw, type RawConnection } from '../support/raw-connection.ts'
import { askUntil, until } from '../support/until.ts'

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`
const KEYS = get('/.well-known/jwks.json')
// More than the kernel takes of an answer that nobody reads.
const LARGE = get('/docs/static/swagger-ui-bundle.js').repeat(8)

async function listening(t: Test, options: TestAppOptions = {}) {
  const server = await buildTestApp(options)
  t.teardown(() => server.close())
  await server.app.listen({ host: '127.0.0.1', port: 0 })
  const url = server.app.listeningOrigin
  return { ...server, url, port: Number(new URL(url).port) }
}

/** How many connections were cut for this reason, or how many are open. */
async function counted({ metrics }: TestApp, what: string): Promise<number> {
  const line = (await metrics.render())
    .split('\n')
    .find(text => text.includes('listener="public"') && text.includes(what))
  return Number(line?.split(' ').at(-1))
}

/** Holds up what the families do until it is released. */
function gateAt({ store }: TestApp) {
  const gate = Promise.withResolvers<void>()
  const begun: string[] = []
  const { end } = store.families
  Object.assign(store.families, {
    end: async (...args: Parameters<typeof end>) => {
      begun.push('end')
      await gate.promise
      return end(...args)
    },
  })
  return { begun, open: gate.resolve }
}

/** Asks with a connection that is free again afterwards. */
async function statusOf(url: string): Promise<number> {
  const answer = await fetch(url)
  await answer.arrayBuffer()
  return answer.status
}

const statuses = (client: RawConnection) =>
  [...client.text().matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))

t.test('pipelined requests are answered one after the other, in their order', async t => {
  const server = await listening(t)
  const gate = gateAt(server)
  const { refresh_token: token } = await server.login()
  const body = `client_id=mobile&token=${token}`
  const revoke =
    'POST /revoke HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n' +
    `content-length: ${body.length}\r\n\r\n${body}`
  const client = await openRaw(
    server,
    revoke + get('/none') + KEYS + revoke + get('/userinfo'),
  )
  await until(() => gate.begun.length === 1)
  // The process answers others meanwhile, and has read all of the first one's.
  t.equal(await statusOf(`${server.url}/.well-known/jwks.json`), 200)
  t.strictSame(gate.begun, ['end'], 'the second one waits')
  t.strictSame(statuses(client), [])
  gate.open()
  await until(() => statuses(client).length === 5)
  t.strictSame(statuses(client), [200, 404, 200, 200, 401])
  client.destroy()
})

t.test('as many as may wait are answered, and whoever sends more is cut off', async t => {
  const server = await listening(t)
  const many = await openRaw(server, KEYS.repeat(MAX_WAITING + 1))
  await until(() => statuses(many).length === MAX_WAITING + 1)
  t.equal(await counted(server, 'pipelined_too_many'), 0)
  many.destroy()
  const tooMany = await openRaw(server, KEYS.repeat(2_000))
  await tooMany.closed
  t.ok(statuses(tooMany).length <= 1, 'what waited is not worked on')
  t.equal(await counted(server, 'pipelined_too_many'), 1, 'and counts once')
})

t.test('what can not be read never lands within the answer before', async t => {
  const server = await listening(t)
  const gate = gateAt(server)
  const { refresh_token: token } = await server.login()
  const body = `client_id=mobile&token=${token}`
  const client = await openRaw(
    server,
    'POST /revoke HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n' +
      `content-length: ${body.length}\r\n\r\n${body}`,
  )
  await until(() => gate.begun.length === 1)
  client.send('nonsense\r\n\r\n')
  await client.closed
  t.equal(client.text(), '', 'it would pass for the answer')
  gate.open()
})

t.test('a client that leaves has none of its waiting requests worked on', async t => {
  const server = await listening(t)
  const gate = gateAt(server)
  const { refresh_token: token } = await server.login()
  const body = `client_id=mobile&token=${token}`
  const client = await openRaw(
    server,
    'POST /revoke HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n' +
      `content-length: ${body.length}\r\n\r\n${body}${get('/waiting')}`,
  )
  await until(() => gate.begun.length === 1)
  client.reset()
  await until(async () => (await counted(server, 'latchkey_connections{')) === 0)
  gate.open()
  t.equal(await statusOf(`${server.url}/userinfo`), 401)
  t.notOk(server.lines.some(line => /"status":404/.test(line)))
})

t.test('an answer that nobody reads', async t => {
  const server = await listening(t, {
    maxInFlight: 1,
    // Beyond what a busy machine takes for an answer.
    answerTimeout: 5_000,
    requestTimeout: 3_000,
  })

  t.test(
    'holds no place, has no deadline, and is cut off once it stands still',
    async t => {
      const client = await openRaw(server)
      client.stopReading()
      client.send(LARGE)
      // Each answer has the only place while it is made, which is before it stands still.
      const isFree = async () => {
        for (let i = 0; i < 10; i++) {
          if ((await statusOf(`${server.url}/userinfo`)) !== 401) return false
        }
        return true
      }
      await until(isFree)
      t.equal(await counted(server, 'write_stalled'), 0, 'free while it stands still')
      await until(async () => (await counted(server, 'write_stalled')) === 1)
      client.destroy()
    },
  )

  t.test('neither do bytes that the client goes on sending keep it', async t => {
    const before = await counted(server, 'latchkey_connections{')
    const client = await openRaw(server)
    client.stopReading()
    client.send(LARGE)
    const isOpen = async () => (await counted(server, 'latchkey_connections{')) > before
    await until(isOpen)
    const drip = setInterval(() => client.send('GET /dripping HTTP/1.1\r\nx: y\r\n'), 100)
    t.teardown(() => clearInterval(drip))
    await until(async () => !(await isOpen()))
    client.destroy()
  })

  t.test('and leaves no fault in the log', async t => {
    t.strictSame(
      server.lines.filter(line => JSON.parse(line).level >= 50),
      [],
    )
    t.notOk(server.lines.some(line => /ERR_HTTP_HEADERS_SENT|answer_too_late/.test(line)))
  })
})

t.test('a slow download ends whole, however long it takes', async t => {
  const server = await listening(t, { answerTimeout: 200, requestTimeout: 5_000 })
  const url = `${server.url}/docs/static/swagger-ui-bundle.js`
  // A busy machine may take longer than that deadline to begin.
  const answer = await askUntil(
    () => fetch(url),
    ({ status }) => status === 200,
  )
  const before = server.lines.length
  const reader = answer.body?.getReader()
  const began = performance.now()
  let bytes = 0
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done) break
    bytes += value?.length ?? 0
    // Slower than the deadline of an answer, never standing still.
    if (performance.now() - began < 1_000) await wait(50)
  }
  t.equal(bytes, Number(answer.headers.get('content-length')))
  t.notOk(server.lines.slice(before).some(line => JSON.parse(line).level >= 40))
})

t.test('bounds on the connections', async t => {
  const server = await listening(t, {
    maxConnections: 5,
    maxConnectionsPerAddress: 2,
    trustedProxies: ['127.0.0.9'],
  })
  const { port } = server
  const isOpen = async (client: RawConnection) => {
    client.send(KEYS)
    let isClosed = false
    client.closed.then(() => {
      isClosed = true
    })
    await until(() => isClosed || statuses(client).length > 0)
    return statuses(client).length > 0
  }
  const open = async (from: string) => {
    const client = await openRaw({ port, from })
    t.teardown(() => client.destroy())
    return { client, isOpen: await isOpen(client) }
  }

  const first = await open('127.0.0.2')
  t.ok(first.isOpen)
  t.ok((await open('127.0.0.2')).isOpen)
  t.notOk((await open('127.0.0.2')).isOpen, 'one address has no more than its share')
  t.equal(await counted(server, 'connections_of_address_full'), 1)
  for (let i = 0; i < 3; i++) {
    t.ok((await open('127.0.0.9')).isOpen, 'a proxy of ours has no share')
  }
  t.notOk((await open('127.0.0.9')).isOpen, 'but the sum is bounded for all')
  t.notOk((await open('127.0.0.3')).isOpen)
  t.equal(await counted(server, 'connections_full'), 2)
  t.equal(await counted(server, 'latchkey_connections{'), 5)
  first.client.destroy()
  await until(async () => (await counted(server, 'latchkey_connections{')) === 4)
  t.ok((await open('127.0.0.2')).isOpen, 'a connection that ends gives its place back')
})

t.test('a kept-alive connection that nobody uses any more is closed', async t => {
  const server = await listening(t)
  server.app.server.keepAliveTimeout = 100
  const client = await openRaw(server, KEYS)
  await until(() => statuses(client).length === 1)
  await client.closed
  t.strictSame(statuses(client), [200])
  await until(async () => (await counted(server, 'latchkey_connections{')) === 0)
  for (const reason of CONNECTION_REASONS) {
    t.equal(await counted(server, reason), 0, `${reason}: it is no cut`)
  }
})

t.test('what counts as one caller', async t => {
  for (const [address, place] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::1', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['2001:db8:1::', '2001:db8:1:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ] as const) {
    t.equal(placeOf(address), place, address)
  }
})

t.test('the log says once a minute that connections are cut, and why', async t => {
  let now = 0
  const lines: object[] = []
  const log: { now?: { warn(fields: object, message: string): void } } = {}
  const watch = createConnectionWatch({
    listener: 'management',
    counts: createMetrics().connections('management'),
    log: () => log.now,
    clock: () => now,
  })
  watch.cut('connections_full', '192.0.2.1')
  t.strictSame(lines, [], 'before there is a log it is only counted')
  now = 60_000
  log.now = { warn: (fields, message) => lines.push({ ...fields, message }) }
  watch.cut('connections_full', '192.0.2.1')
  watch.cut('connections_full', '192.0.2.2')
  watch.cut('connections_of_address_full', '192.0.2.2')
  now = 120_000
  watch.cut('connections_full', '192.0.2.3')
  t.match(lines, [
    {
      listener: 'management',
      reason: 'connections_full',
      address: '192.0.2.1',
      message: /maxConnections/,
    },
    { reason: 'connections_of_address_full', message: /http\.trustedProxies/ },
    { reason: 'connections_full', address: '192.0.2.3' },
  ])
  t.equal(lines.length, 3)
})
