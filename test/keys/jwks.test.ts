// What verifiers are sent, and what becomes of tokens whose key has gone: the real server, its clock moved by
// hand.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { LIFE_MS } from '../../src/keys/known-secrets.ts'
import { API_SECRET, buildTestApp, MAIL, ORDERS } from '../support/app.ts'

const URL = '/.well-known/jwks.json'
const DAY = 86_400_000
const part = (token: string, index: number) =>
  JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString())

async function serverOf(t: Test, options = {}) {
  const server = await buildTestApp(options)
  t.teardown(() => server.close())
  // The first two seconds after a turn nothing may be kept.
  server.clock.advance(5_000)
  return server
}

t.test('the keys come with a strong tag, and 304 when they are known', async t => {
  const { app, keys } = await serverOf(t)
  const first = await app.inject(URL)
  const { etag = '' } = first.headers
  t.equal(first.body, keys.jwks().body)
  t.match(first.headers, {
    etag: /^"[\w-]{22}"$/,
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'public, max-age=300',
    'access-control-allow-origin': '*',
    'x-content-type-options': 'nosniff',
    'content-length': String(Buffer.byteLength(first.body)),
  })
  const rows: [condition: string, status: number][] = [
    [String(etag), 304],
    [`W/${etag}`, 304],
    [`"other", ${etag}`, 304],
    [' * ', 304],
    ['"other"', 200],
    [String(etag).slice(1), 200],
    ['', 200],
  ]
  for (const [condition, status] of rows) {
    const answer = await app.inject({ url: URL, headers: { 'if-none-match': condition } })
    t.match(
      answer,
      {
        statusCode: status,
        body: status === 304 ? '' : first.body,
        headers: { etag, 'cache-control': 'public, max-age=300' },
      },
      condition,
    )
  }
  const head = await app.inject({ method: 'HEAD', url: URL })
  t.match(head, { statusCode: 200, body: '', headers: { etag } })
  t.equal((await app.inject({ method: 'POST', url: URL })).statusCode, 405)
})

t.test('the keys of one algorithm, for a verifier that knows no other', async t => {
  const { app, keys, live } = await serverOf(t)
  live.algorithm[MAIL] = 'RS256'
  await keys.load()
  const all = await app.inject(URL)
  const get = async (alg: string, condition = '') => {
    const headers = { 'if-none-match': condition }
    return app.inject({ url: `${URL}?${alg}`, headers })
  }
  const rows: [query: string, algorithms: string[]][] = [
    ['alg=RS256', ['RS256']],
    ['alg=ES256', ['ES256', 'ES256']],
    ['alg=EdDSA', []],
    ['alg=Ed25519', []],
    ['client_id=mobile&alg=RS256', ['RS256']],
    ['client_id=mobile', ['ES256', 'ES256', 'RS256']],
  ]
  for (const [query, algorithms] of rows) {
    const answer = await get(query)
    const { etag } = answer.headers
    t.same(
      answer
        .json()
        .keys.map(({ alg }: { alg: string }) => alg)
        .sort(),
      algorithms,
      query,
    )
    t.equal(answer.headers['cache-control'], all.headers['cache-control'])
    t.equal(etag === all.headers.etag, algorithms.length === 3, 'another tag for others')
    t.match(await get(query, String(etag)), { statusCode: 304, headers: { etag } })
    t.equal((await get(query)).headers.etag, etag, 'the same tag for the same keys')
  }
  for (const query of [
    'alg=none',
    'alg=rs256',
    'alg=',
    'alg=HS256',
    'alg=RS256&alg=ES256',
    'alg=constructor',
    `alg=${'R'.repeat(8000)}`,
  ]) {
    const answer = await get(query)
    t.match(
      answer,
      { statusCode: 400, headers: { 'cache-control': 'no-store' } },
      query.slice(0, 20),
    )
    t.same(answer.json(), {
      error: 'invalid_request',
      error_description: 'alg must be one of ES256, EdDSA, Ed25519, PS256, RS256',
    })
  }
})

