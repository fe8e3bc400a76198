// What Prometheus' own tools say of us: the metrics of a real server, the rules, and the rules' unit tests.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { postForm, startLatchkey, STORES, USER, PASSWORD } from '../support/server.ts'
import { run } from './support/commands.ts'

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

t.test('promtool takes the rules, and each alert fires on its cause alone', async t => {
  const checked = await run('promtool', ['check', 'rules', RULES])
  t.equal(checked.code, 0, checked.stderr)
  t.match(checked.stdout, /SUCCESS: \d+ rules found/)
  const tested = await run('promtool', [
    'test',
    'rules',
    'test/deploy/alerts.rules-test.yaml',
  ])
  t.equal(tested.code, 0, tested.stdout + tested.stderr)
})

t.test(
  'two releases in one Prometheus: each alert comes once, of the release that has it',
  async t => {
    const releases = [
      { release: 'id', namespace: 'shop' },
      { release: 'staff', namespace: 'shop' },
      { release: 'id', namespace: 'bank' },
    ]
    const folder = t.testdir({})
    const values = ['minimal', 'monitoring'].map(
      name => `helm/latchkey/ci/${name}-values.yaml`,
    )
    for (const [index, { release, namespace }] of releases.entries()) {
      const rendered = await run('helm', [
        'template',
        release,
        'helm/latchkey',
        ...['--namespace', namespace, '--kube-version', '1.31.0'],
        ...values.flatMap(file => ['--values', file]),
        ...['--set', 'metrics.prometheusRule.enabled=true'],
        ...['--show-only', 'templates/prometheusrule.yaml'],
      ])
      t.equal(rendered.code, 0, rendered.stderr)
      const { groups } = parse(rendered.stdout).spec
      // Groups of one name stand in files of their own, as the operator writes them.
      await writeFile(join(folder, `rules-${index}.yaml`), stringify({ groups }))
    }
    const labels = 'namespace="shop",job="staff"'
    const test = {
      rule_files: releases.map((_, index) => `rules-${index}.yaml`),
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: [
            {
              series: 'latchkey_build_info{namespace="shop",job="id",instance="a"}',
              values: '1x60',
            },
            {
              series: `latchkey_build_info{${labels},instance="b"}`,
              values: '1x10 _x50',
            },
            {
              series: 'latchkey_build_info{namespace="bank",job="id",instance="c"}',
              values: '1x60',
            },
            {
              series: 'latchkey_store_up{namespace="shop",job="id",instance="a"}',
              values: '0x60',
            },
            {
              series: 'latchkey_store_up{namespace="bank",job="id",instance="c"}',
              values: '1x60',
            },
          ],
          alert_rule_test: [
            { eval_time: '30m', ...firing('LatchkeyDown', 'staff') },
            { eval_time: '30m', ...firing('LatchkeyStoreDown', 'id') },
          ],
        },
      ],
    }
    await writeFile(join(folder, 'test.yaml'), stringify(test))
    const tested = await run('promtool', ['test', 'rules', join(folder, 'test.yaml')])
    t.equal(tested.code, 0, tested.stdout + tested.stderr)

    function firing(alertname: string, job: string) {
      const rules = parse(readFileSync(RULES, 'utf8')).groups.flatMap(
        (group: { rules: object[] }) => group.rules,
      )
      const { summary } = rules.find(
        ({ alert }: { alert?: string }) => alert === alertname,
      ).annotations
      const page = 'https://wiki.example.com/latchkey/runbook.md'
      return {
        alertname,
        exp_alerts: [
          {
            exp_labels: { severity: 'critical', namespace: 'shop', job },
            exp_annotations: {
              summary,
              runbook_url: `${page}#${alertname.toLowerCase()}`,
            },
          },
        ],
      }
    }
  },
)

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
    t.match(slow.expr, /\{job="mine",command.*> 0\.25$/m)
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
