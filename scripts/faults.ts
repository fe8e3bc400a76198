// `npm run test:faults [-- --full] [FILE…]`: runs the fault suites and prints what they found as a table, for
// a person and for docs/reliability.md. Exits as tap does.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Row {
  fault: string
  figure: string
  mustShow: string
  holds: boolean
}

const args = process.argv.slice(2)
const full = args.includes('--full')
const named = args.filter(arg => !arg.startsWith('--'))
const files = named.length > 0 ? named : globSync('test/faults/*.faults.ts').sort()
const dir = mkdtempSync(join(tmpdir(), 'latchkey-faults-'))
const figures = join(dir, 'figures.ndjson')

try {
  writeFileSync(figures, '')
  const started = performance.now()
  // One file after the other: each keeps the machine busy, and measures time.
  const tap = spawnSync(
    'tap',
    ['--disable-coverage', '--jobs=1', `--timeout=${full ? 3600 : 600}`, ...files],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        LATCHKEY_FIGURES: figures,
        LATCHKEY_FAULTS: full ? 'full' : 'short',
      },
    },
  )
  if (tap.error !== undefined) throw tap.error
  const rows: Row[] = readFileSync(figures, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
  console.log(
    [
      '',
      '| fault | figure | must show | |',
      '| --- | --- | --- | --- |',
      ...rows.map(lineOf),
      '',
    ].join('\n'),
  )
  console.log(
    `${full ? 'full' : 'short'} form, ${Math.round((performance.now() - started) / 1000)} s`,
  )
  process.exitCode = tap.status ?? 1
} finally {
  rmSync(dir, { recursive: true })
}

function lineOf({ fault, figure, mustShow, holds }: Row): string {
  const cells = [fault, figure, mustShow, holds ? 'holds' : '**FAILS**']
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
