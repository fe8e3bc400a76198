// npm run bench:logins: what a storm of logins does to everybody else, and how much of the machine's hashing
// it gets; --beside names other checkouts that are measured in turn. docs/performance.md reads it.
import { availableParallelism } from 'node:os'
import { relative, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { argon2Build } from '../src/users/hashing/argon2.ts'
import { KINDS, type Probe, type ProbeJob, type ProbeTimes } from './probes.ts'
import { type Measured, startWorker } from './child.ts'
import { head } from './machine.ts'
import { startBeside, startCast, type Floor } from './processes.ts'
import { printTable, quantileRatio } from './report.ts'
import { inChangingOrder, numbersOf } from './trial.ts'
import { goalText, intervalOf, median, noiseOf, quantile, span } from './verdict.ts'
import type { StormJob, StormResult } from './storm.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    connections: { type: 'string', default: '64' },
    // Of refreshes, introspections and key fetches, each.
    rate: { type: 'string', default: '20' },
    hashes: { type: 'string', default: '200' },
    // Other checkouts of Latchkey, after npm ci there.
    beside: { type: 'string', multiple: true, default: [] },
  },
})
const { rounds, seconds, connections, rate, hashes } = numbersOf(values, [
  'rounds',
  'seconds',
  'connections',
  'rate',
  'hashes',
])

const CORES = availableParallelism()
const HASHING = {
  memoryKiB: 19456,
  passes: 2,
  parallelism: 1,
  concurrency: 'auto',
} as const

const MOST_RATIO = 2
const MOST_JWKS_MS = 50
const LEAST_THROUGHPUT = 0.95
/** Until the queue is full. */
const RISE_SECONDS = 2

/** What one round gave. `rude` storms come again at once when they are answered 503. */
interface Round {
  /** Hashes a second on all cores, in a process that does nothing else. */
  readonly bare: number
  /** The same once more, at the end of the round. */
  readonly bareAgain: number
  readonly quiet: ProbeTimes
  readonly quietAgain: ProbeTimes
  readonly obedient: StormRound
  readonly rude: StormRound
  readonly rss: number
}

interface StormRound extends StormResult {
  readonly times: ProbeTimes
}

/** A server, and who asks it. */
interface Subject {
  readonly name: string
  readonly server: Measured
  readonly probe: (job: ProbeJob) => Promise<ProbeTimes>
  readonly results: Round[]
}

type Storm = (job: StormJob) => Promise<StormResult>

async function main(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const { floor, latchkey } = await startCast(parts, HASHING)
  const subjectOf = (name: string, server: Measured): Subject => ({
    name,
    server,
    // A probe keeps the sessions of its server.
    probe: startWorker(parts, 'probes.ts'),
    results: [],
  })
  const subjects = [subjectOf('this checkout', latchkey)]
  for (const root of values.beside.map(folder => resolve(folder))) {
    const server = await startBeside(parts, HASHING, { root })
    subjects.push(subjectOf(relative('', root) || 'itself', server))
  }
  const storm: Storm = startWorker(parts, 'storm.ts')
  for (const subject of subjects) await measure(subject, { floor, storm, seconds: 2 })
  for (let round = 0; round < rounds; round++) {
    await inChangingOrder(subjects, round, async subject => {
      subject.results.push(await measure(subject, { floor, storm, seconds }))
    })
  }
  console.log(`argon2: ${argon2Build.name}\n${head({ connections, rounds, seconds })}`)
  for (const subject of subjects) print(subject)
}

async function measure(
  subject: Subject,
  {
    floor,
    storm,
    seconds,
  }: { readonly floor: Floor; readonly storm: Storm; readonly seconds: number },
): Promise<Round> {
  const { server, probe } = subject
  const bareRate = async () => hashes / (await floor.hash({ hashes, concurrency: CORES }))
  const alone = () => probe({ base: server.url, seconds, perSecond: rate })
  const [bare, quiet] = [await bareRate(), await alone()]
  const obedient = await stormy(subject, { storm, seconds, obey: true })
  const rude = await stormy(subject, { storm, seconds, obey: false })
  return {
    bare,
    quiet,
    obedient,
    rude,
    quietAgain: await alone(),
    bareAgain: await bareRate(),
    rss: await server.rss(),
  }
}

