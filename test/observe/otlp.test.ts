// Metrics and log lines over OTLP/HTTP: what a real server sends to a collector, what it never sends, and
// that a collector that is away costs nothing but what it should have got.
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { ConfigError } from '../../src/config/faults.ts'
import { otlpSettings, traceSettings } from '../../src/config/tracing.ts'
import { logRecordOf } from '../../src/observe/otlp/log-record.ts'
import { metricDataOf } from '../../src/observe/otlp/metric-data.ts'
import { openOtlp } from '../../src/observe/otlp/open.ts'
import { readFamilies } from '../../src/observe/otlp/prometheus-text.ts'
import { configOf, startInProcess } from '../support/in-process.ts'
import { postForm } from '../support/server.ts'
import { until } from '../support/until.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`
const LINE = '{"level":30,"time":1,"msg":"x"}'
const SPAN: { startTime: [number, number]; endTime: [number, number] } = {
  startTime: [1, 0],
  endTime: [2, 0],
}

/** A collector that keeps what it gets, by path. */
async function startCollector(t: Test, status = 200) {
  const got: Record<string, any[]> = { '/v1/metrics': [], '/v1/logs': [] }
  const server = createServer((request, reply) => {
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      got[String(request.url)]?.push(JSON.parse(body))
      reply.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const settings = (url: string) =>
  otlpSettings({
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_LOGS_EXPORTER: 'otlp',
  })

t.test('a server sends its metrics and its log lines, and no secret', async t => {
  const collector = await startCollector(t)
  const server = await startInProcess(t, {
    config: configOf('sqlite::memory:'),
    otlp: settings(collector.url),
  })
  const answer = await fetch(`${server.url}/token`, {
    method: 'POST',
    headers: { traceparent: TRACEPARENT, 'x-request-id': 'my-id' },
    body: new URLSearchParams({
      grant_type: 'password',
      client_id: 'mobile',
      username: 'canary-name',
      password: 'canary-password',
    }),
  })
  t.equal(answer.status, 400)
  await server.close()
  const [sent] = collector.got['/v1/metrics'] ?? []
  t.ok(
    sent.resourceMetrics[0].resource.attributes.some(
      ({ key, value }: any) => key === 'service.name' && value.stringValue === 'latchkey',
    ),
  )
  const metrics = sent.resourceMetrics.flatMap(({ scopeMetrics }: any) =>
    scopeMetrics.flatMap((scope: any) => scope.metrics),
  )
  const named = (name: string) => metrics.find((metric: any) => metric.name === name)
  t.match(named('latchkey_grants'), {
    sum: { isMonotonic: true, aggregationTemporality: 2 },
  })
  t.match(named('latchkey_http_requests_in_flight'), { gauge: { dataPoints: [{}] } })
  const duration = named('latchkey_http_request_duration_seconds')
  t.match(duration, { unit: 's', histogram: { dataPoints: [{ count: 1 }] } })
  const [point] = duration.histogram.dataPoints
  t.equal(point.bucketCounts.length, point.explicitBounds.length + 1)

  const records = (collector.got['/v1/logs'] ?? []).flatMap(({ resourceLogs }: any) =>
    resourceLogs.flatMap(({ scopeLogs }: any) =>
      scopeLogs.flatMap(({ logRecords }: any) => logRecords),
    ),
  )
  const answered = records.find(({ body }: any) => body.stringValue === 'answered')
  t.match(answered, { severityText: 'INFO', traceId: TRACE })
  const attributes = (record: any) =>
    Object.fromEntries(
      record.attributes.map(({ key, value }: any) => [key, Object.values(value)[0]]),
    )
  t.match(attributes(answered), { reqId: 'my-id', route: '/token', status: 400 })
  const audit = records.find(({ body }: any) => body.stringValue === 'audit')
  t.ok(audit, 'audit lines, too')
  t.ok(records.some((record: any) => attributes(record)['audit.type'] === 'login.failed'))
  t.notMatch(JSON.stringify(collector.got), /canary/)
  t.ok(
    server.lines.some(line => line.includes('"answered"')),
    'as is written here',
  )
})

t.test('a collector that refuses is reported once, and costs no request', async t => {
  const collector = await startCollector(t, 400)
  const server = await startInProcess(t, {
    config: configOf('sqlite::memory:'),
    otlp: settings(collector.url),
  })
  t.equal((await postForm(`${server.url}/token`, {})).status, 401)
  const reported = () => server.lines.filter(line => line.includes('could not be sent'))
  await until(() => reported().length > 0)
  await server.close()
  t.ok(reported().length <= 2, 'of each kind the first')
})

t.test('more lines than may wait are lost, and that is reported once', async t => {
  const collector = await startCollector(t)
  const failures: unknown[] = []
  const sender = openOtlp({
    version: '1',
    render: async () => '',
    failed: error => {
      failures.push(error)
      sender.log(LINE)
    },
    clock: () => 5_000,
    targets: { metrics: undefined, logs: { url: `${collector.url}/v1/logs` } },
  })
  const sent = () =>
    (collector.got['/v1/logs'] ?? []).flatMap(({ resourceLogs }: any) =>
      resourceLogs.flatMap(({ scopeLogs }: any) =>
        scopeLogs.flatMap(({ logRecords }: any) => logRecords),
      ),
    ).length
  for (let count = 0; count < 10_000; count++) sender.log(LINE)
  t.match(failures, [{ code: 'LOG_QUEUE_FULL', message: /^2048 log lines wait/ }])
  await until(() => sent() === 2_048)
  // Once the collector has caught up the next loss is news.
  for (let count = 0; count < 10_000; count++) sender.log(LINE)
  t.equal(failures.length, 2)
  await until(() => sent() === 4_096)
  await sender.close()
  t.equal(sent(), 4_096, 'every line was sent, or its loss reported')
})

t.test('only what is asked for is sent', async t => {
  const collector = await startCollector(t)
  const base = {
    version: '1',
    render: async () => 'x 1\n',
    failed: () => {},
    clock: () => 5_000,
  }
  const logs = { url: `${collector.url}/v1/logs` }
  const none = openOtlp({ ...base, targets: { metrics: undefined, logs: undefined } })
  none.log('{"msg":"x"}')
  await none.close()
  const onlyLogs = openOtlp({ ...base, targets: { metrics: undefined, logs } })
  onlyLogs.log('{"level":30,"time":1,"msg":"x"}')
  onlyLogs.log('no JSON')
  await onlyLogs.close()
  const url = `${collector.url}/v1/metrics`
  const onlyMetrics = openOtlp({
    ...base,
    targets: { metrics: { url, intervalMs: 60_000 }, logs: undefined },
  })
  onlyMetrics.log('{"level":30,"time":1,"msg":"x"}')
  await onlyMetrics.close()
  t.equal(collector.got['/v1/logs']?.length, 1)
  t.equal(collector.got['/v1/metrics']?.length, 1)
})

t.test("Prometheus' text is read whole", async t => {
  const text = [
    '# HELP a_total A.',
    '# TYPE a_total counter',
    'a_total{x="1",y="q\\"uote"} 2',
    '# HELP b_bytes B.',
    '# TYPE b_bytes gauge',
    'b_bytes 3.5',
    'b_bytes{when="never"} NaN',
    'b_bytes{limit="none"} +Inf',
    '# HELP c_seconds C.',
    '# TYPE c_seconds histogram',
    'c_seconds_bucket{r="/a",le="0.1"} 1',
    'c_seconds_bucket{r="/a",le="+Inf"} 3',
    'c_seconds_sum{r="/a"} 7',
    'c_seconds_count{r="/a"} 3',
    '',
  ].join('\n')
  const data = readFamilies(`stray 1\n${text}`).map(each => metricDataOf(each, SPAN))
  t.match(data, [
    {
      descriptor: { name: 'a', description: 'A.', unit: '1' },
      isMonotonic: true,
      dataPoints: [{ ...SPAN, attributes: { x: '1', y: 'q"uote' }, value: 2 }],
    },
    {
      descriptor: { name: 'b_bytes', unit: 'By' },
      dataPoints: [{ attributes: {}, value: 3.5 }],
    },
    {
      descriptor: { name: 'c_seconds', unit: 's' },
      dataPoints: [
        {
          attributes: { r: '/a' },
          value: { buckets: { boundaries: [0.1], counts: [1, 2] }, sum: 7, count: 3 },
        },
      ],
    },
  ])
  const values = readFamilies(text)[1]?.samples.map(({ value }) => value)
  t.same(values, [3.5], 'what is no number is left out: in JSON it would be null')
})

t.test('a line becomes a record; what a record of a log lacks is left out', async t => {
  const line = (more: object) =>
    JSON.stringify({ level: 40, time: 5, pid: 1, hostname: 'h', msg: 'x', ...more })
  t.match(logRecordOf(line({ a: { b: true, c: [1] }, d: null })), {
    timestamp: 5,
    severityNumber: 13,
    severityText: 'WARN',
    body: 'x',
    attributes: { 'a.b': true, 'a.c': '[1]', d: 'null' },
  })
  t.match(logRecordOf(line({ level: 35 })), { severityNumber: 0, severityText: '35' })
  t.equal(logRecordOf('no JSON'), undefined)
})

t.test('the variables; each that is wrong is named', async t => {
  const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }
  t.equal(otlpSettings({}), undefined)
  t.equal(otlpSettings(ENDPOINT), undefined, 'neither is sent unasked')
  t.equal(
    otlpSettings({ ...ENDPOINT, OTEL_LOGS_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'true' }),
    undefined,
  )
  t.same(otlpSettings({ ...ENDPOINT, OTEL_LOGS_EXPORTER: 'otlp' }), {
    metrics: undefined,
    logs: { url: 'http://collector:4318/v1/logs' },
  })
  t.same(
    otlpSettings({
      ...ENDPOINT,
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_METRIC_EXPORT_INTERVAL: '5000',
    }),
    {
      metrics: { url: 'http://collector:4318/v1/metrics', intervalMs: 5000 },
      logs: undefined,
    },
  )
  t.equal(traceSettings({ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }), undefined)
  t.throws(
    () =>
      otlpSettings({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'collector',
        OTEL_METRICS_EXPORTER: 'otlp',
        OTEL_METRIC_EXPORT_INTERVAL: '5',
      }),
    {
      constructor: ConfigError,
      message: /^OTEL_METRIC_EXPORT_INTERVAL: .*\nOTEL_EXPORTER_OTLP_ENDPOINT: [^\n]*$/,
    },
  )
})

t.test('what a platform sets for all that it runs stops no start', t => {
  const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }
  for (const others of ['prometheus', 'console', 'none', '', 'prometheus,console']) {
    const env = { OTEL_METRICS_EXPORTER: others, OTEL_LOGS_EXPORTER: others }
    t.equal(otlpSettings({ ...ENDPOINT, ...env }), undefined, JSON.stringify(others))
  }
  for (const list of ['prometheus,otlp', 'otlp, console']) {
    const env = { OTEL_METRICS_EXPORTER: list, OTEL_METRIC_EXPORT_INTERVAL: '' }
    t.match(otlpSettings({ ...ENDPOINT, ...env }), { metrics: { intervalMs: 60_000 } })
  }
  // The interval of metrics, where only log lines are sent.
  const logs = { OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRIC_EXPORT_INTERVAL: '5' }
  t.match(otlpSettings({ ...ENDPOINT, ...logs }), { metrics: undefined })
  const empty = { OTEL_TRACES_SAMPLER: '', OTEL_TRACES_SAMPLER_ARG: '' }
  t.match(traceSettings({ ...ENDPOINT, ...empty }), { sampling: { share: 1 } })
  t.end()
})
