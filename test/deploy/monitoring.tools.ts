// What Prometheus' own tools say of us: the metrics of a real server, the rules, and the rules' unit tests.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { postForm, startLatchkey, STORES, USER, PASSWORD } from '../support/server.ts'
import { PROJECT, run } from './support/commands.ts'

const RULES = 'helm/latchkey/files/alerts.yaml'

t.test('promtool finds nothing to say about /metrics', async t => {
  const store = await STORES[0]?.make()
  t.teardown(() => store?.remove())
  const server = await startLatchkey({ storeUrl: store?.url ?? '' })
  t.teardown(() => server.stop())
  const login = {
    grant_type: 'password',
    client_id: 'mobile',
    username: USER,
    password: PASSWORD,
  }
  t.equal((await postForm(`${server.url}/token`, login)).status, 200)
  t.equal(
    (await postForm(`${server.url}/token`, { ...login, password: 'wrong' })).status,
    400,
  )
  t.equal((await fetch(`${server.url}/.well-known/jwks.json`)).status, 200)
  const metrics = await (await fetch(`${server.managementUrl}/metrics`)).text()
  t.match(metrics, 'latchkey_grants_total')
  const { code, stdout, stderr } = await run('promtool', ['check', 'metrics'], {
    input: metrics,
  })
  t.equal(code, 0)
  t.equal(stdout + stderr, '')
  t.not(
    (
      await run('promtool', ['check', 'metrics'], {
        input: `${metrics}latchkey_grants_total 1 2 3\n`,
      })
    ).code,
    0,
    'it looks',
  )
})

interface UnitTest {
  readonly interval: string
  readonly input_series: ReadonlyArray<{ series: string; values: string }>
  readonly alert_rule_test: ReadonlyArray<{
    alertname: string
    exp_alerts: readonly ExpectedAlert[]
  }>
}
interface ExpectedAlert {
  readonly exp_labels: Readonly<Record<string, string>>
  readonly exp_annotations: Readonly<Record<string, string>>
}

/**
 * Runs the unit tests in a folder, each by rules that are evaluated as often as it has samples: a day of
 * every minute takes a minute to work out, and says no more than one of every fifth.
 */
async function testRules(
  folder: string,
  rules: readonly string[],
  tests: readonly UnitTest[],
): Promise<{ readonly code: number; readonly said: string }> {
  const files: string[] = []
  for (const interval of new Set(tests.map(test => test.interval))) {
    const file = join(folder, `tests-${interval}.yaml`)
    const mine = tests.filter(test => test.interval === interval)
    await writeFile(
      file,
      stringify({ rule_files: rules, evaluation_interval: interval, tests: mine }),
    )
    files.push(file)
  }
  const { code, stdout, stderr } = await run('promtool', ['test', 'rules', ...files])
  return { code, said: stdout + stderr }
}

const unitTests = (): UnitTest[] =>
  parse(readFileSync('test/deploy/alerts.rules-test.yaml', 'utf8')).tests

t.test('promtool takes the rules, and each alert fires on its cause alone', async t => {
  const checked = await run('promtool', ['check', 'rules', RULES])
  t.equal(checked.code, 0, checked.stderr)
  t.match(checked.stdout, /SUCCESS: \d+ rules found/)
  const tested = await testRules(t.testdir({}), [join(PROJECT, RULES)], unitTests())
  t.equal(tested.code, 0, tested.said)
})

/** Releases in one Prometheus, in one namespace. */
const RELEASES = [
  { release: 'latchkey', namespace: 'id' },
  { release: 'staff', namespace: 'id' },
] as const

/** The unit tests as they hold with every release's rules: what they expect of the first release, once. */
function ofFirstRelease(tests: readonly UnitTest[]): UnitTest[] {
  const page = 'https://github.com/latchkey/latchkey/blob/main/docs/runbook.md'
  // The others are well, so that they aren't missed.
  const others = RELEASES.slice(1).map(({ release, namespace }) => ({
    series: `latchkey_build_info{namespace="${namespace}",job="${release}",instance="z"}`,
    values: '1x2000',
  }))
  const expected = (alertname: string, alert: ExpectedAlert) => ({
    exp_labels: {
      ...alert.exp_labels,
      ...(alertname === 'LatchkeyDown' ? { namespace: 'id', job: 'latchkey' } : {}),
    },
    exp_annotations: {
      ...alert.exp_annotations,
      runbook_url: `${page}#${alertname.toLowerCase()}`,
    },
  })
  return tests.map(({ alert_rule_test: asked, input_series: series, ...test }) => ({
    ...test,
    input_series: [...series, ...others],
    alert_rule_test: asked.map(({ exp_alerts: alerts, ...rest }) => ({
      ...rest,
      exp_alerts: alerts
        .filter(({ exp_labels: { namespace = 'id' } }) => namespace === 'id')
        .map(alert => expected(rest.alertname, alert)),
    })),
  }))
}