/** A storm, and everybody else in it. */
async function stormy(
  { server, probe }: Subject,
  {
    storm,
    seconds,
    obey,
  }: { readonly storm: Storm; readonly seconds: number; readonly obey: boolean },
): Promise<StormRound> {
  const job = { base: server.url, connections, obey }
  await storm({ ...job, seconds: RISE_SECONDS })
  const storming = storm({ ...job, seconds })
  await wait(100)
  const times = await probe({
    base: server.url,
    seconds: seconds - 1,
    perSecond: rate,
  })
  return { ...(await storming), times }
}

function print({ name, results }: Subject): void {
  console.log(`${name}:\n`)
  printTable([
    [
      'p99 of all rounds',
      'without',
      'in a storm',
      'ratio',
      'itself',
      'goal',
      'rounds',
      'in a rude storm',
      'ratio',
    ],
    ...KINDS.map(kind => lineOf(kind, results)),
  ])
  printShares(results)
  console.log(
    `answers: ${statusesOf(results.map(({ obedient }) => obedient))}; rude: ` +
      `${statusesOf(results.map(({ rude }) => rude))}; failed probes: ` +
      `${results.reduce((sum, round) => sum + failedProbes(round), 0)}; RSS after a round, the ` +
      `most: ${(Math.max(...results.map(({ rss }) => rss)) / 2 ** 20).toFixed(0)} MiB\n`,
  )
}

/** One kind of request: over all rounds, and how many of them met the goal each for itself. */
function lineOf(kind: Probe, results: readonly Round[]): string[] {
  const all = (timesOf: (round: Round) => ProbeTimes) => p99(kind, results.map(timesOf))
  const quiet = all(round => round.quiet)
  const obedient = all(round => round.obedient.times)
  const rude = all(round => round.rude.times)
  const toQuiet = (timesOf: (round: Round) => ProbeTimes) =>
    quantileRatio(
      results.map(round => ({
        without: round.quiet[kind],
        beside: timesOf(round)[kind],
      })),
      0.99,
    )
  const ratio = toQuiet(round => round.obedient.times)
  const itself = toQuiet(round => round.quietAgain)
  const good = results.filter(round =>
    isMet(kind, p99(kind, [round.quiet]), p99(kind, [round.obedient.times])),
  )
  return [
    kind,
    ms(quiet),
    ms(obedient),
    ratio.value.toFixed(1),
    span(itself),
    kind === 'jwks'
      ? `< ${MOST_JWKS_MS} ms ${isMet(kind, quiet, obedient) ? 'met' : 'MISSED'}`
      : goalText(ratio, noiseOf(itself), { atMost: MOST_RATIO }),
    `${good.length} of ${results.length}`,
    ms(rude),
    (rude / quiet).toFixed(1),
  ]
}

function isMet(kind: Probe, quiet: number, storm: number): boolean {
  return kind === 'jwks' ? storm < MOST_JWKS_MS : storm / quiet <= MOST_RATIO
}

function p99(kind: Probe, rounds: readonly ProbeTimes[]): number {
  const all = rounds.flatMap(times => times[kind])
  return quantile(all, 0.99)
}

function printShares(results: readonly Round[]): void {
  const shareOf = ({ obedient, bare }: Round) => obedient.perSecond / bare
  const middle = (of: (round: Round) => number) =>
    intervalOf([results], some => median(some.map(of)))
  const share = middle(shareOf)
  const noise = noiseOf(middle(({ bare, bareAgain }) => bareAgain / bare))
  const rudeShare = median(results.map(({ rude, bare }) => rude.perSecond / bare))
  const good = results.filter(round => shareOf(round) >= LEAST_THROUGHPUT).length
  console.log(
    'logins a second, medians: ' +
      `${median(results.map(({ obedient }) => obedient.perSecond)).toFixed(1)}, bare argon2 on all ` +
      `cores ${median(results.map(({ bare }) => bare)).toFixed(1)}; ratio ${share.value.toFixed(2)} ` +
      `(${span(share)}; chance makes ${noise.toFixed(2)} times of it; goal ` +
      `${goalText(share, noise, { atLeast: LEAST_THROUGHPUT })}, ${good} of ${results.length} rounds), ` +
      `of a rude storm ${rudeShare.toFixed(2)}`,
  )
}

function failedProbes({ quiet, obedient, rude }: Round): number {
  return quiet.failed + obedient.times.failed + rude.times.failed
}

function statusesOf(storms: readonly StormRound[]): string {
  const all = [...new Set(storms.flatMap(({ statuses }) => Object.keys(statuses)))].sort()
  return all
    .map(
      status =>
        `${status} × ${storms.reduce((sum, { statuses }) => sum + (statuses[status] ?? 0), 0)}`,
    )
    .join(', ')
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`
}

await main()
