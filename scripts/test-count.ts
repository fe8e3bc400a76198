// Adds up what tap counted: `node scripts/test-count.ts REPORT…` reads the raw TAP of each run, writes what
// failed and, as its last line, `N passed, N failed`. Exits 1 unless every report counts tests and none of
// them failed or was skipped.
import { readFileSync } from 'node:fs'

const KINDS = ['total', 'pass', 'fail', 'skip', 'todo'] as const
type Counts = Record<(typeof KINDS)[number], number>
const NONE: Counts = {
  total: 0,
  pass: 0,
  fail: 0,
  skip: 0,
  todo: 0,
}

// tap closes each run with a line such as `# { total: 12, pass: 11, fail: 1 }`.
function countsOf(report: string): Counts {
  const summary = /^# \{ (total: \d+.*) \}$/m.exec(report)?.[1] ?? ''
  const counted = Object.fromEntries(
    KINDS.map(kind => [
      kind,
      Number(new RegExp(`\\b${kind}: (\\d+)`).exec(summary)?.[1] ?? 0),
    ]),
  )
  return { ...NONE, ...counted }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    console.log(`# no report in ${file}: the suite ended before its tests`)
    return ''
  }
}

// A test and what tap says of it: the lines up to the end of its diagnosis, where there is one.
const REFUSED = /^( *)not ok .*\n(?:\1 {2}---\n(?:.*\n)*?\1 {2}\.\.\.\n)?/gm

const texts = process.argv.slice(2).map(read)
for (const refused of texts.flatMap(text => text.match(REFUSED) ?? [])) {
  process.stdout.write(refused)
}
const reports = texts.map(countsOf)
const sum = (kind: keyof Counts) => reports.reduce((all, counts) => all + counts[kind], 0)
const skipped = sum('skip') + sum('todo')

console.log(
  `${sum('pass')} passed, ${sum('fail')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
)
process.exitCode =
  sum('fail') + skipped === 0 &&
  reports.length > 0 &&
  reports.every(({ total }) => total > 0)
    ? 0
    : 1
