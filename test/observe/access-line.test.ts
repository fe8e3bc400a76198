// The line that each request leaves: who sent it, by which id it is found, and which lines are left out.
import fastify, { LogController } from 'fastify'
import t, { type Test } from 'tap'
import { createRequestIds } from '../../src/http/request/request-id.ts'
import { systemRandom } from '../../src/base/random.ts'
import { logOptions, observeRequests } from '../../src/observe/log.ts'
import { createMetrics } from '../../src/observe/metrics/metrics.ts'
import {
  buildTestApp,
  client,
  CLIENTS,
  PASSWORD,
  sha256Line,
  type TestApp,
} from '../support/app.ts'

const LOGIN = {
  grant_type: 'password',
  client_id: 'mobile',
  username: 'alice',
  password: PASSWORD,
}

async function serverOf(t: Test, options = {}): Promise<TestApp> {
  const server = await buildTestApp({ logLevel: 'info', ...options })
  t.teardown(() => server.close())
  return server
}

const answered = ({ lines }: TestApp) =>
  lines.map(line => JSON.parse(line)).filter(({ msg }) => msg === 'answered')

t.test('the line names the client that proved who it is, and the network', async t => {
  const server = await serverOf(t, {
    trustedProxies: ['127.0.0.0/8'],
    clients: [...CLIENTS, client('backend', { secrets: [sha256Line('s')] })],
  })
  const from = { 'x-forwarded-for': '203.0.113.7' }
  const { access_token: token } = (await server.post('/token', LOGIN, from)).json()
  await server.app.inject({
    url: '/userinfo',
    headers: { ...from, authorization: `Bearer ${token}` },
  })
  await server.post(
    '/token',
    { ...LOGIN, client_id: 'backend', client_secret: 'wrong' },
    { 'x-forwarded-for': '2001:db8:1:2:3::4' },
  )
  await server.app.inject({ url: '/none', headers: from })
  const network = '203.0.113.0/24'
  t.match(answered(server), [
    { status: 200, clientId: 'mobile', network, service: 'latchkey' },
    { route: '/userinfo', clientId: 'mobile', network },
    { status: 401, clientId: undefined, network: '2001:db8:1:2::/64' },
    { status: 404, clientId: undefined, network },
  ])
  t.notMatch(server.lines.join(''), '203.0.113.7', 'never the address')
})

t.test('X-Request-Id: taken, answered and logged where it is short and safe', async t => {
  const server = await serverOf(t)
  const ask = (id: string | string[], url = '/userinfo') =>
    server.app.inject({ url, headers: { 'x-request-id': id as string } })
  const safe = ['a', 'Root=1-67891233:abc/d+e_f.g', 'x'.repeat(64)]
  for (const id of safe) {
    t.equal((await ask(id)).headers['x-request-id'], id)
    t.match(answered(server).at(-1), { reqId: id })
  }
  const unsafe = ['', 'x'.repeat(65), 'a b', 'a"b', 'a\u001Bb', 'a, b', 'ä', '$(id)', '`']
  for (const id of unsafe) {
    const { headers } = await ask(id)
    t.match(headers['x-request-id'], /^[0-9a-f]{10}-[0-9a-z]+$/, JSON.stringify(id))
    t.match(answered(server).at(-1), { reqId: headers['x-request-id'] })
  }
})

t.test(
  'every answer bears the id: successes, refusals, those before routing',
  async t => {
    const server = await serverOf(t)
    const id = 'my-id'
    const headers = { 'x-request-id': id }
    const answers = [
      await server.post('/token', LOGIN, headers),
      await server.post('/token', { ...LOGIN, password: 'x' }, headers),
      await server.app.inject({ url: '/none', headers }),
      await server.app.inject({ method: 'PUT', url: '/token', headers }),
      await server.app.inject({ url: '/%zz', headers }),
      await server.management.inject({ url: '/scim/v2/Users', headers }),
      await server.management.inject({ url: '/none', headers }),
      await server.management.inject({ url: '/livez', headers }),
    ]
    t.same(
      answers.map(({ statusCode }) => statusCode),
      [200, 400, 404, 405, 400, 401, 404, 200],
    )
    for (const answer of answers) t.equal(answer.headers['x-request-id'], id)
    const lines = server.lines.map(line => JSON.parse(line))
    t.ok(
      lines.some(({ audit, reqId }) => audit?.type === 'login.failed' && reqId === id),
      'the audit log has it, too',
    )
    t.ok(lines.filter(({ msg, reqId }) => msg === 'refused' && reqId === id).length >= 5)
  },
)

t.test('ids that are made here are unlike those of any other server', async t => {
  const [one, other] = [createRequestIds(systemRandom), createRequestIds(systemRandom)]
  const ids = [one, one, other].map(make => make({ headers: {} }))
  t.equal(new Set(ids).size, 3)
  t.not(ids[0]?.slice(0, 10), ids[2]?.slice(0, 10))
})

t.test(
  'successes are sampled evenly; refusals and faults are always written',
  async t => {
    const server = await serverOf(t)
    server.live.successes = 0.25
    for (let at = 0; at < 8; at++) {
      await server.app.inject('/.well-known/openid-configuration')
      await server.app.inject('/userinfo')
    }
    t.same(
      answered(server).map(({ status }) => status),
      [401, 401, 401, 200, 401, 401, 401, 401, 200, 401],
    )
    server.live.successes = 0
    await server.login()
    await server.store.close()
    await server.post('/token', LOGIN)
    t.match(answered(server).slice(10), [{ status: 503 }])
    t.equal(answered(server).length, 11)
    t.ok(
      server.lines.some(line => line.includes('"login.succeeded"')),
      'the audit log is whole',
    )
    t.equal(
      (await server.metrics.render()).match(
        /duration_seconds_count\{.*openid-configuration",status="200"\} (\d+)/,
      )?.[1],
      '8',
      'and all are counted',
    )
  },
)

t.test(
  'a share that binary fractions lack is exact, and the level is asked first',
  async t => {
    const served = { senders: 0, lines: [] as string[], share: 1 }
    const app = fastify({
      logger: {
        ...logOptions('info'),
        stream: { write: (line: string) => served.lines.push(line) },
      },
      logController: new LogController({ disableRequestLogging: true }),
    })
    t.teardown(() => app.close())
    observeRequests(app, {
      metrics: createMetrics(),
      senderOf() {
        served.senders += 1
        return { network: 'n', clientId: undefined }
      },
      successes: () => served.share,
      traceIdOf: () => undefined,
    })
    app.get('/', async () => '')
    const ask = async (times: number) => {
      for (let at = 0; at < times; at++) await app.inject('/')
      return served.senders
    }
    served.share = 0.1
    t.equal(await ask(9), 0)
    t.equal(await ask(1), 1, 'the tenth')
    t.equal(await ask(90), 10)
    served.share = 1
    app.log.level = 'warn'
    t.equal(await ask(5), 10, 'nothing is worked out for a line that nobody gets')
    app.log.level = 'debug'
    t.equal(await ask(1), 11)
    t.equal(served.lines.length, 11, 'a level that is changed counts at once')
  },
)
