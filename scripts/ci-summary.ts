// Closes a run of .ci/run: `node scripts/ci-summary.ts REPORTS` prints how each step ended, and why one
// failed: the test files that did, or the files and lines of src/ that no test reached, or else the last
// lines that it wrote. It names the files that failed at first and ran once more. At most 40 lines, as the
// end of CI's output is what can be seen.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const MOST_LINES = 40
const MOST_REASONS = 20
const LAST_LINES = 5

interface Step {
  name: string
  code: number
  seconds: number
}

// tap's report of the coverage: a folder with its path, its files below it, indented.
const ROW = /^ +(?<file>\S+) *\|(?<figures>[ \d.|]+)\|(?<lines>[^|]*)$/
const FAILED_FILE = /^not ok \d+ - (?<file>[^#{\n]*)/gm

/** The lines that close a run whose steps left their logs and reports in the folder. */
export function summaryOf(folder: string): string[] {
  const steps = read(folder, 'steps.tsv').split('\n').filter(Boolean).map(toStep)
  const table = steps.map(({ name, code, seconds }) =>
    [name.padEnd(14), `exit ${code}`.padEnd(9), `${seconds} s`.padStart(7)].join(' '),
  )
  const whole = steps.reduce((sum, { seconds }) => sum + seconds, 0)
  const reasons = steps
    .filter(({ code }) => code !== 0)
    .flatMap(({ name, code }) => [
      `# ${name} failed (exit ${code}):`,
      ...atMost(MOST_REASONS, reasonsOf(folder, name)),
    ])
  const unsteady = read(folder, 'unsteady').split('\n').filter(Boolean)
  const lines = [
    '# steps',
    ...table,
    `${'all'.padEnd(24)} ${`${whole} s`.padStart(7)}`,
    ...unsteady.map(file => `# run twice, as it failed at first: ${file}`),
  ]
  return [...lines, ...atMost(MOST_LINES - lines.length, reasons)]
}

/** The test files that failed by tap's raw report. */
export function failedFiles(report: string): string[] {
  return [...report.matchAll(FAILED_FILE)].map(
    ({ groups }) => groups?.['file']?.trim() ?? '',
  )
}

function toStep(line: string): Step {
  const [name = '', code = '', seconds = ''] = line.split('\t')
  return { name, code: Number(code), seconds: Number(seconds) }
}

function reasonsOf(folder: string, name: string): string[] {
  const files = failedFiles(read(folder, `${name}.tap`))
  if (files.length > 0) return files
  const log = read(folder, `${name}.log`).split('\n')
  const uncovered = uncoveredIn(log)
  if (uncovered.length > 0) return uncovered
  return log.filter(line => line.trim() !== '').slice(-LAST_LINES)
}

/** What no test reached, a file a line. */
function uncoveredIn(log: readonly string[]): string[] {
  let folder = ''
  return log.flatMap(line => {
    const { file, figures = '', lines = '' } = ROW.exec(line)?.groups ?? {}
    if (file === undefined) return []
    if (!file.includes('.')) {
      folder = file
      return []
    }
    const [statements, branches, functions] = figures.split('|').map(text => text.trim())
    const shares = `statements ${statements} %, branches ${branches} %, functions ${functions} %`
    return [`${folder}/${file}: ${shares}; lines ${lines.trim()}`]
  })
}

function atMost(most: number, lines: readonly string[]): string[] {
  if (lines.length <= most) return [...lines]
  return [...lines.slice(0, most - 1), `… and ${lines.length - most + 1} more`]
}

function read(folder: string, file: string): string {
  try {
    return readFileSync(join(folder, file), 'utf8')
  } catch {
    return ''
  }
}

if (import.meta.main) console.log(summaryOf(process.argv[2] ?? '').join('\n'))