t.test('two releases in one Prometheus: each alert comes once, of its own', async t => {
  const folder = t.testdir({})
  for (const [index, { release, namespace }] of RELEASES.entries()) {
    const rendered = await run('helm', [
      ...['template', release, 'helm/latchkey', '--namespace', namespace],
      ...['--kube-version', '1.37.0', '--values', 'helm/latchkey/ci/minimal-values.yaml'],
      ...['--set', 'metrics.prometheusRule.enabled=true'],
      ...['--show-only', 'templates/prometheusrule.yaml'],
    ])
    t.equal(rendered.code, 0, rendered.stderr)
    const { groups } = parse(rendered.stdout).spec
    // Groups of one name stand in files of their own, as the operator writes them.
    await writeFile(join(folder, `rules-${index}.yaml`), stringify({ groups }))
  }
  const mine = ofFirstRelease(unitTests())
  const fired = new Set(
    mine.flatMap(({ alert_rule_test: asked }) =>
      asked.flatMap(({ alertname, exp_alerts: alerts }) =>
        alerts.length > 0 ? [alertname] : [],
      ),
    ),
  )
  t.ok(fired.size >= 25, `${fired.size} alerts`)
  const rules = RELEASES.map((_, index) => `rules-${index}.yaml`)
  const tested = await testRules(folder, rules, mine)
  t.equal(tested.code, 0, tested.said)
  // The same rules twice, as two releases had them before they were bound: each alert comes twice.
  const { groups } = parse(readFileSync(join(folder, 'rules-0.yaml'), 'utf8'))
  const copy = groups.map(({ name, rules }: any) => ({ name: `${name}.copy`, rules }))
  await writeFile(join(folder, 'copy.yaml'), stringify({ groups: copy }))
  const twice = await testRules(folder, ['rules-0.yaml', 'copy.yaml'], mine.slice(0, 1))
  t.not(twice.code, 0, 'it counts')
})

t.test(
  'one alert has another threshold, and what is no alert is refused by name',
  async t => {
    const template = (...sets: string[]) =>
      run('helm', [
        ...['template', 'id', 'helm/latchkey', '--kube-version', '1.31.0'],
        ...['--values', 'helm/latchkey/ci/minimal-values.yaml'],
        ...['--set', 'metrics.prometheusRule.enabled=true'],
        ...sets.flatMap(set => ['--set-json', `metrics.prometheusRule.${set}`]),
        ...['--show-only', 'templates/prometheusrule.yaml'],
      ])
    const changed = await template(
      'alerts.LatchkeyStoreSlow.threshold=0.25',
      'alerts.LatchkeyStoreSlow.for="30m"',
      'alerts.LatchkeyStoreSlow.severity="critical"',
      'selector="job=\\"mine\\""',
    )
    t.equal(changed.code, 0, changed.stderr)
    const rules = parse(changed.stdout).spec.groups.flatMap(
      (group: { rules: object[] }) => group.rules,
    )
    const slow = rules.find(
      ({ alert }: { alert?: string }) => alert === 'LatchkeyStoreSlow',
    )
    t.match(slow, {
      for: '30m',
      labels: { severity: 'critical' },
      annotations: { threshold: '0.25' },
    })
    t.match(slow.expr, /job="mine",command[^]*> 0\.25$/m)
    t.notMatch(changed.stdout, 'job=~')
    for (const [set, words] of [
      ['alerts.LatchkeyTypo.for="1m"', 'LatchkeyTypo is no alert'],
      ['disabled=["LatchkeyTypo"]', 'LatchkeyTypo is no alert'],
      [
        'alerts.LatchkeyDown.threshold=1',
        'alerts.LatchkeyDown.threshold: this alert has none',
      ],
      [
        'alerts.LatchkeyDown.for="soon"',
        'metrics.prometheusRule.alerts.LatchkeyDown.for',
      ],
    ] as const) {
      const refused = await template(set)
      t.equal(refused.code, 1)
      t.match(refused.stderr.replaceAll('/', '.'), words, set)
    }
  },
)

t.test('while nothing is scraped, the dashboard shows no number', async t => {
  const board = JSON.parse(readFileSync('helm/latchkey/files/dashboard.json', 'utf8'))
  const queries: string[] = board.panels
    .flatMap(({ targets = [] }: any) => targets)
    .map(({ expr }: any) =>
      expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(namespace|job)\b/g, '.*'),
    )
  t.ok(queries.length > 30)
  const testOf = (input: readonly object[], asked: readonly string[]) =>
    stringify({
      rule_files: [],
      tests: [
        {
          interval: '1m',
          input_series: input,
          promql_expr_test: asked.map(expr => ({
            expr,
            eval_time: '30m',
            exp_samples: [],
          })),
        },
      ],
    })
  const folder = t.testdir({
    'nothing.yaml': testOf([], queries),
    'a-zero.yaml': testOf([], ['vector(0)']),
  })
  const nothing = await run('promtool', ['test', 'rules', join(folder, 'nothing.yaml')])
  t.equal(nothing.code, 0, nothing.stdout + nothing.stderr)
  const zero = await run('promtool', ['test', 'rules', join(folder, 'a-zero.yaml')])
  t.not(zero.code, 0, 'a zero out of nothing is found')
})
