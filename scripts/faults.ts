// `npm run test:faults [-- --full] [--again] [FILE…]`: runs the fault suites and prints what they found as a
// table, for a person and for docs/reliability.md. With --again, files that failed run once more, and must
// pass then. Exits as tap does.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
const reporting = ['--disable-coverage', '--jobs=1', `--output-file=${report}`]

try {
  const started = performance.now()
  const status = runSuites(files)
  process.exitCode = again && status !== 0 ? runAgain(status) : status
  const seconds = Math.round((performance.now() - started) / 1000)
  console.log(`${full ? 'full' : 'short'} form, ${seconds} s`)
} finally {
  rmSync(dir, { recursive: true })
}

/** Runs suites, and prints their table. */
function runSuites(names: readonly string[]): number {
  const figures = join(dir, 'figures.ndjson')
  writeFileSync(figures, '')
  // One file after the other: each keeps the machine busy, and measures time.
  const status = tap([`--timeout=${full ? 3600 : 600}`, ...names], {
    LATCHKEY_FIGURES: figures,
    LATCHKEY_FAULTS: full ? 'full' : 'short',
  })
  const rows = readFileSync(figures, 'utf8').split('\n').filter(Boolean)
  const table = ['| fault | figure | must show | |', '| --- | --- | --- | --- |']
  console.log(['', ...table, ...rows.map(row => lineOf(JSON.parse(row))), ''].join('\n'))
  return status
}

/** Runs only the files that failed. The report is that of all files then, each as it ended last. */
function runAgain(first: number): number {
  const text = readFileSync(report, 'utf8')
  const failed = failedFiles(text)
  if (failed.length === 0) return first
  for (const [line] of text.matchAll(/^ *not ok .*/gm)) console.log(line)
  console.log(`# again: ${failed.join(' ')}`)
  const second = runSuites(failed)
  return tap(['replay', ...files], {}) || second
}

function tap(args: readonly string[], env: NodeJS.ProcessEnv): number {
  const { error, status } = spawnSync('tap', [...args, ...reporting], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (error !== undefined) throw error
  return status ?? 1
}

function lineOf({ fault, figure, mustShow, holds }: Row): string {
  const cells = [fault, figure, mustShow, holds ? 'holds' : '**FAILS**']
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
