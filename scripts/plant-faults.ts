// Plants faults in a copy of the working tree, one at a time, and asks the nearest tests, then wider ones,
// whether they notice. Prints what survived, and a table.
//
//   node scripts/plant-faults.ts [--number 200] [--seed 1] [--seconds 120] [--results FILE] [--again]
//     [--list] [FILE or FOLDER…]
//
// Same seed and sources: same faults. What stands in the results isn't asked again, so a run that was stopped
// goes on; --again asks again about what survived. --list plants nothing. A change that changes nothing that
// anybody could see has its reason in scripts/plant-faults/reasons.json and isn't planted.
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { startChild } from '../test/support/children.ts'
import { AREAS, testsFor, type Area } from './plant-faults/areas.ts'
import { faultsIn, planted, type Fault } from './plant-faults/faults.ts'

interface Result {
  readonly id: string
  readonly area: string
  readonly file: string
  readonly line: number
  readonly column: number
  readonly kind: string
  /** The line as it stands in the source, and what is put in. */
  readonly code: string
  readonly after: string
  /** The test file that failed; undefined: none did. */
  readonly by?: string
}

interface Reason {
  readonly file: string
  readonly code: string
  readonly column: number
  readonly after: string
  readonly reason: string
}

const root = join(import.meta.dirname, '..')
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    number: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '120' },
    results: { type: 'string', default: join(root, '.tap/plant-faults.ndjson') },
    again: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
})
const reasons: Reason[] = JSON.parse(
  readFileSync(join(root, 'scripts/plant-faults/reasons.json'), 'utf8'),
)

const texts = new Map<string, string>()
let stopTest = () => {}
const wanted = AREAS.flatMap(area => choose(area).map(fault => ({ area, fault })))
if (values.list) {
  for (const { fault } of wanted) console.log(lineOf(resultOf(fault, '')))
} else {
  await plantAll()
}

/** The area's share of the faults: the first ones of an order that the seed decides. */
function choose(area: Area): Fault[] {
  const faults = area.sources
    .flatMap(source => globSync(source, { cwd: root }))
    .filter(file => positionals.length === 0 || positionals.some(p => file.startsWith(p)))
    .sort()
    .flatMap(file => faultsIn(file, read(file)))
  return faults
    .map(fault => ({
      fault,
      rank: digest(`${values.seed} ${JSON.stringify({ ...fault, column: undefined })}`),
    }))
    .sort((one, other) => (one.rank < other.rank ? -1 : 1))
    .slice(0, Math.ceil(Number(values.number) / AREAS.length))
    .map(({ fault }) => fault)
}

async function plantAll(): Promise<void> {
  const known = new Map(readResults().map(result => [result.id, result]))
  const copy = copyOfTree()
  const healthy = new Set<string>()
  for (const { area, fault } of wanted) {
    const result = resultOf(fault, area.name)
    const earlier = known.get(result.id)
    const isDone = earlier !== undefined && (earlier.by !== undefined || !values.again)
    if (isDone || reasonFor(result) !== undefined) continue
    const tests = testsFor(area, fault.file)
    const by = await noticedBy(fault, tests, { copy, healthy })
    const outcome = { ...result, ...(by !== undefined && { by }) }
    known.set(result.id, outcome)
    appendFileSync(values.results, `${JSON.stringify(outcome)}\n`)
    console.log(`${by === undefined ? 'SURVIVED' : 'noticed '} ${lineOf(outcome)}`)
  }
  report(known)
}

/** The first of the tests that fails with the fault planted. */
async function noticedBy(
  fault: Fault,
  tests: readonly string[],
  { copy, healthy }: { copy: string; healthy: Set<string> },
): Promise<string | undefined> {
  const path = join(copy, fault.file)
  const text = read(fault.file)
  for (const test of tests) {
    // What fails without a fault notices nothing; a second time, as the machine may be busy.
    const isHealthy =
      healthy.has(test) || (await passes(test, copy)) || (await passes(test, copy))
    if (!isHealthy) {
      throw new Error(`${test} fails although no fault is planted: mend it first`)
    }
    healthy.add(test)
    writeFileSync(path, planted(text, fault))
    // Failing once may be the busy machine's doing.
    const isUnnoticed = (await passes(test, copy)) || (await passes(test, copy))
    writeFileSync(path, text)
    if (!isUnnoticed) return test
  }
  return undefined
}

