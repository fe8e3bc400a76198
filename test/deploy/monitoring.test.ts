// The alerts, the runbook and the dashboard speak of what exists: every metric, label and reason code that a
// query names is one of a real server's, and every alert leads to its section.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { REASONS } from '../../src/base/events/reasons.ts'
import { buildTestApp } from '../support/app.ts'

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly annotations?: Record<string, string>
}
interface Panel {
  readonly title: string
  readonly type: string
  readonly description: string
  readonly links: ReadonlyArray<{ readonly title: string; readonly url: string }>
  readonly fieldConfig: { readonly defaults: Defaults }
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets: ReadonlyArray<{ readonly expr: string }>
}
interface Defaults {
  readonly unit: string
  readonly noValue?: string
  readonly color?: { readonly mode: string }
  readonly thresholds?: {
    readonly steps: ReadonlyArray<{
      readonly color: string
      readonly value: number | null
    }>
  }
}

const rules: readonly Rule[] = parse(
  read('helm/latchkey/files/alerts.yaml'),
).groups.flatMap((group: { rules: Rule[] }) => group.rules)
const alerts = rules.filter(({ alert }) => alert !== undefined)
const dashboard: { panels: readonly Panel[]; links: Panel['links'] } = JSON.parse(
  read('helm/latchkey/files/dashboard.json'),
)
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const runbook = read('docs/runbook.md')

/** Names of metrics in a query. */
const namesIn = (query: string) => query.match(/\b(?:latchkey|nodejs|process)_\w+/g) ?? []

/** The values that a query wants of a label, one by one. */
function valuesIn(query: string, label: string): string[] {
  return [...query.matchAll(new RegExp(`\\b${label}=~?"([^"]*)"`, 'g'))].flatMap(
    ([, values = '']) => values.split('|'),
  )
}

/** What a server exposes after a login, a refresh and an introspection. */
async function exposed() {
  const server = await buildTestApp()
  const tokens = await server.login()
  await server.refresh(tokens.refresh_token)
  await server.introspect(tokens.access_token)
  server.metrics.setStoreUp(true)
  server.metrics.setStoreRisks([])
  server.metrics.showStore(() => ({
    isReached: true,
    isLost: false,
    revocations: { kept: 0, repeated: 0 },
  }))
  const text = await server.metrics.render()
  await server.close()
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
  return {
    text,
    names: new Set(
      types.flatMap(([, name = '', type]) =>
        type === 'histogram'
          ? [`${name}_bucket`, `${name}_sum`, `${name}_count`]
          : [name],
      ),
    ),
  }
}

const queries = [
  ...rules.map(({ expr }) => expr),
  ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ...(runbook.match(/`[^`]*latchkey_[^`]*`/g) ?? []),
]

t.test('every query names metrics and label values that exist', async t => {
  const { names, text } = await exposed()
  t.ok(queries.length > 40)
  for (const query of queries) {
    const found = namesIn(query)
    t.ok(found.length > 0 || /latchkey:|kube_(deployment|cronjob)/.test(query), query)
    for (const name of found) t.ok(names.has(name), `${name} in ${query}`)
    for (const reason of valuesIn(query, 'reason')) {
      t.ok(Object.keys(REASONS).includes(reason), `${reason} in ${query}`)
    }
    for (const label of ['change', 'by', 'check', 'grant']) {
      for (const value of valuesIn(query, label)) {
        t.match(text, `${label}="${value}"`, `${value} in ${query}`)
      }
    }
  }
  const recorded = rules.flatMap(({ record }) => record ?? [])
  for (const { expr } of alerts) {
    for (const name of expr.match(/latchkey:[\w:]+/g) ?? []) {
      t.ok(recorded.includes(name), name)
    }
  }
})

