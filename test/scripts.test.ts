// What CI believes of a run: the line that scripts/test-count.ts closes it with. And what the examples say
// that they run with.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { withTable } from '../scripts/interop-table.ts'
import { wideLines } from '../scripts/line-width.ts'
import { layOut } from '../scripts/markdown.ts'

const ROOT = join(import.meta.dirname, '..')
const script = join(ROOT, 'scripts/test-count.ts')
const json = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'))

const FAILURE =
  '    not ok 2 - should be equal\n      ---\n      diff: |\n        -1\n      ...\n'
const report = (summary: string, failure = '') =>
  `ok 1 - a test\n${failure}\n# { total: 100, pass: 100 } is what a test may say\n1..1\n\n# No ` +
  `coverage generated\n# { ${summary} }\n# time=1.5ms\n`

const rows: ReadonlyArray<{
  name: string
  reports: Record<string, string>
  line: string
  code: number
}> = [
  {
    name: 'two good reports',
    reports: { a: report('total: 12, pass: 12'), b: report('total: 3, pass: 3') },
    line: '15 passed, 0 failed',
    code: 0,
  },
  {
    name: 'a failed test',
    reports: {
      a: report('total: 12, pass: 11, fail: 1', FAILURE),
      b: report('total: 3, pass: 3'),
    },
    line: '14 passed, 1 failed',
    code: 1,
  },
  {
    name: 'a skipped test and one to do',
    reports: { a: report('total: 5, pass: 3, todo: 1, skip: 1') },
    line: '3 passed, 0 failed, 2 skipped',
    code: 1,
  },
  {
    name: 'a suite that ran nothing',
    reports: { a: report('total: 12, pass: 12'), b: report('total: 0, pass: 0') },
    line: '12 passed, 0 failed',
    code: 1,
  },
  {
    name: 'a suite that was cut off',
    reports: { a: report('total: 12, pass: 12'), b: 'ok 1 - a test\n' },
    line: '12 passed, 0 failed',
    code: 1,
  },
  {
    name: 'no suite',
    reports: {},
    line: '0 passed, 0 failed',
    code: 1,
  },
]

for (const { name, reports, line, code } of rows) {
  t.test(`the count of ${name}`, async t => {
    const dir = t.testdir()
    for (const [file, text] of Object.entries(reports)) {
      await writeFile(join(dir, file), text)
    }
    const run = spawnSync(
      process.execPath,
      [script, ...Object.keys(reports).map(file => join(dir, file))],
      { encoding: 'utf8' },
    )
    t.equal(run.stdout.trimEnd().split('\n').at(-1), line)
    t.equal(run.status, code)
    t.equal(
      run.stdout.includes(FAILURE),
      Object.values(reports).join('').includes(FAILURE),
      'what failed is told',
    )
  })
}

t.test('the interop table tells what passed, once, and nothing else', t => {
  const page =
    'before\n<!-- interop: written by scripts/interop-table.ts -->\nold\n<!-- end of interop -->\nafter\n'
  const subtest = (name: string, verdict: string, note: string) =>
    `# Subtest: ${name}\n    # interop: ${note}\n    ok 1 - fine\n    1..1\n${verdict} - ${name}\n`
  const report = [
    'TAP version 14\n',
    subtest('a', 'ok 1', 'jose: verify'),
    subtest('b', 'not ok 2', 'jose: dpop'),
    subtest('c', 'ok 3', 'PyJWT: verify, key turns'),
    subtest('d', 'ok 4', '@fastify/jwt with get-jwks: verify'),
    '1..4\n',
  ].join('')
  const text = withTable(page, [report, report])
  t.match(
    text,
    /^before\n<!-- interop: .*\n\| client or verifier \| verifies, refuses bad tokens \| key turns \|\n/,
  )
  t.match(text, /\| jose \d+\.\d+\.\d+ \| ✓ \| {2}\|\n/)
  t.match(text, /\| PyJWT \d+\.\d+\.\d+ \| ✓ \| ✓ \|\n<!-- end of interop -->\nafter\n$/)
  t.match(text, /\| @fastify\/jwt [\d.]+ with get-jwks [\d.]+ \|/)
  t.notMatch(text, /DPoP|old/)
  t.equal(withTable(text, [report]), text, 'written twice equals once')
  t.throws(() => withTable(page, ['TAP version 14\n1..0\n']), /no report/)
  t.throws(() => withTable(page, [subtest('e', 'ok 1', 'jose: magic')]), /magic/)
  t.end()
})

t.test("an example of Node's names the versions that the tests run it with", async t => {
  const { dependencies, devDependencies } = json('package.json')
  const files = globSync('examples/*/package.json', { cwd: ROOT })
  t.ok(files.length > 0)
  for (const file of files) {
    // Ours is packed from packages/.
    const { 'latchkey-verifier': _ours, ...others } = json(file).dependencies
    t.match({ ...dependencies, ...devDependencies }, others, file)
  }
})

t.test('Markdown is wrapped, but for its tables and its code', async t => {
  const long = 'word '.repeat(40).trim()
  const laidOut = await layOut(
    `${long}\n\n| a | b |\n|---|:-:|\n| ${long} | x |\n\n\`\`\`text\n| ${long}   | y |\n\`\`\`\n`,
  )
  const lines = laidOut.split('\n')
  t.strictSame(
    lines.filter(line => line.length > 110),
    [`| ${long} | x |`, `| ${long}   | y |`],
  )
  t.ok(lines.includes('| a | b |'), 'no cell is padded')
  t.ok(lines.includes('| --- | :---: |'))
  t.equal(await layOut(laidOut), laidOut)
})

t.test('a line that is too wide is named, whatever the language', async t => {
  const wide = `-- ${'é'.repeat(110)}`
  const row = `| ${'word '.repeat(40)}|`
  const address = `curl ${'x'.repeat(90)} https://id.example.com/token`
  const rows: ReadonlyArray<[file: string, text: string, lines: number[]]> = [
    ['src/stores/redis/scripts/a.lua', `local a\n${wide}\n${'é'.repeat(110)}\n`, [2]],
    ['examples/go/main.go', `${wide}\n`, [1]],
    ['docs/a.md', `${wide}\n${row}\n${address}\n`, [1]],
    ['src/a.ts', `${row}\n${address}\n`, [1, 2]],
    ['package.json', `${wide}\n`, []],
    ['docs/a.png', `\0${wide}\n`, []],
  ]
  for (const [file, text, lines] of rows) {
    t.strictSame(
      wideLines(file, text).map(({ line }) => line),
      lines,
      file,
    )
  }
})
