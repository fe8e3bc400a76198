// Connections of the real process, spoken to in plain bytes: slow and silent clients, requests that are too
// large, and what a stop does to each.
import t from 'tap'
import { openRaw } from '../support/raw-connection.ts'
import { SOON_MS, until } from '../support/until.ts'
import {
  startLatchkey,
  STORES,
  type ConfigText,
  type LatchkeyProcess,
} from '../support/server.ts'

const REQUEST_TIMEOUT_MS = 1_000
const POST =
  'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n'
const GET = 'GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n'

async function start(http: ConfigText): Promise<LatchkeyProcess> {
  const [sqlite] = STORES
  const store = await sqlite?.make()
  const server = await startLatchkey({ storeUrl: store?.url ?? '', addUser: false, http })
  t.teardown(async () => {
    await server.stop()
    await store?.remove()
  })
  return server
}

t.test('slow and silent clients, and requests that can not be read', async t => {
  const server = await start({ requestTimeout: `${REQUEST_TIMEOUT_MS}ms` })
  // A busy machine may need longer than that to read a request.
  const patient = await start({ requestTimeout: '60s' })

  t.test(
    'a client that sends its request byte by byte is answered 408 soon after the time-out, others ' +
      'are served meanwhile',
    async t => {
      const began = performance.now()
      const slow = {
        headers: await openRaw(server, POST),
        body: await openRaw(server, `${POST}Content-Length: 1000\r\n\r\n`),
        nothing: await openRaw(server),
      }
      const drip = setInterval(() => {
        slow.headers.send('X: y\r\n')
        slow.body.send('a')
      }, 50)
      t.equal((await fetch(`${server.url}/.well-known/jwks.json`)).status, 200)
      for (const [name, client] of Object.entries(slow)) {
        const after = (await client.closed) - began
        t.ok(
          after >= REQUEST_TIMEOUT_MS * 0.9 && after < REQUEST_TIMEOUT_MS + SOON_MS,
          `${name}: closed after ${Math.round(after)} ms`,
        )
        t.match(
          client.answer(),
          {
            status: 408,
            headers: [
              'content-type: application/json; charset=utf-8',
              /^content-length/,
              'cache-control: no-store',
              'connection: close',
            ],
            body: { error: 'invalid_request', error_description: /too long/ },
          },
          name,
        )
      }
      clearInterval(drip)
      t.equal((await fetch(`${server.url}/.well-known/jwks.json`)).status, 200)
    },
  )

  t.test(
    'what is no HTTP, or has headers beyond 16 KiB, is refused as an OAuth error',
    async t => {
      for (const [bytes, status] of [
        ['nonsense\r\n\r\n', 400],
        [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`, 431],
      ] as const) {
        const client = await openRaw(patient, bytes)
        await client.closed
        t.match(client.answer(), {
          status,
          body: { error: 'invalid_request', error_description: String },
        })
      }
    },
  )

  t.test('a body may have 16 KiB and no more, told beforehand or not', async t => {
    const body = (bytes: number) => 'client_id=mobile&x='.padEnd(bytes, 'y')
    const chunked = (text: string) =>
      `Transfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
    const rows = [
      ['16 KiB', `Content-Length: 16384\r\n\r\n${body(16_384)}`, 400, /grant_type/],
      ['16 KiB in chunks', chunked(body(16_384)), 400, /grant_type/],
      ['a byte more', `Content-Length: 16385\r\n\r\n${body(16_385)}`, 413, /too large/],
      ['a byte more in chunks', chunked(body(16_385)), 413, /too large/],
      [
        'a gigabyte that never comes',
        'Content-Length: 1073741824\r\n\r\n',
        413,
        /too large/,
      ],
    ] as const
    for (const [name, rest, status, description] of rows) {
      const client = await openRaw(patient, POST + rest)
      await until(() => client.answer().body !== undefined)
      t.match(
        client.answer(),
        { status, body: { error: 'invalid_request', error_description: description } },
        name,
      )
    }
  })
})

t.test('the log says when an address has too many connections', async t => {
  const server = await start({ maxConnectionsPerAddress: 3 })
  const clients = await Promise.all(Array.from({ length: 4 }, () => openRaw(server)))
  await Promise.race(clients.map(({ closed }) => closed))
  t.match(JSON.parse(await server.logged(/connections of an address are refused/)), {
    listener: 'public',
    reason: 'connections_of_address_full',
    address: '127.0.0.1',
    msg: /http\.trustedProxies/,
  })
  for (const client of clients) client.destroy()
})

t.test('a stop waits for requests in flight and for nothing else', async t => {
  const server = await start({ closeGrace: '100s' })
  const [kept, silent, late] = [
    await openRaw(server, GET),
    await openRaw(server),
    await openRaw(server, `${POST}Expect: 100-continue\r\nContent-Length: 16\r\n\r\n`),
  ]
  // Whoever was told to go on was seen: only then is its request in flight.
  await until(() => kept.answer().status === 200 && late.answer().status === 100)
  const began = performance.now()
  const stopped = server.stop()
  for (const [name, client] of [
    ['kept alive', kept],
    ['silent', silent],
  ] as const) {
    t.ok((await client.closed) - began < SOON_MS, `${name}: closed at once`)
  }
  t.notOk(silent.answer().status, 'and told nothing')
  t.equal(await fetch(`${server.managementUrl}/readyz`).then(({ status }) => status), 503)
  await t.rejects(fetch(server.url), 'no new connections')
  late.send('client_id=mobile')
  await late.closed
  t.match(
    late.answer(),
    {
      status: 400,
      headers: /connection: close/,
      body: { error_description: /grant_type/ },
    },
    'a request that was begun is answered, and its connection ends',
  )
  t.equal(await stopped, 0)
  t.ok(performance.now() - began < SOON_MS, 'long before the grace ends')
})

t.test(
  'a request that hangs is cut off when the grace ends, and the exit code is 0',
  async t => {
    const server = await start({ closeGrace: '1s' })
    const hanging = [
      await openRaw(server, `${POST}Content-Length: 16\r\n\r\nclient`),
      await openRaw(server, POST),
    ]
    // The process has seen both when it answers a later one.
    t.equal((await fetch(`${server.url}/.well-known/jwks.json`)).status, 200)
    const began = performance.now()
    t.equal(await server.stop(), 0)
    const took = performance.now() - began
    t.ok(took > 900 && took < SOON_MS, `${Math.round(took)} ms`)
    for (const client of hanging) {
      await client.closed
      t.notOk(client.answer().status, 'cut off without an answer')
    }
  },
)
