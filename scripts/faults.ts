// `npm run test:faults [-- --full] [--again] [FILE…]`: runs the fault suites and prints what they found as a
// table, for a person and for docs/reliability.md. With --again, files that failed run once more, and must
// pass then. Exits as tap does.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { failedFiles } from './ci-summary.ts'

interface Row {
  fault: string
  figure: string
  mustShow: string
  holds: boolean
}

const {
  values: { full, again },
  positionals,
} = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const files = positionals.length > 0 ? positionals : globSync('test/faults/*.faults.ts')
const dir = mkdtempSync(join(tmpdir(), 'latchkey-faults-'))
/** Where tap's raw report stands afterwards: CI names a place for it. */
const report = process.env['TAP_OUTPUT_FILE'] ?? join(dir, 'report.tap')
const figures = join(dir, 'figures.ndjson')

/** They wait more than they work, and set no limits of time: in the short form they run beside each other. */
const PATIENT = [
  'backup',
  'clock-jumps',
  'mixed-versions',
  'outbox',
  'outbox-down',
  'outbox-failover',
  'outbox-server',
  'secrets',
  'theft',
]
const AT_ONCE = 3

try {
  const started = performance.now()
  const status = runSuites(files, full ? 1 : AT_ONCE)
  process.exitCode = again && status !== 0 ? runAgain(status) : status
  const seconds = Math.round((performance.now() - started) / 1000)
  console.log(`${full ? 'full' : 'short'} form, ${seconds} s`)
} finally {
  rmSync(dir, { recursive: true })
}

/** Runs suites, the patient ones so many at once, and prints their table. */
function runSuites(names: readonly string[], atOnce: number): number {
  writeFileSync(figures, '')
  const isPatient = (file: string) => PATIENT.includes(basename(file, '.faults.ts'))
  const patient = atOnce > 1 ? names.filter(isPatient) : []
  // One after the other: each keeps the machine busy, and measures time.
  const alone = names.filter(file => !patient.includes(file))
  const statuses = [runAtOnce(patient, atOnce), runAtOnce(alone, 1)]
  if (patient.length > 0) writeReport()
  printTable()
  return Math.max(...statuses)
}

function runAtOnce(names: readonly string[], jobs: number): number {
  if (names.length === 0) return 0
  const args = ['--disable-coverage', `--jobs=${jobs}`, `--timeout=${full ? 3600 : 600}`]
  return tap([...args, ...names], {
    LATCHKEY_FIGURES: figures,
    LATCHKEY_FAULTS: full ? 'full' : 'short',
  })
}

/** Runs only the files that failed, one after the other. */
function runAgain(first: number): number {
  const text = readFileSync(report, 'utf8')
  const failed = failedFiles(text)
  if (failed.length === 0) return first
  for (const [line] of text.matchAll(/^ *not ok .*/gm)) console.log(line)
  console.log(`# again: ${failed.join(' ')}`)
  return Math.max(runSuites(failed, 1), writeReport())
}

/** The report of several runs: of all files, each as it ended last. */
function writeReport(): number {
  return tap(['replay', '--disable-coverage', '--reporter=silent', ...files], {})
}

function tap(args: readonly string[], env: NodeJS.ProcessEnv): number {
  const { error, status } = spawnSync('tap', [...args, `--output-file=${report}`], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (error !== undefined) throw error
  return status ?? 1
}

function printTable(): void {
  const rows = readFileSync(figures, 'utf8').split('\n').filter(Boolean)
  const table = ['| fault | figure | must show | |', '| --- | --- | --- | --- |']
  console.log(['', ...table, ...rows.map(row => lineOf(JSON.parse(row))), ''].join('\n'))
}

function lineOf({ fault, figure, mustShow, holds }: Row): string {
  const cells = [fault, figure, mustShow, holds ? 'holds' : '**FAILS**']
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