/** Whether the test passes, in time; what it has started ends with it. */
async function passes(test: string, cwd: string): Promise<boolean> {
  const child = startChild(process.execPath, [test], {
    cwd,
    stdio: 'ignore',
    env: { ...process.env, TAP_BAIL: '1', TAP_TIMEOUT: values.seconds },
  })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const kill = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  const timer = setTimeout(kill, Number(values.seconds) * 1000)
  stopTest = kill
  child.once('error', () => {
    resolve(false)
  })
  child.once('exit', code => {
    resolve(code === 0)
  })
  return promise.finally(() => {
    clearTimeout(timer)
    stopTest = () => {}
  })
}

function copyOfTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-planted-'))
  // Also where it is stopped half-way: the results stay, the copy goes.
  process.once('exit', () => {
    stopTest()
    rmSync(copy, { recursive: true, force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  const left = new Set(['node_modules', '.git', '.tap', '.latchkey', '.venv', 'target'])
  cpSync(root, copy, { recursive: true, filter: path => !left.has(basename(path)) })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  mkdirSync(dirname(values.results), { recursive: true })
  return copy
}

function report(known: ReadonlyMap<string, Result>): void {
  const rows = AREAS.map(({ name }) => {
    const all = wanted
      .filter(({ area }) => area.name === name)
      .map(({ fault, area }) => resultOf(fault, area.name))
    const reasoned = all.filter(result => reasonFor(result) !== undefined).length
    const noticed = all.filter(({ id }) => known.get(id)?.by !== undefined).length
    return { name, planted: all.length - reasoned, noticed, reasoned }
  })
  const sum = (key: 'planted' | 'noticed' | 'reasoned') =>
    rows.reduce((total, row) => total + row[key], 0)
  rows.push({
    name: 'all',
    planted: sum('planted'),
    noticed: sum('noticed'),
    reasoned: sum('reasoned'),
  })
  console.log('\n| area | planted | noticed | % | no fault, by reasons.json |')
  console.log('| --- | --- | --- | --- | --- |')
  for (const { name, planted: count, noticed, reasoned } of rows) {
    const share = count === 0 ? '' : ((100 * noticed) / count).toFixed(1)
    console.log(`| ${name} | ${count} | ${noticed} | ${share} | ${reasoned} |`)
  }
}

function resultOf(fault: Fault, area: string): Result {
  const { file, line, column, kind, after } = fault
  const text = read(file)
  return {
    // Another text is another fault: its tests are asked anew.
    id: digest(`${digest(text)} ${JSON.stringify({ ...fault, column: undefined })}`),
    area,
    file,
    line,
    column,
    kind,
    code: text.split('\n')[line - 1]?.trim() ?? '',
    after: after.trim(),
  }
}

function reasonFor({ file, code, column, after }: Result): Reason | undefined {
  return reasons.find(
    known =>
      known.file === file &&
      known.code === code &&
      known.column === column &&
      known.after === after,
  )
}

function readResults(): Result[] {
  if (!existsSync(values.results)) return []
  const lines = readFileSync(values.results, 'utf8').split('\n').filter(Boolean)
  return lines.map(line => JSON.parse(line))
}

/** The source as it was when this run began: the tree may be worked on meanwhile. */
function read(file: string): string {
  const text = texts.get(file) ?? readFileSync(join(root, file), 'utf8')
  texts.set(file, text)
  return text
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

function lineOf({ file, line, kind, code, after, by }: Result): string {
  return `${file}:${line} ${kind}: ${code} → ${after}${by === undefined ? '' : ` (${by})`}`
}
