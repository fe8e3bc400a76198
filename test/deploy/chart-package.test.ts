// What a registry of charts, and whoever unpacks one, reads of the chart.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { blockOf } from '../docs/support/blocks.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

t.test('Chart.yaml says what Artifact Hub asks, and has the version', async t => {
  const chart = parse(read('helm/latchkey/Chart.yaml'))
  const { version } = JSON.parse(read('package.json'))
  t.match(chart, { version, appVersion: version, name: 'latchkey', type: 'application' })
  for (const url of [chart.home, chart.icon, ...chart.sources]) t.match(url, /^https:/)
  t.match(read(`docs/${chart.icon.split('/').at(-1)}`), '<svg')
  t.match(chart.maintainers, [{ name: /./, url: /^https:/ }])
  t.match(chart.annotations, {
    'artifacthub.io/category': 'security',
    'artifacthub.io/license': 'Apache-2.0',
  })
  for (const link of parse(chart.annotations['artifacthub.io/links'])) {
    t.match(link, { name: /./, url: /^https:/ })
  }
})

t.test('its license is ours', async t => {
  t.equal(read('helm/latchkey/LICENSE'), read('LICENSE'))
})

t.test('the table beside other charts has no row that ours lacks', async t => {
  const page = read('docs/operations.md')
  const rows = page
    .slice(
      page.indexOf('### Beside other charts'),
      page.indexOf('Some things that these charts have'),
    )
    .split('\n')
    .filter(line => line.startsWith('| '))
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
  const [[, ...charts] = [], , ...settings] = rows
  t.same(charts, [
    'Latchkey',
    'authelia',
    'hydra',
    'dex',
    'keycloakx',
    'zitadel',
    'authentik',
  ])
  t.ok(settings.length > 40)
  for (const [setting = '', ours = '', ...others] of settings) {
    t.equal(others.length, 6, setting)
    t.notMatch(ours, /^[–-]?$/, setting)
  }
  const alerts = read('helm/latchkey/files/alerts.yaml').match(/- alert: /g) ?? []
  t.match(page, `| ${alerts.length} alerts, each with a runbook section |`)
})

t.test('what the page has people set is still set after the next upgrade', async t => {
  const page = read('docs/operations.md')
  const upgrades = page.match(/^ *helm upgrade .*$/gm) ?? []
  t.ok(upgrades.length >= 3)
  for (const line of upgrades) {
    t.match(line, '-f values.yaml')
    t.notMatch(line, /--reuse-values|--set/)
  }
})

t.test('labels for an operator stand where the chart has them', async t => {
  const { metrics } = parse(blockOf('docs/operations.md', 'metrics:\n'))
  const values = parse(read('helm/latchkey/values.yaml'))
  t.same(Object.keys(metrics), ['serviceMonitor', 'prometheusRule'])
  for (const [name, set] of Object.entries(metrics)) {
    for (const key of Object.keys(Object(set))) t.ok(key in values.metrics[name], key)
  }
})