t.test('a stop ends the connection that was asking, with the keys', async t => {
  const { app, store, sightings } = await serverOf(t)
  const { port } = new globalThis.URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8')
  const [served] = await once(app.server, 'connection')
  socket.write(`GET ${URL} HTTP/1.1\r\nHost: id.example.com\r\n`)
  while (served.bytesRead === 0) await setImmediate()
  const stopped = app.close()
  socket.write('\r\n')
  t.match(
    (await socket.toArray()).join(''),
    /^HTTP\/1.1 200 OK\r\n[^]*\r\nconnection: close\r\n[^]*\r\n\r\n\{"keys"/,
  )
  await stopped
  await sightings.flush()
  t.match(
    (await store.sightings.load()).verifiers,
    [{ userAgent: '', address: '127.0.0.1' }],
    'also one that says nothing of itself',
  )
})

t.test('no copy is kept beyond the next change', async t => {
  const { app, keys, clock } = await serverOf(t)
  const turn = keys.describe()[0]?.signUntil ?? 0
  const maxAge = async () => (await app.inject(URL)).headers['cache-control']
  clock.set(turn - 200_500)
  t.equal(await maxAge(), 'public, max-age=200')
  clock.set(turn)
  t.equal(await maxAge(), 'public, max-age=0')
  const before = (await app.inject(URL)).headers.etag
  await keys.load()
  const after = await app.inject({
    url: URL,
    headers: { 'if-none-match': String(before) },
  })
  t.equal(after.statusCode, 200)
  clock.advance(2_000)
  t.equal(await maxAge(), 'public, max-age=300')
})

t.test('the keys are there without the store, and count in the metrics', async t => {
  const { app, store, clock, metrics } = await serverOf(t, {
    issuer: 'https://example.com/id',
  })
  await store.close()
  clock.advance(DAY)
  for (const url of [URL, `/id${URL}`]) {
    t.equal((await app.inject(url)).statusCode, 200, url)
  }
  const text = await metrics.render()
  t.match(text, /^latchkey_jwks_answers_total\{status="200"\} 2$/m)
  t.match(text, /^latchkey_jwks_answers_total\{status="304"\} 0$/m)
})

t.test(
  'a token whose key was retired is inactive at once, though it was found good a moment ago',
  async t => {
    const { keys, login, introspect, refresh, app } = await serverOf(t)
    const { access_token: token, refresh_token: refreshToken } = await login()
    t.match(await introspect(token), { active: true })
    t.match(await introspect(token), { active: true }, 'from a cache, if there is one')
    const { kid } = part(token, 0)
    t.same(await keys.retire(kid), { kind: 'done' })
    t.same(await introspect(token), { active: false })
    t.equal(
      (
        await app.inject({
          url: '/userinfo',
          headers: { authorization: `Bearer ${token}` },
        })
      ).statusCode,
      401,
    )
    t.notMatch((await app.inject(URL)).body, kid)
    const refreshed = await refresh(refreshToken)
    t.equal(refreshed.statusCode, 200, 'the user stays logged in')
    t.match(await introspect(refreshed.json().access_token), { active: true })
  },
)

t.test('an audience gets tokens of the algorithm that it needs', async t => {
  const server = await serverOf(t)
  server.live.algorithm[ORDERS] = 'RS256'
  await server.keys.load()
  const algOf = async (resource: string) =>
    part((await server.login({ resource })).access_token, 0).alg
  t.equal(
    await algOf(ORDERS),
    'ES256',
    'not before its key has been published for long enough',
  )
  server.clock.advance(7 * DAY)
  await server.keys.load()
  t.equal(await algOf(ORDERS), 'RS256')
  t.equal(await algOf(MAIL), 'ES256')
  const { access_token: token } = await server.login()
  t.equal(part(token, 0).alg, 'RS256', 'a token for both can be verified by both')
  t.match(await server.introspect(token, 'orders-api', API_SECRET), { active: true })
})

t.test('a secret is replaced while sessions live', async t => {
  const storeUrl = `sqlite:${t.testdir({})}/latchkey.db`
  const [older, newer] = ['o'.repeat(43), 'n'.repeat(43)]
  const start = async (secrets: readonly string[]) => {
    const latchkey = await buildTestApp({ storeUrl, secrets })
    t.teardown(() => latchkey.close())
    return latchkey
  }
  const before = await start([older])
  const { refresh_token: session } = await before.login()

  // Appended everywhere, then moved to the front on one server: each knows what the other makes.
  const [first, second] = [await start([newer, older]), await start([older, newer])]
  // The server that lacks the new secret keeps the ring under the old one, until it counts as gone.
  for (let passed = 0; passed < 2 * LIFE_MS; passed += 1_000) {
    first.clock.advance(1_000)
    await first.known.sync()
  }
  await first.keys.load()
  const kids = first.keys.describe().map(({ kid }) => kid)
  t.same(
    kids,
    before.keys.describe().map(({ kid }) => kid),
    'the keys are the same, under another secret',
  )
  const renewed = await first.refresh(session)
  t.equal(renewed.statusCode, 200, 'a session of the old secret')
  const again = await second.refresh(renewed.json().refresh_token)
  t.equal(again.statusCode, 200, 'goes on at both servers')
  const { refresh_token: current } = (
    await first.refresh(again.json().refresh_token)
  ).json()

  const after = await start([newer])
  t.same(
    after.keys.describe().map(({ kid }) => kid),
    kids,
  )
  t.equal(
    (await after.refresh(current)).statusCode,
    200,
    'a session that was renewed under the new secret outlives the old one',
  )
  const refused = await after.refresh(session)
  t.equal(refused.statusCode, 503, 'others can still read one of the old secret')
  t.equal(refused.json().error, 'temporarily_unavailable')
})