t.test('every alert has a severity, a sentence and a section of its own', async t => {
  t.ok(alerts.length > 10)
  const sections = [...runbook.matchAll(/^## (Latchkey\w+)$/gm)].map(
    ([, heading = '']) => heading,
  )
  t.same(
    sections.toSorted(),
    alerts.map(({ alert }) => alert).toSorted(),
    'one section per alert, and none besides',
  )
  for (const { alert = '', annotations, expr } of alerts) {
    t.equal(annotations?.['runbook_url'], `docs/runbook.md#${alert.toLowerCase()}`)
    t.match(annotations?.['summary'], /\.$/)
    const { threshold } = { threshold: undefined, ...annotations }
    if (threshold !== undefined) t.match(expr, new RegExp(`> ${threshold}(\\s|$)`), alert)
  }
})

/** What the runbook's commands want in capitals, and what its head says of where that comes from. */
const PLACEHOLDERS: Readonly<Record<string, RegExp>> = {
  NAMESPACE: /labels say where the problem is: `namespace`/,
  JOB: /`job` \(the chart's release\)/,
  POD: /`pod` if it concerns\sone\sserver/,
  NAME: /`latchkey users show` accepts either and\sprints\sthe\sname/,
  USER: /`latchkey users show` accepts either and\sprints\sthe\sname/,
}

t.test(
  'what a command of the runbook wants is in the alert, or shown before',
  async t => {
    const [head = '', ...sections] = runbook.split(/^## /m)
    for (const [name, words] of Object.entries(PLACEHOLDERS)) t.match(head, words, name)
    for (const section of sections) {
      const commands = [
        ...(section.match(/```sh\n[^]*?```/g) ?? []),
        ...(section.match(/`(?:kubectl|latchkey|redis-cli)\s[^`]*`/g) ?? []),
      ].join('\n')
      const wanted: readonly string[] =
        commands.match(/(?<![$"\w-])[A-Z]{3,}\b(?!=)/g) ?? []
      for (const name of wanted) t.ok(Object.keys(PLACEHOLDERS).includes(name), section)
      if (!wanted.includes('POD')) continue
      const rule = alerts.find(({ alert = '' }) => section.startsWith(`${alert}\n`))
      const hasPod = /\bpod\b|^\(up\{/.test(rule?.expr ?? '')
      t.ok(hasPod || /`kubectl get pods|shows\seach\spod's/.test(section), section)
    }
  },
)

t.test('every alert has a unit test that fires, and one that stays silent', t => {
  const { tests } = parse(read('test/deploy/alerts.rules-test.yaml'))
  const asked: Array<{ alertname: string; exp_alerts: unknown[] }> = tests.flatMap(
    ({ alert_rule_test: entries }: any) => entries,
  )
  const names = (fires: boolean) => [
    ...new Set(
      asked
        .filter(({ exp_alerts: expected }) => expected.length > 0 === fires)
        .map(({ alertname }) => alertname),
    ),
  ]
  const all = alerts.map(({ alert }) => alert).toSorted()
  t.same(names(true).toSorted(), all, 'fires')
  t.same(names(false).toSorted(), all, 'stays silent')
  t.end()
})

t.test('the dashboard has rows without gaps or overlaps', t => {
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from(
      { length: w * h },
      (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`,
    ),
  )
  const height = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h))
  t.equal(cells.length, 24 * height)
  t.equal(new Set(cells).size, cells.length)
  for (const { title, description } of panels) t.ok(description, title)
  t.same(
    dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title),
    ['Traffic', 'Sessions', 'Logins', 'Store', 'Keys', 'Process', 'Outside'],
  )
  t.equal(
    new Set(panels.map(({ title }) => title)).size,
    panels.length - 1,
    'Errors twice',
  )
  t.end()
})

/** What a query counts in. */
function unitOf(query: string): string {
  if (query.startsWith('histogram_quantile')) return 's'
  if (/^\(?sum\(.* \/ \(sum\(/.test(query)) return 'percentunit'
  if (query.includes('_cpu_seconds_total')) return 'short'
  if (/\brate\(/.test(query)) return 'reqps'
  if (/_bytes\b/.test(query)) return 'bytes'
  if (/_seconds\b/.test(query)) return 's'
  return 'short'
}

t.test('each axis has one unit, and it is that of its queries', t => {
  for (const { title, targets, fieldConfig } of panels) {
    for (const { expr } of targets) {
      t.equal(unitOf(expr), fieldConfig.defaults.unit, `${title}: ${expr}`)
    }
  }
  t.end()
})

t.test('a number has a colour that means something, or none', t => {
  for (const { title, type, fieldConfig } of panels) {
    if (type !== 'stat') continue
    const { thresholds, color, noValue } = fieldConfig.defaults
    t.equal(noValue, 'no data', title)
    const isPlain = thresholds === undefined
    t.same(color, isPlain ? { mode: 'fixed', fixedColor: 'text' } : undefined, title)
    t.ok(isPlain || thresholds.steps.length > 1, title)
  }
  const stepsOf = (title: string) =>
    panels.find(panel => panel.title === title)?.fieldConfig.defaults.thresholds?.steps
  t.match(
    stepsOf('Next key in'),
    [{ color: 'red' }, { color: 'orange', value: -600 }, { color: 'green', value: 0 }],
    'a healthy rotation is not red; red begins where the alert does',
  )
  t.match(stepsOf('p99'), [{ color: 'green' }, { color: 'orange' }, { color: 'red' }])
  t.end()
})

t.test('panels lead to the alerts that watch them, and all alerts are led to', t => {
  const url = 'https://github.com/latchkey/latchkey/blob/main/docs/runbook.md'
  t.match(dashboard.links, [{ title: 'Runbook', url }])
  const names = panels.flatMap(({ links }) =>
    links.map(link => {
      t.equal(link.url, `${url}#${link.title.toLowerCase()}`)
      return link.title
    }),
  )
  // What nothing is drawn of: a log that can't be written, clients that are refused, back-ups.
  const unseen = [
    'LatchkeyAuditNotWritten',
    'LatchkeyBackupMissing',
    'LatchkeyClientsRefused',
  ]
  t.same(
    [...new Set(names), ...unseen].toSorted(),
    alerts.map(({ alert }) => alert).toSorted(),
  )
  t.end()
})
