// What is measured: each endpoint of a server, beside its floor or beside another server.
import type { Counter } from './instructions.ts'
import type { Kind } from './load.ts'
import type { Measured } from './child.ts'
import { unpinned } from './pinning.ts'
import type { Cast } from './processes.ts'
import type { Row } from './report.ts'
import { type Figures, inTurn, type Sample, sampled, windowOf } from './trial.ts'

/** What each of the three of a sample has or does. */
export type Three<Each> = Readonly<Record<keyof Sample, Each>>

/** Who is measured, who that is held against, and another process of the first. */
export interface Stage extends Cast {
  readonly three: Three<Measured>
}

/** A line of the table. */
export interface Contest extends Pick<Row, 'name' | 'cpu' | 'rate'> {
  /** Requests, or hashes, of a round. */
  readonly count: number
  /** What each of the three does in a round; seconds. */
  works(stage: Stage): Three<() => Promise<number>>
  /** Comes before a round, unmeasured. */
  prepare?(stage: Stage): Promise<unknown>
  /** Hashes on all cores. */
  readonly isHashing?: boolean
}

export interface Amounts {
  readonly requests: number
  readonly hashes: number
  readonly connections: number
  /** Hashes at once. */
  readonly concurrency: number
}

const KINDS: readonly Kind[] = ['refresh', 'introspection', 'first-sight', 'jwks']

/** Each endpoint beside its floor, and the most that it may cost as a multiple of that. */
export function floorContests(amounts: Amounts): readonly Contest[] {
  const { requests: count, hashes } = amounts
  const works = (kind: Kind, path?: string) => against(amounts, kind, path)
  return [
    { name: 'refresh', cpu: { atMost: 1.3 }, count, works: works('refresh') },
    {
      name: 'refresh, floor with a limit',
      cpu: { atMost: 1.3 },
      count,
      works: works('refresh', '/limited'),
    },
    { name: 'introspection', cpu: { atMost: 1.3 }, count, works: works('introspection') },
    {
      name: 'introspection, first sight',
      cpu: { atMost: 1.6 },
      count,
      works: works('first-sight', '/verified'),
      prepare: stage => refreshAll(amounts, stage, [stage.three.ours, stage.three.again]),
    },
    { name: 'JWKS', cpu: { atMost: 1.15 }, count, works: works('jwks') },
    {
      name: 'password',
      cpu: { atMost: 1 / 0.9 },
      count: hashes,
      works: againstHashing(amounts),
      isHashing: true,
    },
  ]
}

/** The same requests to two servers. `refreshRate`: how much faster refreshes are to be. */
export function besideContests(
  amounts: Amounts,
  refreshRate: Row['rate'],
): readonly Contest[] {
  return KINDS.map(kind => ({
    name: kind,
    count: amounts.requests,
    works: against(amounts, kind),
    ...(kind === 'first-sight' && {
      prepare: (stage: Stage) => refreshAll(amounts, stage, Object.values(stage.three)),
    }),
    ...(kind === 'refresh' && refreshRate && { rate: refreshRate }),
  }))
}

/** Measures a round. */
export async function sampleOf(
  contest: Contest,
  stage: Stage,
  round: number,
): Promise<Sample> {
  await contest.prepare?.(stage)
  const works = contest.works(stage)
  const measure = (side: keyof Sample) => (): Promise<Figures> => {
    const process = stage.three[side]
    const take = () => windowOf(process, contest.count, works[side])
    return contest.isHashing
      ? unpinned(process.pid, 'server', take)
      : watched(process, take)
  }
  return sampled(round, {
    ours: measure('ours'),
    other: measure('other'),
    again: measure('again'),
  })
}

async function watched<Out>(process: Measured, work: () => Promise<Out>): Promise<Out> {
  await process.watchLoop(true)
  const result = await work()
  await process.watchLoop(false)
  return result
}

/** Counts the instructions of a request, by one more window of each. */
export async function instructionsOf(
  contest: Contest,
  stage: Stage,
  count: Counter,
): Promise<Three<number>> {
  await contest.prepare?.(stage)
  const works = contest.works(stage)
  const of = async (side: keyof Sample) =>
    (await count(stage.three[side], works[side])) / contest.count
  return { ours: await of('ours'), other: await of('other'), again: await of('again') }
}

/** The same requests to all three; `path` is where the floor is. */
function against(
  { requests, connections }: Amounts,
  kind: Kind,
  path = '',
): Contest['works'] {
  return ({ three, load }) => {
    const run = (base: string) => () =>
      load({
        base,
        kind,
        connections,
        requests,
      })
    return {
      ours: run(three.ours.url),
      other: run(three.other.url + path),
      again: run(three.again.url),
    }
  }
}

/** Tokens that nobody has shown so far come from refreshes, which aren't measured. */
function refreshAll(
  { requests, connections }: Amounts,
  { load }: Stage,
  servers: readonly Measured[],
): Promise<unknown> {
  return inTurn(servers, ({ url: base }) =>
    load({
      base,
      kind: 'refresh',
      connections,
      requests,
    }),
  )
}

function againstHashing({ hashes, concurrency }: Amounts): Contest['works'] {
  return ({ three, floor, load }) => {
    const logins = (base: string) => () =>
      load({
        base,
        kind: 'password',
        connections: concurrency + 1,
        requests: hashes,
      })
    return {
      ours: logins(three.ours.url),
      other: () => floor.hash({ hashes, concurrency }),
      again: logins(three.again.url),
    }
  }
}
