// Traces: what a real server sends to a real collector over OTLP/HTTP, for each kind of request; what it
// never sends; what happens when the collector doesn't take it; and that it costs nothing when it is off.
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { traceSettings } from '../../src/config/tracing.ts'
import { openTracing } from '../../src/observe/tracing/otel.ts'
import { NO_TRACING } from '../../src/observe/tracing/tracing.ts'
import type { RunningServer } from '../../src/server.ts'
import { SECRET } from '../support/command-line.ts'
import { configOf, startInProcess } from '../support/in-process.ts'
import { type Collector, type ReceivedSpan, startCollector } from '../support/otlp.ts'
import { startRedis } from '../support/redis.ts'
import {
  addUser,
  API_SECRET,
  CHEAP_HASHING,
  PASSWORD,
  startLatchkey,
  STORES,
  USER,
} from '../support/server.ts'
import { SOON_MS, until } from '../support/until.ts'

const SERVER = 2
const CLIENT = 3
const FAILED = 2
/**
 * Nanoseconds. A span begins at a whole millisecond of the clock, and its length is measured by another one.
 * A busy machine may stop the process between the two.
 */
const CLOCK_STEP = 100_000_000n

interface Traced {
  readonly server: RunningServer
  readonly collector: Collector
  readonly lines: string[]
  /** Sends a form below a trace of its own; gives its ids with the answer. */
  post(
    path: string,
    form: Record<string, string>,
    flags?: string,
  ): Promise<{
    traceId: string
    callerId: string
    status: number
    body: any
  }>
  /** Ends the server, which sends what it has. */
  close(): Promise<void>
}

async function startTraced(
  t: Test,
  {
    storeUrl,
    env = {},
    config = {},
  }: { storeUrl: string; env?: Record<string, string>; config?: object },
): Promise<Traced> {
  const collector = await startCollector()
  t.teardown(() => collector.close())
  await addUser(storeUrl)
  const server = await startInProcess(t, {
    config: configOf(storeUrl, { throttle: { perAddress: { max: 1000 } }, ...config }),
    traces: traceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, ...env }),
  })
  const post: Traced['post'] = async (path, form, flags = '01') => {
    const [traceId, callerId] = [
      randomBytes(16).toString('hex'),
      randomBytes(8).toString('hex'),
    ]
    const answer = await fetch(server.url + path, {
      method: 'POST',
      headers: {
        traceparent: `00-${traceId}-${callerId}-${flags}`,
        tracestate: 'vendor=canary-state',
        'user-agent': 'canary-agent',
      },
      body: new URLSearchParams(form),
    })
    return {
      traceId,
      callerId,
      status: answer.status,
      body: await answer.json(),
    }
  }
  return {
    server,
    collector,
    lines: server.lines,
    post,
    close: () => server.close(),
  }
}

async function redisUrl(t: Test): Promise<string> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  return redis.url
}

async function sqliteUrl(t: Test): Promise<string> {
  const store = await STORES[0]?.make()
  t.teardown(() => store?.remove())
  return store?.url ?? ''
}

const LOGIN = {
  grant_type: 'password',
  client_id: 'mobile',
  username: USER,
  password: PASSWORD,
}

/** A request that is far from its limit doesn't wait for it. */
const COUNT = 'store address_counts.add'
const LEASE = 'store status_lists.lease'

/** The spans of a trace: the request's, and those below it. */
function traceOf(
  t: Test,
  { spans }: Collector,
  traceId: string,
): { root: ReceivedSpan; below: ReceivedSpan[] } {
  const found = spans.filter(span => span.traceId === traceId)
  const [root, ...others] = found.filter(({ kind }) => kind === SERVER)
  if (root === undefined) {
    throw new Error(
      `no span of a request among ${JSON.stringify(found.map(({ name }) => name))}`,
    )
  }
  t.equal(others.length, 0, 'one request')
  const below = found
    .filter(span => span !== root)
    .toSorted((a, b) => Number(a.startedAt - b.startedAt))
  for (const { name, parentSpanId, startedAt, endedAt } of below) {
    t.equal(parentSpanId, root.spanId, `${name} is below the request`)
    t.ok(
      startedAt >= root.startedAt - CLOCK_STEP &&
        (name === COUNT || endedAt <= root.endedAt + CLOCK_STEP),
      `${name} is within its time`,
    )
  }
  return { root, below }
}

