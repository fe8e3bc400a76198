// Writes helm/latchkey/README.md, which goes into the chart's package: how to install it, and the table of
// its values from values.yaml and the comments there: `node scripts/chart-readme.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { isMap, parseDocument, type Pair, type YAMLMap } from 'yaml'
import { layOut } from './markdown.ts'

const CHART = new URL('../helm/latchkey/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, CHART), 'utf8')

/** One value: where it stands, what it is when nothing is set, what its comment says. */
interface Value {
  readonly path: string
  readonly fallback: string
  readonly comment: string
}

/** The text of helm/latchkey/README.md. */
export async function readmeText(): Promise<string> {
  const { contents } = parseDocument(read('values.yaml'))
  if (!isMap(contents)) throw new Error('values.yaml is no mapping')
  const { description, kubeVersion, version } = parseDocument(read('Chart.yaml')).toJS()
  return layOut(`<!-- written by scripts/chart-readme.ts -->

# Latchkey's chart

${description}.

Needs Kubernetes ${kubeVersion} and a Redis of your own (except to try it out). A token in a minute:

\`\`\`sh
helm install latchkey oci://REGISTRY/charts/latchkey --version ${version} \\
  --set config.issuer=https://id.example.com --set redis.enabled=true
helm test latchkey
\`\`\`

For production read [Operations](https://github.com/latchkey/latchkey/blob/main/docs/operations.md): secrets,
Redis, the proxy in front, alerts, back-ups. \`values.schema.json\` refuses values that are not in the table.

## Values

| value | default | meaning |
| --- | --- | --- |
${valuesOf(contents)
  .map(({ path, fallback, comment }) => `| \`${path}\` | ${fallback} | ${comment} |\n`)
  .join('')}`)
}

function valuesOf(map: YAMLMap, prefix = ''): Value[] {
  return map.items.flatMap((pair, index) => {
    const { key, value } = pair as Pair<{ value: string; commentBefore?: string }>
    if (key === null || typeof key !== 'object') return []
    const path = prefix === '' ? key.value : `${prefix}.${key.value}`
    // The comment before a mapping's first member is the mapping's own.
    const comment = textOf(
      key.commentBefore ?? (index === 0 ? map.commentBefore : undefined),
    )
    if (!isMap(value) || value.items.length === 0) {
      return [{ path, fallback: shown(value), comment }]
    }
    const below = valuesOf(value, path)
    return comment === '' ? below : [{ path, fallback: '', comment }, ...below]
  })
}

function shown(value: unknown): string {
  const plain: unknown = Object(value).toJSON()
  return plain === '' ? '' : `\`${JSON.stringify(plain).replaceAll('|', '\\|')}\``
}

function textOf(comment: string | null | undefined): string {
  // A comment that an empty line parts from the value is about more than this one.
  const own = (comment ?? '').split(/\n\s*\n/).at(-1) ?? ''
  const text = own.split('\n').map(line => line.trim())
  return text.join(' ').replaceAll('|', '\\|').replaceAll('<', '&lt;').trim()
}

if (import.meta.main) {
  writeFileSync(new URL('README.md', CHART), await readmeText())
}
