// npm run bench: the CPU time and the rate of each endpoint, beside its floor, measured in turn in one run.
// docs/performance.md says how, and reads the table.
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { bytesPerFamily } from './bytes-per-family.ts'
import {
  besideContests,
  type Contest,
  floorContests,
  instructionsOf,
  sampleOf,
  type Stage,
} from './contests.ts'
import { openCounter } from './instructions.ts'
import type { Kind } from './load.ts'
import { head } from './machine.ts'
import { VARIANTS } from './parties.ts'
import { PIN_OPTION, usePins } from './pinning.ts'
import { type Cast, startBeside, startCast, type Variant } from './processes.ts'
import { sizeOfPlaces, summarise } from './profile.ts'
import { printProfile, printRows, type Row } from './report.ts'
import { inTurn, numbersOf, TRIAL_OPTIONS, type Sample, windowOf } from './trial.ts'
import { NOT_RESOLVED } from './verdict.ts'

const { values } = parseArgs({
  allowNegative: true,
  options: {
    ...TRIAL_OPTIONS,
    hashes: { type: 'string', default: '20' },
    refreshes: { type: 'string', default: '10000' },
    ...PIN_OPTION,
    // A part of the names in the table.
    only: { type: 'string', default: '' },
    // One kind of request, and a file for the whole profile (a .cpuprofile, for a browser's developer tools).
    profile: { type: 'string' },
    save: { type: 'string' },
    // What the profile's lines are: module, function or line.
    by: { type: 'string', default: 'module' },
    // Another checkout of Latchkey, in the place of the floors.
    beside: { type: 'string' },
    // cache, claims or openid: a server that does less or more for a token, beside the ordinary one in the
    // floors' place.
    variant: { type: 'string' },
    // Both servers of --beside on SQLite.
    sqlite: { type: 'boolean', default: false },
  },
})
const {
  'warm-up': warmUp,
  rounds,
  starts,
  requests,
  hashes,
  refreshes,
  connections,
} = numbersOf(values, [
  'rounds',
  'warm-up',
  'starts',
  'requests',
  'hashes',
  'refreshes',
  'connections',
])

// One core is left to everything else, as the server's own default has it.
const hashing = {
  memoryKiB: 19456,
  passes: 2,
  parallelism: 1,
  concurrency: Math.max(1, availableParallelism() - 1),
}

const amounts = { requests, hashes, connections, concurrency: hashing.concurrency }
const STORE = values.sqlite ? 'sqlite' : 'redis'
const MOST_LOOP_MS = 20
/** The commit before writes of SQLite shared a wait for the disk, and how much faster refreshes are to be. */
const [BEFORE_GROUPS, LEAST_RATE] = ['fd3b4e1', 3]

/** Whether another server stands in the floors' place. */
const comparesServers = values.beside !== undefined || values.variant !== undefined

async function main(): Promise<void> {
  usePins(values.pin)
  if (values.profile !== undefined) {
    await using parts = new AsyncDisposableStack()
    await profile(await startCast(parts, hashing, STORE), values.profile as Kind)
    return
  }
  const contests = (
    comparesServers ? besideContests(amounts, refreshRate()) : floorContests(amounts)
  ).filter(({ name }) => name.includes(values.only))
  const rows = contests.map(({ name, cpu, rate }) => ({
    name,
    ...(cpu && { cpu }),
    ...(rate && { rate }),
    starts: [] as Sample[][],
  }))
  const loops: Array<readonly number[]> = []
  const counter = await openCounter()
  let counted: Array<Row['instructions']> = []
  let bytes = ''
  for (let start = 0; start < starts; start++) {
    await using parts = new AsyncDisposableStack()
    const stage = await startStage(parts)
    await compete(contests, stage, rows)
    loops.push(await inTurn(Object.values(stage.three), server => server.loop()))
    if (start < starts - 1) continue
    if (typeof counter !== 'string') {
      counted = await inTurn(contests, contest => instructionsOf(contest, stage, counter))
    }
    if (!comparesServers && values.only === '') {
      bytes = await bytesPerFamily(stage.redis.url, refreshes)
    }
  }
  console.log(head({ starts, rounds, requests, connections }, counter))
  const other =
    values.beside === undefined
      ? values.variant && 'ordinary'
      : basename(resolve(values.beside))
  printRows(
    rows.map((row, at) => ({
      ...row,
      ...(counted[at] && { instructions: counted[at] }),
    })),
    other,
  )
  if (comparesServers || values.sqlite) printLoops(loops)
  if (bytes !== '') console.log(bytes)
}

