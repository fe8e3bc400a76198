// What bench:logins prints of a server's rounds.
import { availableParallelism } from 'node:os'
import type { CoreShares } from './core-shares.ts'
import { KINDS, type Probe, type ProbeTimes } from './probes.ts'
import { printTable, quantileRatio } from './report.ts'
import type { StormResult } from './storm.ts'
import { goalText, intervalOf, median, noiseOf, quantile, span } from './verdict.ts'

const MOST_RATIO = 2
const MOST_JWKS_MS = 50
const LEAST_THROUGHPUT = 0.95

/** What one round gave. `rude` storms come again at once when they are answered 503. */
export interface Round {
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

export interface StormRound extends StormResult {
  readonly times: ProbeTimes
  readonly cores: CoreShares
}

/** Prints what the rounds of a server gave. */
export function printStorm(name: string, results: readonly Round[]): void {
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
  printCores(results)
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

/** Of the storms whose clients wait. */
function printCores(results: readonly Round[]): void {
  const share = (who: keyof CoreShares) =>
    median(results.map(({ obedient }) => obedient.cores[who])).toFixed(2)
  console.log(
    `what the ${availableParallelism()} cores did in a storm, medians: ` +
      `hashing ${share('hashing')}, event loop ${share('eventLoop')}, ` +
      `Redis ${share('redis')}, load, probes and system ${share('everythingElse')}, ` +
      `idle ${share('idle')}`,
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
