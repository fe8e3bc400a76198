// npm run bench: the CPU time and the rate of each endpoint, beside its floor, measured in turn in one run.
// docs/performance.md reads the table.
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { bytesPerFamily } from './bytes-per-family.ts'
import type { Kind } from './load.ts'
import { VARIANTS } from './parties.ts'
import {
  type Cast,
  type Measured,
  startBeside,
  startCast,
  type Variant,
} from './processes.ts'
import { summarise } from './profile.ts'
import { printProfile, printRows, type Row, type Sample } from './report.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    requests: { type: 'string', default: '600' },
    hashes: { type: 'string', default: '20' },
    refreshes: { type: 'string', default: '10000' },
    connections: { type: 'string', default: '16' },
    // A part of the names in the table.
    only: { type: 'string', default: '' },
    // One kind of request, and a file for the whole profile (a .cpuprofile, for a browser's developer tools).
    profile: { type: 'string' },
    save: { type: 'string' },
    // Another checkout of Latchkey, in the place of the floors; "." shows what the machine's noise comes to.
    beside: { type: 'string' },
    // cache, claims or openid: a server that does less or more for a token, beside the ordinary one in the
    // floors' place.
    variant: { type: 'string' },
    // Both servers of --beside on SQLite.
    sqlite: { type: 'boolean', default: false },
  },
})
const [rounds, requests, hashes, refreshes, connections] = [
  values.rounds,
  values.requests,
  values.hashes,
  values.refreshes,
  values.connections,
].map(Number) as [number, number, number, number, number]

// One core is left to everything else, as the server's own default has it.
const hashing = {
  memoryKiB: 19456,
  passes: 2,
  parallelism: 1,
  concurrency: Math.max(1, availableParallelism() - 1),
}

const WARM_UP = 5

/** Whether another server stands in the floors' place. */
const comparesServers = values.beside !== undefined || values.variant !== undefined

/** A line of the table: the endpoint, its floor, and the most that it may cost as a multiple of that. */
interface Contest {
  readonly name: string
  readonly goal: number | undefined
  run(cast: Cast, round: number): Promise<Sample>
}

const CONTESTS: readonly Contest[] = [
  { name: 'refresh', goal: 1.6, run: against('refresh') },
  {
    name: 'refresh, floor with a limit',
    goal: undefined,
    run: against('refresh', '/limited'),
  },
  { name: 'introspection', goal: 1.6, run: against('introspection') },
  {
    name: 'introspection, first sight',
    goal: 1.6,
    run: against('first-sight', '/verified'),
  },
  { name: 'JWKS', goal: 1.15, run: against('jwks') },
  { name: 'password', goal: 1 / 0.9, run: againstHashing },
]

const KINDS: readonly Kind[] = ['refresh', 'introspection', 'first-sight', 'jwks']

const BESIDE: readonly Contest[] = KINDS.map(kind => ({
  name: kind,
  goal: undefined,
  run: against(kind),
}))

async function main(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const store = values.sqlite ? 'sqlite' : 'redis'
  const cast = await startCast(parts, hashing, store)
  if (comparesServers) {
    const other = await startBeside(parts, hashing, { ...otherServer(), store })
    const [latchkey, floor] =
      values.beside === undefined ? [other, cast.latchkey] : [cast.latchkey, other]
    await compete(BESIDE, { ...cast, latchkey, floor: { ...cast.floor, ...floor } })
    await printLoops(latchkey, floor)
    return
  }
  if (values.profile !== undefined) {
    await profile(cast, values.profile as Kind)
    return
  }
  await compete(CONTESTS, cast)
  if (values.only === '') console.log(await bytesPerFamily(cast.redis.url, refreshes))
}

function otherServer(): Variant {
  if (values.beside !== undefined) return { root: resolve(values.beside) }
  const [, variant] =
    Object.entries<Variant>(VARIANTS).find(([name]) => name === values.variant) ?? []
  if (variant === undefined) {
    throw new Error(`--variant is one of ${Object.keys(VARIANTS).join(', ')}`)
  }
  return variant
}

