// Writes the table of docs/metrics.md from what a server shows at /metrics: `node scripts/metrics-page.ts`.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { layOut } from './markdown.ts'

const PAGE_FILE = new URL('../docs/metrics.md', import.meta.url)
const SOURCE = join(import.meta.dirname, '../src')
const TABLE =
  /(<!-- metrics: written by scripts\/metrics-page.ts -->\n)[^]*(<!-- end of metrics -->)/

/** A metric, and the labels that its series have. */
interface Metric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: readonly string[]
}

/**
 * The text of docs/metrics.md: `page` with its table written anew.
 *
 * @param shown what /metrics answers, in Prometheus' text format
 */
export async function pageText(page: string, shown: string): Promise<string> {
  const rows = metricsIn(shown)
    .filter(({ name }) => name.startsWith('latchkey_'))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(
      ({ name, type, help, labels }) =>
        `| \`${name}\` | ${type} | ${labels.map(label => `\`${label}\``).join(' ')} | ${help} |`,
    )
  const table = [
    '| metric | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
  ]
  const text = page.replace(
    TABLE,
    (_, head: string, tail: string) => `${head}\n${table.join('\n')}\n\n${tail}`,
  )
  return layOut(text)
}

function metricsIn(shown: string): Metric[] {
  const types = new Map(
    [...shown.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [
      name,
      type,
    ]),
  )
  return [...shown.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', help = '']) => ({
    name,
    type: types.get(name) ?? '',
    help,
    labels: labelsOf(shown, name),
  }))
}

function labelsOf(shown: string, name: string): string[] {
  const series = new RegExp(String.raw`^${name}(?:_bucket|_sum|_count)?\{(.*)\} `, 'gm')
  const labels = [...shown.matchAll(series)].flatMap(([, text = '']) =>
    [...text.matchAll(/(\w+)="/g)].map(([, label = '']) => label),
  )
  const found = [...new Set(labels)].filter(label => label !== 'le')
  return found.length > 0 ? found : labelsInSource(name)
}

/** Those of a metric that has no series yet. */
function labelsInSource(name: string): string[] {
  const [text = ''] = globSync('**/*.ts', { cwd: SOURCE })
    .map(file => readFileSync(join(SOURCE, file), 'utf8'))
    .filter(source => source.includes(`'${name}'`))
  const [, made = ''] = text.split(`'${name}'`)
  const [, own = ''] =
    /^[^]*?labelNames: \[([^\]]*)\]/.exec(made.split("name: '")[0] ?? '') ?? []
  return [...own.matchAll(/'(\w+)'/g)].map(([, label = '']) => label)
}

/** What /metrics of a server shows that has just started. */
async function shownByServer(): Promise<string> {
  const { startMeasured } = await import('../test/docs/support/measured.ts')
  const { shown, stop } = await startMeasured()
  await stop()
  return shown
}

if (import.meta.main) {
  const page = readFileSync(PAGE_FILE, 'utf8')
  writeFileSync(PAGE_FILE, await pageText(page, await shownByServer()))
}