const namesOf = (spans: readonly ReceivedSpan[]) => spans.map(({ name }) => name)

/** What a request waits for. Near the end of an hour indices of the next hour's list are leased beside it. */
const stepsOf = (spans: readonly ReceivedSpan[]) =>
  namesOf(spans)
    .filter(step => step !== COUNT)
    .filter((step, place, all) => step !== LEASE || all[place - 1] !== LEASE)

t.test(
  "each request is a span below its caller's, with the steps of it: hash, store, sign",
  async t => {
    const { server, collector, post, close } = await startTraced(t, {
      storeUrl: await redisUrl(t),
    })
    const login = await post('/token', LOGIN)
    const refresh = await post('/token', {
      grant_type: 'refresh_token',
      client_id: 'mobile',
      refresh_token: login.body.refresh_token,
    })
    const introspect = await post('/introspect', {
      token: refresh.body.access_token,
      client_id: 'orders-api',
      client_secret: API_SECRET,
    })
    const wrong = await post('/token', { ...LOGIN, password: 'canary-password' })
    const nobody = await post('/token', {
      ...LOGIN,
      username: 'canary-name',
      password: 'canary-password-2',
    })
    const forged = await post('/token', {
      grant_type: 'refresh_token',
      client_id: 'mobile',
      refresh_token: 'rt_canary',
    })
    const lost = await post('/canary-path', {})
    t.same(
      [login, refresh, introspect, wrong, nobody, forged, lost].map(
        ({ status }) => status,
      ),
      [200, 200, 200, 400, 400, 400, 404],
    )
    // No traceparent, and none that is well-formed: a trace of its own.
    for (const traceparent of [
      '',
      'canary-parent',
      `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`,
    ]) {
      await fetch(`${server.url}/userinfo`, { headers: { traceparent } })
    }
    const metrics = await fetch(`${server.managementUrl}/metrics`, {
      headers: {
        accept: 'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5',
      },
    })
    const exemplar = RegExp(
      `_duration_seconds_bucket\\{method="POST",route="/token",status="400".* # ` +
        `\\{trace_id="(${wrong.traceId}|${nobody.traceId}|${forged.traceId})"\\} [0-9.e-]+\n`,
    )
    t.match(await metrics.text(), exemplar, 'a bucket leads to a trace')
    await close()

    t.match(collector.requests[0], { path: '/v1/traces', type: 'application/json' })
    t.match(collector.resource, {
      'service.name': 'latchkey',
      'service.version': /^\d/,
      'host.name': /./,
      'process.pid': process.pid,
    })
    const rows: ReadonlyArray<{
      of: typeof login
      root: string
      steps: string[]
      reason?: string
    }> = [
      {
        of: login,
        root: 'POST /token',
        steps: [
          'hash.wait',
          'store users.by_name',
          'store login_attempts.begin',
          'hash.verify',
          'store login_attempts.settle',
          'store status_lists.lease',
          'store families.open',
          'sign',
        ],
      },
      { of: refresh, root: 'POST /token', steps: ['store families.rotate', 'sign'] },
      { of: introspect, root: 'POST /introspect', steps: ['store access_tokens.check'] },
      {
        of: wrong,
        root: 'POST /token',
        steps: [
          'hash.wait',
          'store users.by_name',
          'store login_attempts.begin',
          'hash.verify',
          'store login_attempts.settle',
        ],
        reason: 'password_wrong',
      },
      {
        of: nobody,
        root: 'POST /token',
        steps: [
          'hash.wait',
          'store users.by_name',
          'store login_attempts.begin',
          'hash.verify',
          'store login_attempts.settle',
        ],
        reason: 'user_unknown',
      },
      {
        of: forged,
        root: 'POST /token',
        steps: [],
        reason: 'token_malformed',
      },
      { of: lost, root: 'POST unknown', steps: [] },
    ]
    for (const {
      of: { traceId, callerId, status },
      root: name,
      steps,
      reason,
    } of rows) {
      const { root, below } = traceOf(t, collector, traceId)
      t.match(root, {
        name,
        parentSpanId: callerId,
        attributes: {
          'http.request.method': 'POST',
          'http.response.status_code': status,
          'latchkey.request_id': /^[0-9a-f]{10}-[0-9a-z]+$/,
        },
      })
      t.equal(root.attributes['latchkey.reason'], reason)
      t.same(stepsOf(below), steps, `${name} ${status}`)
      for (const { name: step, kind, attributes } of below) {
        if (step.startsWith('store ')) {
          t.match(
            { kind, attributes },
            {
              kind: CLIENT,
              attributes: {
                'db.system.name': 'redis',
                'db.operation.name': step.slice(6),
              },
            },
          )
        }
      }
    }
    const own = collector.spans.filter(({ name }) => name === 'GET /userinfo')
    t.equal(new Set(own.map(({ traceId }) => traceId)).size, 3)
    t.ok(own.every(({ parentSpanId }) => parentSpanId === undefined))
    t.ok(
      collector.spans.every(({ name }) => !/probe|keys/.test(name)),
      'what happens outside of requests is no trace',
    )

    const sent = collector.requests.map(({ body }) => body).join('\n')
    const secret = [
      USER,
      PASSWORD,
      'canary',
      'mobile',
      API_SECRET,
      SECRET,
      '127.0.0.1',
      login.body.access_token,
      login.body.refresh_token,
      refresh.body.refresh_token,
    ]
    for (const text of secret) {
      t.notOk(sent.includes(text), `nothing says ${text.slice(0, 12)}`)
    }
    const known = [
      /^http\.(request\.method|route|response\.status_code)$/,
      /^latchkey\.(request_id|reason)$/,
      /^db\.(system|operation)\.name$/,
      /^error\.type$/,
    ]
    for (const { name, attributes, events } of collector.spans) {
      for (const key of Object.keys(attributes)) {
        t.ok(
          known.some(pattern => pattern.test(key)),
          `${name}: ${key}`,
        )
      }
      t.same(events, [])
    }
  },
)

