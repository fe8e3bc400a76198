// Metrics and the audit log, told by one journey through the real server: what is counted, that no caller can
// add a label, and that every audit line keeps to its schema and names its request.
import { readFileSync, globSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { Compile } from 'typebox/compile'
import { pageText } from '../../scripts/audit-page.ts'
import { AuditLine } from '../../src/observe/audit/audit-schema.ts'
import { openAudit } from '../../src/observe/audit/open.ts'
import { createDurations, createTally } from '../../src/observe/metrics/tally.ts'
import { REASONS } from '../../src/base/events/reasons.ts'
import { buildTestApp, PASSWORD, type TestApp } from '../support/app.ts'

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const root = join(import.meta.dirname, '../..')
const line = Compile(AuditLine)

/** The value of a series, by its text up to the value. */
async function valueOf(
  { metrics }: TestApp,
  series: string,
): Promise<number | undefined> {
  const found = (await metrics.render())
    .split('\n')
    .find(line => line.startsWith(`${series} `))
  return found === undefined ? undefined : Number(found.slice(series.length + 1))
}

async function seriesOf({ metrics }: TestApp): Promise<string[]> {
  return (await metrics.render())
    .split('\n')
    .filter(line => line.startsWith('latchkey_'))
    .map(line => line.replace(/ \S+$/, ''))
}

const auditOf = ({ lines }: TestApp) =>
  lines.filter(line => line.includes('"audit"')).map(line => JSON.parse(line))

async function serverOf(t: Test, options = {}): Promise<TestApp> {
  const server = await buildTestApp(options)
  t.teardown(() => server.close())
  return server
}

/** Everything that is counted, once or more. */
async function journey(server: TestApp): Promise<void> {
  const { post, clock } = server
  const login = {
    grant_type: 'password',
    client_id: 'mobile',
    username: 'alice',
    password: PASSWORD,
  }
  const first = await server.login()
  const second = (await server.refresh(first.refresh_token)).json()
  await server.refresh(first.refresh_token)
  clock.advance(60_000)
  await server.refresh(first.refresh_token)
  await server.refresh(second.refresh_token)
  await post('/token', { ...login, password: 'wrong' }, { traceparent: TRACEPARENT })
  await post('/token', { ...login, username: 'nobody' }, { traceparent: 'canary' })
  await post('/token', { ...login, grant_type: 'magic' })
  await post('/token', '%')
  await post('/token', { ...login, client_id: 'nobody' })
  server.live.logins = { ...server.live.logins, perName: 1 }
  await post('/token', { ...login, password: 'wrong again' })
  await post('/token', { ...login, password: 'and again' })
  const other = await server.login({ client_id: 'strict' }).catch(() => undefined)
  t.equal(other, undefined, 'the name is throttled')
  server.live.logins = { ...server.live.logins, perName: 1_000_000 }
  clock.advance(3_600_000)
  const last = await server.login()
  await server.introspect(last.access_token)
  await server.introspect('nonsense')
  await post('/revoke', { token: last.access_token, client_id: 'bare' })
  await post('/revoke', { token: last.access_token, client_id: 'mobile' })
  await post('/revoke', { token: last.refresh_token, client_id: 'mobile' })
  await server.introspect(last.access_token)
  await server.app.inject('/.well-known/jwks.json')
}

t.test('everything is counted', async t => {
  const server = await serverOf(t)
  for (const change of [
    'opened',
    'rotated',
    'replayed',
    'late',
    'healed',
    'reused',
    'ended',
  ]) {
    t.equal(
      await valueOf(server, `latchkey_families_total{change="${change}"}`),
      0,
      `${change} is there before it happens`,
    )
  }
  await journey(server)
  const rows: Record<string, number> = {
    'latchkey_families_total{change="opened"}': 2,
    'latchkey_families_total{change="rotated"}': 1,
    'latchkey_families_total{change="replayed"}': 1,
    'latchkey_families_total{change="late"}': 1,
    'latchkey_families_total{change="healed"}': 0,
    'latchkey_families_total{change="reused"}': 1,
    'latchkey_families_total{change="ended"}': 1,
    'latchkey_grants_total{grant="password",outcome="issued",reason=""}': 2,
    'latchkey_grants_total{grant="refresh_token",outcome="issued",reason=""}': 3,
    'latchkey_grants_total{grant="refresh_token",outcome="refused",reason="token_reused"}': 1,
    'latchkey_grants_total{grant="password",outcome="refused",reason="user_unknown"}': 1,
    'latchkey_grants_total{grant="none",outcome="refused",reason="grant_unknown"}': 1,
    'latchkey_grants_total{grant="none",outcome="refused",reason="malformed_request"}': 1,
    'latchkey_grants_total{grant="password",outcome="refused",reason="client_unknown"}': 1,
    'latchkey_logins_throttled_total{by="network"}': 0,
    'latchkey_introspections_total{answer="active",reason="active"}': 1,
    'latchkey_introspections_total{answer="inactive",reason="token_invalid"}': 1,
    'latchkey_audit_events_total{type="refresh.reused",reason=""}': 1,
    'latchkey_audit_events_total{type="user.changed",reason="added"}': 1,
    'latchkey_audit_events_total{type="revocation.refused",reason="client_mismatch"}': 1,
    'latchkey_jwks_answers_total{status="200"}': 1,
    'latchkey_compat_requests_total{switch="json"}': 0,
    'latchkey_http_request_duration_seconds_count{method="POST",route="/introspect",status="200"}': 3,
    ['latchkey_http_request_duration_seconds_bucket' +
    '{method="POST",route="/introspect",status="200",le="+Inf"}']: 3,
    'latchkey_store_command_duration_seconds_count{command="families.rotate"}': 4,
    latchkey_audit_faults_total: 0,
    latchkey_hash_queue: 0,
    latchkey_hash_working: 0,
    'latchkey_build_info{version=""}': 1,
  }
  for (const [series, value] of Object.entries(rows)) {
    t.equal(await valueOf(server, series), value, series)
  }
  t.ok(Number(await valueOf(server, 'latchkey_logins_throttled_total{by="pair"}')) > 0)

  await server.store.close()
  await server.refresh((await server.app.inject('/')).body)
  await server.post('/token', {
    grant_type: 'password',
    client_id: 'mobile',
    username: 'alice',
    password: PASSWORD,
  })
  t.equal(
    await valueOf(server, 'latchkey_store_errors_total{command="users.by_name"}'),
    1,
  )
  t.equal(
    await valueOf(
      server,
      'latchkey_grants_total{grant="password",outcome="failed",reason="store_unavailable"}',
    ),
    1,
    'a fault is no refusal',
  )
})

t.test('the key ring is shown: state, instants, the next turn', async t => {
  const server = await serverOf(t)
  const [signing, next] = server.keys.describe()
  const labels = (key = signing) => `{line="main",kid="${key?.kid}",alg="ES256"}`
  t.equal(await valueOf(server, `latchkey_key_state${labels()}`), 2)
  t.equal(await valueOf(server, `latchkey_key_state${labels(next)}`), 1)
  t.equal(
    await valueOf(server, `latchkey_key_sign_until_timestamp_seconds${labels()}`),
    Number(signing?.signUntil) / 1000,
  )
  t.equal(
    await valueOf(server, 'latchkey_key_next_turn_timestamp_seconds{line="main"}'),
    Number(next?.signFrom) / 1000,
  )
  await server.keys.rotate({ atOnce: true })
  t.equal(await valueOf(server, `latchkey_key_state${labels()}`), 3, 'retiring')
  t.equal(await valueOf(server, `latchkey_key_state${labels(next)}`), 2)
})

t.test('no caller can add a series', async t => {
  const server = await serverOf(t)
  const provoke = async (mark: string) => {
    for (const [url, form] of [
      ['/token', { grant_type: mark, client_id: 'mobile' }],
      ['/token', { grant_type: 'password', client_id: mark }],
      [
        '/token',
        {
          grant_type: 'password',
          client_id: 'mobile',
          username: mark,
          password: mark,
        },
      ],
      [
        '/token',
        { grant_type: 'refresh_token', client_id: 'mobile', refresh_token: `rt_${mark}` },
      ],
      [
        '/introspect',
        { token: mark, client_id: 'auditor', client_secret: 'auditor-secret' },
      ],
      [`/${mark}`, {}],
    ] as const) {
      await server.post(url, { ...form }, { 'x-forwarded-for': mark, 'user-agent': mark })
    }
    await server.app.inject({
      url: `/verify/${mark}`,
      headers: { 'latchkey-audience': mark },
    })
  }
  await provoke('first')
  const before = await seriesOf(server)
  for (let i = 0; i < 50; i++) await provoke(`mark-${i}`)
  t.same(await seriesOf(server), before)
  t.equal(new Set(before).size, before.length, 'no series is there twice')
})

t.test('histograms and counters as Prometheus reads them', async t => {
  const durations = createDurations({ name: 'x_seconds', help: 'X.', buckets: [0.1, 1] })
  const [a, plain] = [durations.series({ route: '/a"b' }), durations.series({})]
  for (const seconds of [0.1, 0.2, 7]) a(seconds)
  plain(1)
  t.equal(
    durations.render(),
    [
      '# HELP x_seconds X.',
      '# TYPE x_seconds histogram',
      'x_seconds_bucket{route="/a\\"b",le="0.1"} 1',
      'x_seconds_bucket{route="/a\\"b",le="1"} 2',
      'x_seconds_bucket{route="/a\\"b",le="+Inf"} 3',
      'x_seconds_sum{route="/a\\"b"} 7.3',
      'x_seconds_count{route="/a\\"b"} 3',
      'x_seconds_bucket{le="0.1"} 0',
      'x_seconds_bucket{le="1"} 1',
      'x_seconds_bucket{le="+Inf"} 1',
      'x_seconds_sum 1',
      'x_seconds_count 1',
      '',
    ].join('\n'),
  )
  const registry = new Registry()
  const tally = createTally(registry, {
    name: 'y_total',
    help: 'Y.',
    labelNames: ['key'],
    labelsOf: key => ({ key }),
    known: ['known'],
  })
  tally('new')
  tally('new')
  for (let asked = 0; asked < 2; asked++) {
    t.equal(
      await registry.metrics(),
      '# HELP y_total Y.\n# TYPE y_total counter\ny_total{key="known"} 0\ny_total{key="new"} 2\n',
    )
  }
})

t.test('OpenMetrics: the same series, and the latest trace of each bucket', async t => {
  const durations = createDurations({ name: 'x_seconds', help: 'X.', buckets: [0.1, 1] })
  const observe = durations.series({ route: '/a' })
  observe(0.05, 'first')
  observe(0.06, 'second')
  observe(0.5)
  observe(7, 'slow')
  t.match(
    durations.render('openmetrics'),
    [
      'x_seconds_bucket{route="/a",le="0.1"} 2 # {trace_id="second"} 0.06',
      'x_seconds_bucket{route="/a",le="1"} 3',
      'x_seconds_bucket{route="/a",le="+Inf"} 4 # {trace_id="slow"} 7',
      'x_seconds_sum',
    ].join('\n'),
  )
  t.notMatch(durations.render(), 'trace_id', "Prometheus' text format has none")
  const server = await serverOf(t)
  await server.app.inject('/userinfo')
  const get = (accept?: string) =>
    server.management.inject({ url: '/metrics', headers: accept ? { accept } : {} })
  const open = await get('application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
  t.equal(
    open.headers['content-type'],
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
  )
  t.ok(open.body.endsWith('\n# EOF\n'))
  t.notMatch(open.body, '\n\n')
  t.match(open.body, '# TYPE latchkey_grants counter\nlatchkey_grants_total{')
  const namesIn = (body: string) =>
    new Set([...body.matchAll(/^(latchkey_\w+)/gm)].map(([, name]) => name))
  const plain = await get()
  t.equal(plain.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  t.equal(plain.headers['vary'], 'accept')
  t.same(namesIn(open.body), namesIn(plain.body))
  const OPEN = 'application/openmetrics-text'
  const prometheus =
    `${OPEN};version=1.0.0;escaping=allow-utf-8;q=0.6,${OPEN};version=0.0.1;q=0.5,` +
    'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
  const rows: [accept: string, isOpen: boolean][] = [
    [prometheus, true],
    [OPEN, true],
    [`${OPEN};version=1.0.0;q=0,text/plain`, false],
    [`${OPEN};version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.5`, false],
    [`${OPEN};version=0.0.1`, false],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', false],
    ['image/png', false],
  ]
  for (const [accept, isOpen] of rows) {
    t.equal((await get(accept)).body.endsWith('# EOF\n'), isOpen, accept)
  }
})

t.test(
  'what counts up is a _total, what is in flight is shown, and time goes far',
  async t => {
    const server = await serverOf(t)
    await server.app.inject('/userinfo')
    const text = await server.metrics.render()
    for (const [, name = '', type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      t.equal(name.endsWith('_total'), type === 'counter', name)
    }
    t.match(text, /\nlatchkey_http_requests_in_flight 0\n/)
    for (const name of ['http_request_duration', 'hash_wait']) {
      t.match(text, RegExp(`latchkey_${name}_seconds_bucket\\{.*le="30"\\}`), name)
    }
  },
)

t.test(
  'every audit line keeps to the schema and names its request, at every log level',
  async t => {
    for (const logLevel of ['info', 'silent']) {
      const server = await serverOf(t, { logLevel })
      await journey(server)
      const lines = auditOf(server)
      for (const entry of lines) t.ok(line.Check(entry), JSON.stringify(entry))
      const types = new Set(lines.map(({ audit }) => audit.type))
      for (const type of [
        'login.succeeded',
        'login.failed',
        'login.throttled',
        'refresh.late',
        'refresh.reused',
        'client.refused',
        'token.revoked',
        'revocation.refused',
        'keys.changed',
        'user.changed',
      ]) {
        t.ok(types.has(type), type)
      }
      for (const type of ['introspected', 'refresh.rotated', 'refresh.replayed']) {
        t.notOk(types.has(type), type)
      }
      const traced = lines.filter(({ traceparent }) => traceparent !== undefined)
      t.match(traced, [
        {
          traceparent: TRACEPARENT,
          audit: { type: 'login.failed', reason: 'password_wrong' },
        },
      ])
      t.equal(traced.length, 1, 'a traceparent that is none is left out')
      for (const { reqId, audit } of lines) {
        t.equal(
          reqId === undefined,
          ['keys.changed', 'user.changed'].includes(audit.type),
          audit.type,
        )
      }
      if (logLevel === 'silent') {
        t.equal(server.lines.length, lines.length, 'nothing else is written')
      } else {
        t.match(
          server.lines
            .map(line => JSON.parse(line))
            .filter(({ reqId, msg }) => msg === 'answered' && reqId === traced[0].reqId),
          [{ traceparent: TRACEPARENT, status: 400 }],
          'the log has the request, too',
        )
      }
    }
  },
)

t.test(
  'audit.to a file: reopened after its rotation, and no line is lost to a full disk',
  async t => {
    const file = join(t.testdir(), 'audit.log')
    const [elsewhere, faults]: [string[], unknown[]] = [[], []]
    const open = (to: string) =>
      openAudit({
        to,
        output: {
          write: line => {
            elsewhere.push(line)
          },
        },
        failed: error => {
          faults.push(error)
        },
        clock: () => 5,
      })
    const event = { type: 'password.upgraded', sub: 'x' } as const
    const audit = open(file)
    audit.emit(event)
    renameSync(file, `${file}.1`)
    audit.emit(event)
    audit.reopen()
    audit.emit(event)
    t.equal(readFileSync(`${file}.1`, 'utf8').split('\n').length, 3)
    t.ok(line.Check(JSON.parse(readFileSync(file, 'utf8'))))
    rmSync(file)
    t.same([elsewhere, faults], [[], []])
    audit.close()

    const full = open('/dev/full')
    full.emit(event)
    t.match(faults, [{ code: 'ENOSPC' }])
    t.match(elsewhere, [/password\.upgraded/])
    full.close()
    const gone = open(join(t.testdir({ folder: {} }), 'folder', 'audit.log'))
    rmSync(join(t.testdirName, 'folder'), { recursive: true })
    gone.reopen()
    t.match(
      faults[1],
      { code: 'ENOENT' },
      "a file that can't be opened again: the one that is open goes on",
    )
    gone.close()
    t.throws(
      () => open(t.testdirName),
      { code: 'EISDIR' },
      "a start with a file that can't be opened is refused",
    )
    const beside = open('stdout')
    beside.emit(event)
    beside.reopen()
    beside.close()
    t.equal(elsewhere.length, 2)
  },
)

t.test(
  'docs/audit.md is written from the schema, and every reason code is in use',
  async t => {
    const page = readFileSync(join(root, 'docs/audit.md'), 'utf8')
    t.equal(page, await pageText(page), 'run node scripts/audit-page.ts')
    const source = globSync('src/**/*.{ts,lua}', { cwd: root })
      .filter(file => file !== 'src/base/events/reasons.ts')
      .map(file => readFileSync(join(root, file), 'utf8'))
      .join('')
    for (const reason of Object.keys(REASONS)) {
      t.ok(source.includes(reason.replace(/^throttled_by_(.*)/, '$1')), reason)
    }
  },
)