async function compete(all: readonly Contest[], cast: Cast): Promise<void> {
  const contests = all.filter(({ name }) => name.includes(values.only))
  const rows = contests.map(({ name, goal }): Row => ({ name, goal, samples: [] }))
  // The first rounds warm up.
  for (let round = -WARM_UP; round < rounds; round++) {
    if (round === 0) await inTurn([cast.latchkey, cast.floor], server => server.loop())
    const samples = await inTurn(contests, contest => contest.run(cast, round))
    if (round >= 0) samples.forEach((sample, index) => rows[index]?.samples.push(sample))
  }
  printRows(rows, values.beside ?? (values.variant && 'ordinary'))
}

/** By how much the event loops were late. */
async function printLoops(...servers: readonly Measured[]): Promise<void> {
  const lags = await inTurn(servers, server => server.loop())
  const [ours = 0, beside = 0] = lags
  console.log(`event loop, p99: ${ours.toFixed(1)} ms, beside ${beside.toFixed(1)} ms\n`)
}

/** Where the time of a request goes, beside where that of its floor goes. */
async function profile({ latchkey, floor, load }: Cast, kind: Kind): Promise<void> {
  const sides = await inTurn([latchkey, floor], async process => {
    const run = () =>
      load({
        base: process.url,
        kind,
        connections,
        requests: requests * 5,
      })
    await run()
    const { cpu } = await measure(process, requests * 5, run)
    return { cpu, profile: await process.profiled(run) }
  })
  printProfile(
    kind,
    sides.map(({ cpu, profile }) => summarise(profile, cpu)),
  )
  if (values.save !== undefined) {
    await writeFile(values.save, JSON.stringify(sides[0]?.profile))
  }
}

/** The same requests to both; `path` is where the floor is. */
function against(kind: Kind, path = ''): Contest['run'] {
  return async ({ latchkey, floor, load }, round) => {
    const run = (base: string) =>
      load({
        base,
        kind,
        connections,
        requests,
      })
    // Tokens that nobody has shown so far come from refreshes, which aren't measured.
    const sides = comparesServers ? [latchkey, floor] : [latchkey]
    if (kind === 'first-sight') {
      await inTurn(sides, ({ url }) =>
        load({
          base: url,
          kind: 'refresh',
          connections,
          requests,
        }),
      )
    }
    return both(
      round,
      () => measure(latchkey, requests, () => run(latchkey.url)),
      () => measure(floor, requests, () => run(floor.url + path)),
    )
  }
}

function againstHashing({ latchkey, floor, load }: Cast, round: number): Promise<Sample> {
  const logins = () =>
    load({
      base: latchkey.url,
      kind: 'password',
      connections: hashing.concurrency + 1,
      requests: hashes,
    })
  return both(
    round,
    () => measure(latchkey, hashes, logins),
    () =>
      measure(floor, hashes, () =>
        floor.hash({ hashes, concurrency: hashing.concurrency }),
      ),
  )
}

/** Every second round the other way round, so that neither profits from its place. */
async function both(
  round: number,
  ours: () => Promise<Sample['ours']>,
  floors: () => Promise<Sample['floors']>,
): Promise<Sample> {
  if (round % 2 === 0) return { ours: await ours(), floors: await floors() }
  const floor = await floors()
  return { ours: await ours(), floors: floor }
}

async function measure(
  process: Measured,
  count: number,
  work: () => Promise<number>,
): Promise<Sample['ours']> {
  const before = await process.cpu()
  const seconds = await work()
  return { cpu: ((await process.cpu()) - before) / count, perSecond: count / seconds }
}

async function inTurn<In, Out>(
  list: readonly In[],
  work: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = []
  for (const item of list) results.push(await work(item))
  return results
}

await main()