t.test('logins that wait for each other keep their traces apart', async t => {
  const { collector, post, close } = await startTraced(t, {
    storeUrl: await sqliteUrl(t),
  })
  const logins = await Promise.all(
    Array.from({ length: 20 }, () => post('/token', LOGIN)),
  )
  t.ok(logins.every(({ status }) => status === 200))
  await close()
  for (const { traceId } of logins) {
    const { below } = traceOf(t, collector, traceId)
    t.same(
      namesOf(below).filter(name => /^(hash|sign)/.test(name)),
      ['hash.wait', 'hash.verify', 'sign'],
    )
    t.equal(
      below.find(({ name }) => name === 'store families.open')?.attributes[
        'db.system.name'
      ],
      'sqlite',
    )
  }
})

t.test(
  "a trace that its caller doesn't sample, or that falls out of the share, is not sent",
  async t => {
    const callers = await startTraced(t, { storeUrl: await sqliteUrl(t) })
    const [unsampled, sampled] = [
      await callers.post('/token', LOGIN, '00'),
      await callers.post('/token', LOGIN),
    ]
    await callers.close()
    t.same(
      [...new Set(callers.collector.spans.map(({ traceId }) => traceId))],
      [sampled.traceId],
    )
    t.equal(unsampled.status, 200)

    const none = await startTraced(t, {
      storeUrl: await sqliteUrl(t),
      env: { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' },
    })
    t.equal((await none.post('/token', LOGIN)).status, 200)
    await none.close()
    t.same(none.collector.requests, [], 'whatever the caller says')
  },
)

t.test('what fails is told by its class alone', async t => {
  const { server, collector, post, close } = await startTraced(t, {
    storeUrl: await sqliteUrl(t),
    config: {
      http: { host: '127.0.0.1', port: 0, answerTimeout: '60s' },
      passwords: {
        ...CHEAP_HASHING,
        queue: 1,
        concurrency: 1,
        memoryKiB: 65536,
        passes: 8,
      },
    },
  })
  const storm = await Promise.all(
    Array.from({ length: 12 }, () => post('/token', { ...LOGIN, username: 'nobody' })),
  )
  const full = storm.filter(({ status }) => status === 503)
  t.ok(full.length > 0, 'the queue is full')
  await server.core.store.close()
  const fault = await post('/token', LOGIN)
  t.equal(fault.status, 503)
  await close()

  for (const { traceId } of full) {
    const { root, below } = traceOf(t, collector, traceId)
    t.match(root, {
      status: FAILED,
      attributes: { 'error.type': '503', 'latchkey.reason': /^hash_/ },
    })
    t.match(
      below.filter(({ name }) => name === 'hash.wait'),
      [{ status: FAILED, attributes: { 'error.type': /^hash_/ } }],
    )
  }
  const { root, below } = traceOf(t, collector, fault.traceId)
  t.match(root, {
    status: FAILED,
    attributes: { 'http.response.status_code': 503, 'error.type': '503' },
  })
  t.match(
    below.find(({ name }) => name === 'store users.by_name'),
    { status: FAILED, attributes: { 'error.type': 'StoreUnavailable' } },
  )
})

t.test('what is traced answers, throws and rejects as it would untraced', async t => {
  const collector = await startCollector()
  t.teardown(() => collector.close())
  const tracing = openTracing({
    url: `${collector.endpoint}/v1/traces`,
    sampling: { followsCaller: true, share: 1 },
    version: '1',
    failed: () => {
      t.fail('sent')
    },
  })
  const app = fastify()
  tracing.observeRequests(app)
  const seen: unknown[] = []
  const calls = {
    answers: (x: number) => x + 1,
    // eslint-disable-next-line prefer-promise-reject-errors
    rejects: (x: number) => Promise.reject(`canary ${x}`),
    throws(x: number) {
      throw new TypeError(`canary ${x}`)
    },
  }
  app.get('/', async () => {
    seen.push(tracing.around('answers', calls.answers)(1))
    seen.push(
      await tracing
        .around(
          'rejects',
          calls.rejects,
        )(2)
        .catch((error: unknown) => error),
    )
    try {
      tracing.around('throws', calls.throws)(3)
    } catch (error) {
      seen.push(error)
    }
    throw new RangeError('canary')
  })
  const [arrived, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  app.get('/slow', async (_request, reply) => {
    reply.raw.once('close', left.resolve)
    arrived.resolve()
    return left.promise
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.equal((await fetch(url)).status, 500)
  const gone = request(`${url}/slow`)
    .on('error', () => {})
    .end()
  await arrived.promise
  gone.destroy()
  await left.promise
  t.same(seen, [2, 'canary 2', new TypeError('canary 3')])
  await app.close()
  await tracing.close()
  t.match(
    Object.fromEntries(
      collector.spans.map(({ name, status, attributes }) => [
        name,
        [status, attributes['error.type']],
      ]),
    ),
    {
      answers: [0, undefined],
      rejects: [FAILED, 'string'],
      throws: [FAILED, 'TypeError'],
      'GET /': [FAILED, '500'],
      'GET /slow': [FAILED, 'client_gone'],
    },
  )
  t.notMatch(collector.requests[0]?.body, /canary/)
})

t.test(
  'a collector that refuses or hangs fails no request and holds up no stop',
  async t => {
    const { collector, lines, post, close } = await startTraced(t, {
      storeUrl: await sqliteUrl(t),
    })
    const warnings = () => lines.filter(line => line.includes('traces could not be sent'))
    collector.answer = 'refuses'
    t.equal((await post('/token', LOGIN)).status, 200)
    t.ok(
      await until(() => collector.requests.length > 0 && warnings().length === 1),
      'sent after five seconds, and told',
    )
    t.match(JSON.parse(warnings()[0] ?? ''), { level: 40, err: { message: '' } })
    collector.answer = 'hangs'
    t.equal((await post('/token', LOGIN)).status, 200)
    const startedAt = performance.now()
    await close()
    t.ok(performance.now() - startedAt < SOON_MS)
    t.equal(collector.requests.length, 2)
  },
)

t.test(
  'the variables are read as every SDK reads them; each that is wrong is told by its name',
  async t => {
    const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }
    t.equal(traceSettings({}), undefined)
    t.equal(traceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }), undefined)
    t.equal(traceSettings({ ...ENDPOINT, OTEL_SDK_DISABLED: 'true' }), undefined)
    t.same(traceSettings(ENDPOINT), {
      url: 'http://collector:4318/v1/traces',
      sampling: { followsCaller: true, share: 1 },
    })
    t.same(
      traceSettings({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c.example/otlp/',
        OTEL_TRACES_SAMPLER: 'traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.25',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      }),
      {
        url: 'https://c.example/otlp/v1/traces',
        sampling: { followsCaller: false, share: 0.25 },
      },
    )
    t.match(
      traceSettings({ ...ENDPOINT, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' }),
      { sampling: { followsCaller: true, share: 1 } },
      'the share is 1 where none is told',
    )
    const wrong = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_TRACES_SAMPLER: 'some',
      OTEL_TRACES_SAMPLER_ARG: 'many',
    }
    t.throws(() => traceSettings(wrong), {
      constructor: ConfigError,
      message: new RegExp(
        '^OTEL_EXPORTER_OTLP_ENDPOINT: .*\nOTEL_EXPORTER_OTLP_PROTOCOL: .*\n' +
          'OTEL_TRACES_SAMPLER: .*\nOTEL_TRACES_SAMPLER_ARG: [^\n]*$',
      ),
    })
    t.throws(
      () =>
        traceSettings({
          ...ENDPOINT,
          OTEL_TRACES_SAMPLER: 'traceidratio',
          OTEL_TRACES_SAMPLER_ARG: '2',
        }),
      /OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1/,
    )
  },
)

t.test(
  'off unless it is asked for: not a module of it is read but the API, which prom-client reads for itself',
  async t => {
    const spy = join(t.testdir(), 'spy.mjs')
    await writeFile(
      spy,
      `import { registerHooks } from 'node:module'
    const WATCHED = /@opentelemetry.(?!api.)|observe.otlp|tracing.otel/
    registerHooks({
      load (url, context, next) {
        if (WATCHED.test(url)) process.stderr.write('read ' + url + '\\n')
        return next(url, context)
      }
    })`,
    )
    const collector = await startCollector()
    t.teardown(() => collector.close())
    const env = { NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${spy}` }
    const read = (lines: readonly string[]) =>
      lines.filter(line => line.startsWith('read '))
    for (const endpoint of [undefined, collector.endpoint]) {
      const storeUrl = await sqliteUrl(t)
      const server = await startLatchkey({
        storeUrl,
        env: {
          ...env,
          ...(endpoint !== undefined && {
            OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
            OTEL_SERVICE_NAME: 'id',
            OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
          }),
        },
      })
      t.teardown(() => server.stop())
      t.equal(
        (
          await fetch(`${server.url}/token`, {
            method: 'POST',
            body: new URLSearchParams(LOGIN),
          })
        ).status,
        200,
      )
      t.equal(await server.stop(), 0)
      if (endpoint === undefined) t.same(read(server.lines), [])
      else t.ok(read(server.lines).length > 0)
    }
    t.match(
      collector.resource,
      { 'service.name': 'id', 'deployment.environment.name': 'test' },
      'what the process had to send it sent when it stopped',
    )
    t.ok(collector.spans.some(({ name }) => name === 'POST /token'))

    const call = () => 5
    t.equal(NO_TRACING.around('x', call), call, 'nothing stands around a call')
    t.doesNotThrow(() => NO_TRACING.begin('x')())
  },
)