async function startStage(parts: AsyncDisposableStack): Promise<Stage> {
  const cast = await startCast(parts, hashing, STORE)
  const another = (variant: Variant = {}) =>
    startBeside(parts, hashing, { ...variant, store: STORE })
  if (values.variant !== undefined) {
    const variant = variantOf(values.variant)
    const [ours, again] = [await another(variant), await another(variant)]
    return { ...cast, three: { ours, other: cast.latchkey, again } }
  }
  const other =
    values.beside === undefined
      ? cast.floor
      : await another({ root: resolve(values.beside) })
  return { ...cast, three: { ours: cast.latchkey, other, again: await another() } }
}

function variantOf(name: string): Variant {
  const [, variant] =
    Object.entries<Variant>(VARIANTS).find(([known]) => known === name) ?? []
  if (variant !== undefined) return variant
  throw new Error(`--variant is one of ${Object.keys(VARIANTS).join(', ')}`)
}

/** How much faster refreshes are to be than in the commit before writes of SQLite shared a wait. */
function refreshRate(): Row['rate'] {
  const isSought =
    values.sqlite &&
    values.beside !== undefined &&
    commitOf(values.beside).startsWith(BEFORE_GROUPS)
  return isSought ? { atLeast: LEAST_RATE } : undefined
}

/** Nothing where there is no repository. */
function commitOf(root: string): string {
  try {
    return execFileSync('git', ['-C', root, 'rev-parse', 'HEAD'], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  } catch {
    return ''
  }
}

async function compete(
  contests: readonly Contest[],
  stage: Stage,
  rows: ReadonlyArray<{ readonly starts: Sample[][] }>,
): Promise<void> {
  for (const row of rows) row.starts.push([])
  for (let round = -warmUp; round < Math.ceil(rounds / starts); round++) {
    if (round === 0) await inTurn(Object.values(stage.three), server => server.loop())
    const samples = await inTurn(contests, contest => sampleOf(contest, stage, round))
    if (round < 0) continue
    samples.forEach((sample, index) => rows[index]?.starts.at(-1)?.push(sample))
  }
}

/** By how much the event loops were late: of each start, ours, the other's and ours again. */
function printLoops(loops: ReadonlyArray<readonly number[]>): void {
  const [ours = [], other = [], again = []] = [0, 1, 2].map(side =>
    loops.map(each => each[side] ?? NaN),
  )
  // One process of it that keeps to the goal beside one that doesn't says nothing of either.
  const both = [...ours, ...again]
  const good = both.filter(ms => ms < MOST_LOOP_MS).length
  const verdict = ['MISSED', 'met'][good / both.length] ?? NOT_RESOLVED
  const goal = values.sqlite ? ` (< ${MOST_LOOP_MS} ms ${verdict})` : ''
  const text = (all: readonly number[]) => all.map(ms => ms.toFixed(1)).join(', ')
  console.log(
    `event loop under load, p99 of each start: ${text(ours)} ms${goal}, beside ${text(other)} ms, ` +
      `itself ${text(again)} ms\n`,
  )
}

/** Where the time of a request goes, beside where that of its floor goes. */
async function profile({ latchkey, floor, load }: Cast, kind: Kind): Promise<void> {
  const by = sizeOfPlaces(values.by)
  const many = requests * 5
  const sides = await inTurn([latchkey, floor], async process => {
    const run = () =>
      load({
        base: process.url,
        kind,
        connections,
        requests: many,
      })
    await run()
    const { cpu } = await windowOf(process, many, run)
    return { cpu, profile: await process.profiled(run) }
  })
  printProfile(
    kind,
    sides.map(({ cpu, profile }) => summarise(profile, cpu, by)),
  )
  if (values.save !== undefined) {
    await writeFile(values.save, JSON.stringify(sides[0]?.profile))
  }
}

await main()
