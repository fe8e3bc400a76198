// The documentation speaks of things that exist: links lead somewhere, and every path of the source that it
// names is there.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { readmeText } from '../scripts/chart-readme.ts'

const root = join(import.meta.dirname, '..')
const folders = ['docs', 'examples', 'helm', 'packages']
const pages = globSync(['*.md', ...folders.map(folder => `${folder}/**/*.md`)], {
  cwd: root,
  exclude: path => path.includes('node_modules'),
})

const read = (page: string) => readFileSync(join(root, page), 'utf8')

/** The slugs that GitHub gives to a page's headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

t.test('every relative link leads to a file, and its anchor to a heading', async t => {
  t.ok(pages.includes('docs/architecture.md') && pages.includes('README.md'))
  for (const page of pages) {
    const text = read(page).replaceAll(/```[^]*?```/g, '')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      t.ok(existsSync(join(root, file)), `${page}: ${target}`)
      if (anchor !== undefined) {
        t.ok(anchorsOf(read(file)).includes(anchor), `${page}: ${target}`)
      }
    }
  }
})

t.test('every file of ours that a page names is there', async t => {
  for (const page of pages) {
    for (const [, path = ''] of read(page).matchAll(
      /`((?:src|test|scripts|bench|docs|examples|helm|packages|bin)\/[\w./-]*)`/g,
    )) {
      t.ok(existsSync(join(root, path)), `${page}: ${path}`)
    }
  }
})

t.test('what architecture.md says of a refresh is what the source does', async t => {
  const text = read('docs/architecture.md')
  const [, steps = ''] = /## One refresh[^]*?(1\. [^]*?)\n\n/.exec(text) ?? []
  t.equal([...steps.matchAll(/^\d\. \*\*\w+\.\*\*/gm)].length, 5, 'five named steps')
  for (const [, name = '', file = ''] of steps.matchAll(
    /`(\w+)`\s+\(`(src\/[\w./-]+)`\)/g,
  )) {
    t.match(read(file), new RegExp(`\\b${name}\\b`), `${name} is in ${file}`)
  }
})

t.test('every snippet that verifies a token allows the clocks some seconds', async t => {
  const verifies = /\bjwtVerify\(|\bjwt\.decode\(|\bJwtTimestampValidator\(/
  const snippets = pages.flatMap(page =>
    [...read(page).matchAll(/```\w*\n([^]*?)```/g)]
      .map(([, code = '']) => ({ page, code }))
      .filter(({ code }) => verifies.test(code)),
  )
  t.ok(snippets.length >= 2)
  for (const { page, code } of snippets) {
    const [, seconds = '0'] = /(?:clockTolerance: |leeway=)(\d+)/.exec(code) ?? []
    t.ok(Number(seconds) >= 5 && Number(seconds) <= 60, `${page}: ${seconds} s`)
  }
})

t.test('no example trusts a range of proxies that users may share', async t => {
  const files = [
    'README.md',
    'docs/configuration.md',
    'docs/operations.md',
    'helm/latchkey/ci/production-values.yaml',
  ]
  for (const file of files) {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
    const lists = [...text.matchAll(/trustedProxies: \[([^\]]*)\]/g)]
    t.ok(lists.length > 0, file)
    for (const [, list = ''] of lists) {
      for (const range of list.split(',')) {
        const [, bits = '32'] = range.trim().split('/')
        t.ok(Number(bits) >= 24, `${range} in ${file}`)
      }
    }
  }
})

t.test("the chart's README is what its values say", async t => {
  const text = await readmeText()
  t.equal(read('helm/latchkey/README.md'), text, 'run node scripts/chart-readme.ts')
  for (const name of Object.keys(parse(read('helm/latchkey/values.yaml')))) {
    t.match(text, `\`${name}`, name)
  }
  t.match(text, /\| `image\.repository` \| `"[^|]+"` \|/)
})
