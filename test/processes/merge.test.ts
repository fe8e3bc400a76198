// The metrics of several processes as those of one.
import t from 'tap'
import {
  countsOf,
  gaugeRule,
  mergeFamilies,
  parseFamilies,
  renderFamilies,
} from '../../src/observe/metrics/merge.ts'
import { createMetrics } from '../../src/observe/metrics/metrics.ts'
import { createSupervisorMetrics } from '../../src/observe/metrics/process-metrics.ts'

const merged = (texts: readonly string[], format: 'text' | 'openmetrics' = 'text') =>
  renderFamilies(mergeFamilies(texts.map(parseFamilies)), format)

const gauge = (name: string, value: string, labels = '') =>
  `# HELP ${name} What.\n# TYPE ${name} gauge\n${name}${labels} ${value}\n`

t.test('one process alone stays as it is, in both formats', async t => {
  const metrics = createMetrics('1.2.3')
  metrics.countJwks(200)
  const seen = { method: 'POST', route: '/a "b" {c}', status: 200, seconds: 0.002 }
  metrics.observeRequest({ ...seen, traceId: 'ab12' })
  // What changes by itself from one look to the next.
  const still = (text: string) =>
    text
      .split('\n')
      .filter(line => line !== '' && !/^(# \w+ )?(process|nodejs)_/.test(line))
  const open = await metrics.render('openmetrics')
  t.same(still(merged([open], 'openmetrics')), still(open))
  t.match(open, 'trace_id="ab12"')
  t.same(still(merged([open])), still(await metrics.render('text')))
})

t.test('counters and histograms are summed, series by series', async t => {
  const [one, other] = [createMetrics(), createMetrics()]
  one.countReload('taken')
  other.countReload('taken')
  other.countReload('refused')
  one.observeHashWait(0.003)
  other.observeHashWait(0.3)
  other.storeCommand('rotate')(0.001, true)
  const text = merged([
    await one.render('openmetrics'),
    await other.render('openmetrics'),
  ])
  for (const line of [
    'latchkey_config_reloads_total{result="taken"} 2',
    'latchkey_config_reloads_total{result="refused"} 1',
    'latchkey_hash_wait_seconds_bucket{le="0.005"} 1',
    'latchkey_hash_wait_seconds_bucket{le="+Inf"} 2',
    'latchkey_hash_wait_seconds_count 2',
    'latchkey_store_errors_total{command="rotate"} 1',
    'latchkey_processes 2',
    'latchkey_config_refused 1',
  ]) {
    t.ok(text.split('\n').includes(line), line)
  }
})

t.test('each gauge by its rule', async t => {
  const both = (name: string, one: string, other: string) =>
    merged([gauge(name, one), gauge(name, other)])
      .trim()
      .split(' ')
      .at(-1)
  t.equal(both('latchkey_connections', '2', '3'), '5')
  t.equal(both('latchkey_store_up', '1', '0'), '0')
  t.equal(both('latchkey_store_lost', '0', '1'), '1')
  t.equal(both('latchkey_outbox_length', '4', '4'), '4')
  t.equal(both('process_resident_memory_bytes', '5', '6'), '11')
  t.equal(both('process_start_time_seconds', '5', '6'), '5')
  t.equal(both('nodejs_eventloop_lag_p99_seconds', 'Nan', '0.25'), '0.25')
  t.equal(both('nodejs_eventloop_lag_p99_seconds', '0.25', 'Nan'), '0.25')
  t.equal(both('a_stranger', '1', '2'), '2')
})

t.test('every gauge that there is has a rule', async t => {
  const metrics = createMetrics()
  const zero = () => 0
  metrics.showHashing(() => ({ waiting: 0, working: 0 }))
  metrics.showInFlight(zero)
  metrics.showProxy(() => false)
  metrics.showStatus(() => ({ lists: 0, revoked: 0 }))
  metrics.showKeys(() => [])
  metrics.showStore(() => ({
    isReached: true,
    isLost: false,
    revocations: { kept: 0, repeated: 0 },
  }))
  const families = [
    ...parseFamilies(await metrics.render('openmetrics')),
    ...parseFamilies(await createSupervisorMetrics().render()),
  ]
  const gauges = families.filter(({ type }) => type === 'gauge').map(({ name }) => name)
  t.ok(gauges.length > 30)
  t.same(
    gauges.filter(name => gaugeRule(name) === undefined),
    [],
  )
  t.same(
    [...new Set(families.map(({ type }) => type))].sort(),
    ['counter', 'gauge', 'histogram'],
    'no other type has to be summed',
  )
})

t.test('what is left of a process is what it counted', async t => {
  const metrics = createMetrics()
  metrics.countJwks(304)
  const left = countsOf(parseFamilies(await metrics.render('openmetrics')))
  const text = renderFamilies(left, 'text')
  t.match(text, 'latchkey_jwks_answers_total{status="304"} 1')
  t.notMatch(text, ' gauge')
})
