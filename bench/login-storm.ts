// npm run bench:logins: what a storm of logins does to everybody else, and how much of the machine's hashing
// it gets. docs/performance.md reads it.
import { availableParallelism } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { argon2Build } from '../src/users/hashing/argon2.ts'
import { KINDS, type ProbeJob, type ProbeTimes } from './probes.ts'
import { startCast, startWorker, type Cast } from './processes.ts'
import { median, printTable, quantile } from './report.ts'
import type { StormJob, StormResult } from './storm.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    connections: { type: 'string', default: '64' },
    // Of refreshes, introspections and key fetches, each.
    rate: { type: 'string', default: '20' },
    hashes: { type: 'string', default: '200' },
  },
})
const [rounds, seconds, connections, rate, hashes] = [
  values.rounds,
  values.seconds,
  values.connections,
  values.rate,
  values.hashes,
].map(Number) as [number, number, number, number, number]

const hashing = {
  memoryKiB: 19456,
  passes: 2,
  parallelism: 1,
  concurrency: Math.max(1, availableParallelism() - 1),
}

const MOST_RATIO = 3
const MOST_JWKS_MS = 50
const LEAST_THROUGHPUT = 0.9
/** Until the queue is full. */
const RISE_SECONDS = 2

/** What one round gave. `rude` storms come again at once when they are answered 503. */
interface Round {
  readonly bare: number
  readonly quiet: ProbeTimes
  readonly obedient: StormRound
  readonly rude: StormRound
}

interface StormRound extends StormResult {
  readonly times: ProbeTimes
}

interface Actors extends Cast {
  readonly probe: (job: ProbeJob) => Promise<ProbeTimes>
  readonly storm: (job: StormJob) => Promise<StormResult>
}

async function main(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const cast = await startCast(parts, hashing)
  const actors: Actors = {
    ...cast,
    probe: startWorker(parts, 'probes.ts'),
    storm: startWorker(parts, 'storm.ts'),
  }
  await measure({ ...actors }, 2)
  const results: Round[] = []
  for (let round = 0; round < rounds; round++) {
    results.push(await measure(actors, seconds))
  }
  print(results)
}

async function measure(actors: Actors, seconds: number): Promise<Round> {
  const { floor, latchkey, probe } = actors
  const bare = hashes / (await floor.hash({ hashes, concurrency: hashing.concurrency }))
  const quiet = await probe({ base: latchkey.url, seconds, perSecond: rate })
  const obedient = await stormy(actors, seconds, true)
  const rude = await stormy(actors, seconds, false)
  return {
    bare,
    quiet,
    obedient,
    rude,
  }
}

/** A storm, and everybody else in it. */
async function stormy(
  { latchkey: { url: base }, probe, storm }: Actors,
  seconds: number,
  obey: boolean,
): Promise<StormRound> {
  await storm({
    base,
    connections,
    seconds: RISE_SECONDS,
    obey,
  })
  const storming = storm({
    base,
    connections,
    seconds,
    obey,
  })
  await wait(100)
  const times = await probe({ base, seconds: seconds - 1, perSecond: rate })
  return { ...(await storming), times }
}

function print(results: readonly Round[]): void {
  console.log(
    `argon2: ${argon2Build.name}; ${hashing.concurrency} at a time on ${availableParallelism()} ` +
      `cores, ${connections} connections, ${rounds} rounds of ${seconds} s\n`,
  )
  printTable([
    [
      'p99 of all rounds',
      'without',
      'in a storm',
      'ratio',
      'goal',
      'in a rude storm',
      'ratio',
    ],
    ...KINDS.map(kind => {
      const [quiet, obedient, rude] = [
        results.map(({ quiet }) => quiet),
        results.map(({ obedient }) => obedient.times),
        results.map(({ rude }) => rude.times),
      ].map(all =>
        quantile(
          all.flatMap(times => times[kind]),
          0.99,
        ),
      ) as [number, number, number]
      const met =
        obedient / quiet <= MOST_RATIO && (kind !== 'jwks' || obedient <= MOST_JWKS_MS)
      const mostMs = kind === 'jwks' ? `, ≤ ${MOST_JWKS_MS} ms` : ''
      const goal = `≤ ${MOST_RATIO}${mostMs} ${met ? 'met' : 'MISSED'}`
      return [
        kind,
        ms(quiet),
        ms(obedient),
        (obedient / quiet).toFixed(1),
        goal,
        ms(rude),
        (rude / quiet).toFixed(1),
      ]
    }),
  ])
  const share = median(results.map(({ obedient, bare }) => obedient.perSecond / bare))
  const rudeShare = median(results.map(({ rude, bare }) => rude.perSecond / bare))
  console.log(
    'logins a second, medians: ' +
      `${median(results.map(({ obedient }) => obedient.perSecond)).toFixed(1)}, bare argon2 ` +
      `${median(results.map(({ bare }) => bare)).toFixed(1)}; ` +
      `ratio ${share.toFixed(2)} (goal ≥ ${LEAST_THROUGHPUT} ` +
      `${share >= LEAST_THROUGHPUT ? 'met' : 'MISSED'}), of a rude storm ${rudeShare.toFixed(2)}`,
  )
  console.log(
    `answers: ${statusesOf(results.map(({ obedient }) => obedient))}; rude: ` +
      `${statusesOf(results.map(({ rude }) => rude))}; failed probes: ` +
      `${results.reduce((sum, round) => sum + failedProbes(round), 0)}`,
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
