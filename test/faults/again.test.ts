// `npm run test:faults -- --again`, as CI runs it: a suite that failed runs once more, and no other; the
// report counts each test once.
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import t, { type Test } from 'tap'
import { runChild } from '../support/children.ts'

const ROOT = join(import.meta.dirname, '../..')
const script = (name: string) => join(ROOT, 'scripts', `${name}.ts`)
const FIGURES = join(import.meta.dirname, 'support/figures.ts')

/** A suite that notes each run of it, and whose figure holds from such a run on. */
const suiteThatHolds = (name: string, from: number) => `
import { appendFileSync, readFileSync } from 'node:fs'
import t from 'tap'
import { figure } from '${FIGURES}'

appendFileSync('${name}.runs', 'x')
const runs = readFileSync('${name}.runs', 'utf8').length
t.pass('it ran')
figure(t, { fault: '${name}', figure: \`run \${runs}\`, mustShow: 'more', holds: runs >= ${from} })
`

/** Runs a script in the folder, with nothing of this run's settings; what it printed, and how it ended. */
async function run(cwd: string, args: readonly string[]) {
  const env = {
    PATH: [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    TAP_REPORTER: 'silent',
    TAP_OUTPUT_FILE: join(cwd, 'report.tap'),
  }
  const running = runChild(process.execPath, args, { cwd, env })
  return running.then(
    ({ stdout }) => ({ stdout, code: 0 }),
    ({ stdout, code }) => ({ stdout, code }),
  )
}

/** A folder with suites, by the run from which each holds. */
function folderOf(t: Test, suites: Record<string, number>): string {
  const files = Object.entries(suites).map(([name, from]) => [
    `${name}.faults.ts`,
    suiteThatHolds(name, from),
  ])
  return t.testdir({
    'package.json': '{ "type": "module" }',
    '.taprc': 'plugin:\n  - "!@tapjs/typescript"\n',
    test: { faults: Object.fromEntries(files) },
  })
}

const rows = [
  {
    name: 'every suite holds',
    suites: { one: 1, other: 1 },
    runs: { one: 1, other: 1 },
    code: 0,
    count: '4 passed, 0 failed',
    told: [],
  },
  {
    name: 'some run beside each other',
    suites: { one: 1, outbox: 1, theft: 2 },
    runs: { one: 1, outbox: 1, theft: 2 },
    code: 0,
    count: '6 passed, 0 failed',
    told: ['# again: test/faults/theft.faults.ts', 'theft: run 1 (must show: more)'],
  },
  {
    name: 'a suite fails once',
    suites: { steady: 1, shaky: 2, third: 1 },
    runs: { steady: 1, shaky: 2, third: 1 },
    code: 0,
    count: '6 passed, 0 failed',
    told: ['# again: test/faults/shaky.faults.ts', 'shaky: run 1 (must show: more)'],
  },
  {
    name: 'a suite fails twice',
    suites: { steady: 1, broken: 3 },
    runs: { steady: 1, broken: 2 },
    code: 1,
    count: '3 passed, 1 failed',
    told: ['# again: test/faults/broken.faults.ts', 'broken: run 1 (must show: more)'],
  },
]

for (const { name, suites, runs, code, count, told } of rows) {
  t.test(name, async t => {
    const folder = folderOf(t, suites)
    const ended = await run(folder, [script('faults'), '--again'])
    t.equal(ended.code, code)
    for (const text of told) t.match(ended.stdout, text)
    t.equal(ended.stdout.includes('# again'), told.length > 0)
    for (const [suite, times] of Object.entries(runs)) {
      t.equal(readFileSync(join(folder, `${suite}.runs`), 'utf8').length, times, suite)
    }
    const counted = await run(folder, [script('test-count'), 'report.tap'])
    t.match(counted.stdout, `${count}\n`)
    t.equal(counted.code, code)
  })
}
