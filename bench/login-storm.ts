// npm run bench:logins: what a storm of logins does to everybody else, and how much of the machine's hashing
// it gets; --beside names other checkouts that are measured in turn. docs/performance.md reads it.
import { availableParallelism } from 'node:os'
import { relative, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { argon2Build } from '../src/users/hashing/argon2.ts'
import type { TestRedis } from '../test/support/redis.ts'
import { type Measured, startWorker } from './child.ts'
import { watchCores } from './core-shares.ts'
import { head } from './machine.ts'
import type { ProbeJob, ProbeTimes } from './probes.ts'
import { type Beside, startBeside, startCast, type Floor } from './processes.ts'
import { printStorm, type Round, type StormRound } from './storm-report.ts'
import type { StormJob, StormResult } from './storm.ts'
import { inChangingOrder, numbersOf } from './trial.ts'

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

/** Until the queue is full. */
const RISE_SECONDS = 2

/** A server, and who asks it. */
interface Subject {
  readonly name: string
  readonly server: Measured
  readonly redis: TestRedis
  readonly probe: (job: ProbeJob) => Promise<ProbeTimes>
  readonly results: Round[]
}

type Storm = (job: StormJob) => Promise<StormResult>

async function main(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const { floor, latchkey, redis } = await startCast(parts, HASHING)
  const subjectOf = (name: string, server: Beside): Subject => ({
    name,
    server,
    redis: server.redis,
    // A probe keeps the sessions of its server.
    probe: startWorker(parts, 'probes.ts'),
    results: [],
  })
  const subjects = [subjectOf('this checkout', { ...latchkey, redis })]
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
  for (const { name, results } of subjects) printStorm(name, results)
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
  { server, redis, probe }: Subject,
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
  const coresSince = await watchCores({ server: server.pid, redis: redis.pid })
  const times = await probe({
    base: server.url,
    seconds: seconds - 1,
    perSecond: rate,
  })
  const cores = await coresSince()
  return { ...(await storming), times, cores }
}

await main()
