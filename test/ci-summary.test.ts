// What can be seen at the end of CI's output: how each step ended, and why one failed.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { summaryOf } from '../scripts/ci-summary.ts'

const COVERAGE = `
-----------------|---------|----------|---------|---------|-------------------
File             | % Stmts | % Branch | % Funcs | % Lines | Uncovered Line #s
-----------------|---------|----------|---------|---------|-------------------
All files        |   99.98 |    99.95 |   99.97 |   99.98 |
 src             |   99.08 |    88.88 |     100 |   99.08 |
  app.ts         |   99.08 |    88.88 |     100 |   99.08 | 135-136
 src/users/names |     100 |    97.29 |     100 |     100 |
  user-name.ts   |     100 |    96.29 |     100 |     100 | 58
-----------------|---------|----------|---------|---------|-------------------
`
const FAILED = `ok 1 - test/a.test.ts # time=3ms {
    not ok 1 - a test within
}
not ok 2 - test/b.test.ts # time=12.3ms {
    not ok 1 - a test within
}
not ok 3 - test/c.tools.ts # time=4ms
1..3
`
const many = (line: string, count: number) => `${line}\n`.repeat(count)
const steps = (...rows: [name: string, code: number, seconds: number][]) =>
  rows.map(row => `${row.join('\t')}\n`).join('')

const rows: ReadonlyArray<{
  name: string
  files: Record<string, string>
  reasons: string[]
}> = [
  {
    name: 'nothing failed',
    files: {
      'steps.tsv': steps(['install', 0, 61], ['test', 0, 570]),
      'test.tap': 'ok 1 - test/a.test.ts\n',
      'test.log': 'fine\n',
    },
    reasons: [],
  },
  {
    name: 'a file that failed, and passed when it ran once more',
    files: {
      'steps.tsv': steps(['install', 0, 61], ['test', 0, 570]),
      'test.tap': 'ok 1 - test/b.test.ts\n',
      unsteady: 'test/b.test.ts\n',
    },
    reasons: ['# run twice, as it failed at first: test/b.test.ts'],
  },
  {
    name: 'a line of src that no test reached',
    files: {
      'steps.tsv': steps(['install', 0, 61], ['test', 1, 570]),
      'test.tap': 'ok 1 - test/a.test.ts\n',
      'test.log': COVERAGE,
    },
    reasons: [
      '# test failed (exit 1):',
      'src/app.ts: statements 99.08 %, branches 88.88 %, functions 100 %; lines 135-136',
      'src/users/names/user-name.ts: statements 100 %, branches 96.29 %, functions 100 %; lines 58',
    ],
  },
  {
    name: 'files with failed tests',
    files: {
      'steps.tsv': steps(['install', 0, 61], ['test:tools', 1, 570]),
      'test:tools.tap': FAILED,
      'test:tools.log': COVERAGE,
    },
    reasons: ['# test:tools failed (exit 1):', 'test/b.test.ts', 'test/c.tools.ts'],
  },
  {
    name: 'a step that ended before its tests',
    files: {
      'steps.tsv': steps(['install', 0, 61], ['test', 2, 570]),
      'test.log': `${many('earlier', 20)}\nsrc/a.ts(1,1): error TS2304\n`,
    },
    reasons: [
      '# test failed (exit 2):',
      ...Array(4).fill('earlier'),
      'src/a.ts(1,1): error TS2304',
    ],
  },
]

for (const { name, files, reasons } of rows) {
  t.test(`the end of CI's output: ${name}`, async t => {
    const lines = summaryOf(t.testdir(files))
    t.equal(lines[0], '# steps')
    t.match(lines[1], /^install +exit 0 +61 s$/)
    t.match(lines[2], /^test(:tools)? +exit \d +570 s$/)
    t.match(lines[3], /^all +631 s$/)
    t.strictSame(lines.slice(4), reasons)
  })
}

t.test('however much failed, it is short, and says how much it leaves out', async t => {
  const names = ['test', 'test:tools', 'test:faults', 'interop-table', 'test-count']
  const failed = many('not ok 1 - test/x.test.ts', 300)
  const folder = t.testdir({
    'steps.tsv': steps(...names.map((name): [string, number, number] => [name, 1, 100])),
    ...Object.fromEntries(names.map(name => [`${name}.tap`, failed])),
  })
  const lines = summaryOf(folder)
  t.equal(lines.length, 40)
  t.equal(lines.filter(line => line === '… and 281 more').length, 1)
  t.match(lines.at(-1), /^… and \d+ more$/)
  const script = join(import.meta.dirname, '../scripts/ci-summary.ts')
  const run = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' })
  t.equal(run.stdout, `${lines.join('\n')}\n`)
})
