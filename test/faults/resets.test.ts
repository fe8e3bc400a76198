// Callers who leave: connections that are reset at every stage of every kind of request. No fault is logged
// and none is counted, and the server goes on.
import { setImmediate as soon, setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { buildTestApp, API_SECRET, ORDERS, PASSWORD } from '../support/app.ts'
import { openRaw } from '../support/raw-connection.ts'
import { until } from '../support/until.ts'

const TIMES = 12

const server = await buildTestApp()
t.teardown(() => server.close())
await server.app.listen({ host: '127.0.0.1', port: 0 })
const address = { port: Number(new URL(server.app.listeningOrigin).port) }
const { access_token: token, refresh_token: refreshToken } = await server.login({
  resource: ORDERS,
})

const get = (path: string, ...headers: string[]) =>
  [`GET ${path} HTTP/1.1`, 'host: x', ...headers, '', ''].join('\r\n')
const post = (path: string, params: Record<string, string>, ...headers: string[]) => {
  const body = new URLSearchParams(params).toString()
  return [
    `POST ${path} HTTP/1.1`,
    'host: x',
    'content-type: application/x-www-form-urlencoded',
    `content-length: ${body.length}`,
    ...headers,
    '',
    body,
  ].join('\r\n')
}
const bearer = `authorization: Bearer ${token}`
const LOGIN = {
  grant_type: 'password',
  client_id: 'mobile',
  username: 'alice',
  password: PASSWORD,
}

const REQUESTS: Record<string, string> = {
  login: post('/token', LOGIN),
  'a login for somebody else': post(
    '/token',
    { ...LOGIN, client_id: 'web', client_secret: 'web-secret' },
    'latchkey-forwarded-for: 192.0.2.1',
  ),
  refresh: post('/token', {
    grant_type: 'refresh_token',
    client_id: 'strict',
    refresh_token: refreshToken,
  }),
  introspect: post('/introspect', {
    client_id: 'orders-api',
    client_secret: API_SECRET,
    token,
  }),
  'introspect as nobody': post('/introspect', { client_id: 'mobile', token }),
  revoke: post('/revoke', { client_id: 'mobile', token: 'none' }),
  userinfo: get('/userinfo', bearer),
  verify: get('/verify', bearer, `latchkey-audience: ${ORDERS}`),
  keys: get('/.well-known/jwks.json'),
  metadata: get('/.well-known/openid-configuration'),
  'a status list': get('/status/1'),
  'a document': get('/openapi.json'),
  'a large file': get('/docs/static/swagger-ui-bundle.js'),
  'no such path': get('/none'),
  'no such method': post('/userinfo', {}),
  'no HTTP': 'nonsense\r\n\r\n',
}

/** What of a request is sent before the reset, and how long the caller waits until then. */
const STAGES: Record<
  string,
  { part: (request: string) => string; pause: (attempt: number) => Promise<unknown> }
> = {
  'nothing sent': { part: () => '', pause: async () => {} },
  'within the headers': { part: all => all.slice(0, 25), pause: async () => soon() },
  'before the body': {
    part: all => all.slice(0, all.indexOf('\r\n\r\n') + 4),
    pause: async () => soon(),
  },
  'within the body': { part: all => all.slice(0, -3), pause: async () => soon() },
  'the whole request, at once': { part: all => all, pause: async () => {} },
  'the whole request, a moment later': { part: all => all, pause: async () => soon() },
  'the whole request, while it is worked on': {
    part: all => all,
    pause: async attempt => wait(attempt / 2),
  },
}

async function leaveAt(
  t: Test,
  { part, pause }: (typeof STAGES)[string],
  request: string,
) {
  await Promise.all(
    Array.from({ length: TIMES }, async (_, attempt) => {
      const caller = await openRaw(address, part(request))
      await pause(attempt)
      caller.reset()
    }),
  )
  // Whatever came in has ended when one that came later is answered and nobody is connected any more.
  t.equal((await fetch(`${server.app.listeningOrigin}/userinfo`)).status, 401)
}

for (const [stage, how] of Object.entries(STAGES)) {
  t.test(`callers who leave: ${stage}`, async t => {
    for (const request of Object.values(REQUESTS)) await leaveAt(t, how, request)
  })
}

t.test('nothing of it was a fault', async t => {
  await until(
    () =>
      new Promise(resolve => {
        server.app.server.getConnections((_error, count) => resolve(count <= 1))
      }),
  )
  t.strictSame(
    server.lines.filter(line => JSON.parse(line).level >= 50),
    [],
  )
  const metrics = (await server.metrics.render()).split('\n')
  t.strictSame(
    metrics.filter(line => /status="5|outcome="failed"/.test(line) && !/ 0$/.test(line)),
    [],
  )
  t.ok(
    server.lines.some(line => /"reason":"client_gone"/.test(line)),
    'some had left when their turn came',
  )
  await server.sightings.flush()
  const { verifiers } = await server.store.sightings.load()
  t.ok(
    verifiers.every(({ address }) => address === '127.0.0.1'),
    'a fetch of the keys has an address',
  )
})
