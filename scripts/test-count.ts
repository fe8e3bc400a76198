// Adds up what tap counted: `node scripts/test-count.ts REPORT…` writes one line, `N passed, N failed`, from the raw TAP of each run.
// Exits 1 unless every report counts tests and none of them failed or was skipped.
import { readFileSync } from 'node:fs'

const KINDS = ['total', 'pass', 'fail', 'skip', 'todo'] as const
type Counts = Record<typeof KINDS[number], number>
const NONE: Counts = { total: 0, pass: 0, fail: 0, skip: 0, todo: 0 }

// tap closes each run with a line such as `# { total: 12, pass: 11, fail: 1 }`.
function countsOf (file: string): Counts {
  const report = read(file)
  const summary = /^# \{ (total: \d+.*) \}$/m.exec(report)?.[1] ?? ''
  const counted = Object.fromEntries(KINDS.map(kind => [kind, Number(new RegExp(`\\b${kind}: (\\d+)`).exec(summary)?.[1] ?? 0)]))
  return { ...NONE, ...counted }
}

function read (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    console.log(`# no report in ${file}: the suite ended before its tests`)
    return ''
  }
}

const reports = process.argv.slice(2).map(countsOf)
const sum = (kind: keyof Counts) => reports.reduce((all, counts) => all + counts[kind], 0)
const skipped = sum('skip') + sum('todo')

console.log(`${sum('pass')} passed, ${sum('fail')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = sum('fail') + skipped === 0 && reports.length > 0 && reports.every(({ total }) => total > 0) ? 0 : 1
