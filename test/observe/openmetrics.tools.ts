// A real Prometheus scrapes OpenMetrics of a server that is traced, and keeps its exemplars.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { startCollector } from '../support/otlp.ts'
import { postForm, startLatchkey, STORES } from '../support/server.ts'
import { until } from '../support/until.ts'

t.test('Prometheus reads OpenMetrics, exemplars too', async t => {
  const collector = await startCollector()
  t.teardown(() => collector.close())
  const store = await STORES[0]?.make()
  t.teardown(() => store?.remove())
  const server = await startLatchkey({
    storeUrl: store?.url ?? '',
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
  })
  t.teardown(() => server.stop())
  await postForm(`${server.url}/token`, { grant_type: 'refresh_token' })

  const [dir, port] = [t.testdir(), await freePort()]
  const target = new URL(server.managementUrl).host
  await writeFile(
    join(dir, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [{ job_name: 'latchkey', static_configs: [{ targets: [target] }] }],
    }),
  )
  const child = startChild(
    'prometheus',
    [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  t.teardown(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  })
  const ask = async (path: string): Promise<any> => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => {})
    return answer?.ok ? ((await answer.json()) as any).data : undefined
  }
  const exemplars = () =>
    ask(
      `query_exemplars?query=latchkey_http_request_duration_seconds_bucket&start=` +
        `${Date.now() / 1000 - 600}&end=${Date.now() / 1000 + 600}`,
    )
  await until(async () => (await exemplars())?.length > 0)
  t.match(await exemplars(), [
    {
      seriesLabels: { route: '/token', status: '401' },
      exemplars: [{ labels: { trace_id: /^[0-9a-f]{32}$/ } }],
    },
  ])
  t.match(await ask('query?query=up'), { result: [{ value: [Number, '1'] }] })
  t.match(
    await ask('query?query=latchkey_grants_total'),
    { result: [{ metric: { __name__: 'latchkey_grants_total' } }] },
    'the name of a counter stays',
  )
})
