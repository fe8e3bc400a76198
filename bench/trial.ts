// How a bench measures: everybody in turn, and one of them twice, so that the report knows what chance does.

/** What one window of requests took. */
export interface Figures {
  /** Microseconds of CPU a request. */
  readonly cpu: number
  readonly perSecond: number
}

/**
 * One round: what is measured, what it is held against, and the first once more: another process of the same.
 */
export interface Sample {
  readonly ours: Figures
  readonly other: Figures
  readonly again: Figures
}

/** Rounds, by the start of the processes that they come from: those of one start are alike. */
export type Starts<Round> = ReadonlyArray<readonly Round[]>

/** Does one after the other; the results are in the list's order. */
export async function inTurn<In, Out>(
  list: readonly In[],
  work: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = []
  for (const item of list) results.push(await work(item))
  return results
}

/**
 * Does one after the other in an order that changes from round to round, so that nobody profits from their
 * place; the results are in the list's order.
 */
export async function inChangingOrder<In, Out>(
  list: readonly In[],
  round: number,
  work: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const shift = Math.floor(Math.abs(round) / 2)
  const indexed = list.map((item, index) => ({ item, index }))
  const turned = indexed.map((_, at) => indexed[(at + shift) % list.length] ?? _)
  const done = await inTurn(
    round % 2 === 0 ? turned : turned.toReversed(),
    async ({ item, index }) => ({ index, result: await work(item) }),
  )
  return done.toSorted((a, b) => a.index - b.index).map(({ result }) => result)
}

/** Measures the three of a sample by turns. */
export async function sampled(
  round: number,
  three: Readonly<Record<keyof Sample, () => Promise<Figures>>>,
): Promise<Sample> {
  const list = [three.ours, three.other, three.again]
  const [ours, other, again] = await inChangingOrder(list, round, measure => measure())
  if (ours === undefined || other === undefined || again === undefined) {
    throw new Error('three are measured')
  }
  return { ours, other, again }
}

/** Measures a window: the CPU of a process, and how long so many requests took. */
export async function windowOf(
  process: { cpu(): Promise<number> },
  count: number,
  work: () => Promise<number>,
): Promise<Figures> {
  const before = await process.cpu()
  const seconds = await work()
  return { cpu: ((await process.cpu()) - before) / count, perSecond: count / seconds }
}

/** What every bench of this kind is told, as parseArgs takes it. */
export const TRIAL_OPTIONS = {
  rounds: { type: 'string', default: '30' },
  /** Rounds of each start that only warm up. */
  'warm-up': { type: 'string', default: '10' },
  /** How often all servers are started anew; the rounds are shared out. */
  starts: { type: 'string', default: '3' },
  /** Of each server in a round. */
  requests: { type: 'string', default: '600' },
  connections: { type: 'string', default: '16' },
} as const

/** Options of the command line that are numbers, by name. */
export function numbersOf<Name extends string>(
  values: Readonly<Record<Name, unknown>>,
  names: readonly Name[],
): Readonly<Record<Name, number>> {
  const entries = names.map(name => {
    const number = Number(values[name])
    if (!Number.isFinite(number)) throw new Error(`--${name} is a number`)
    return [name, number]
  })
  return Object.fromEntries(entries)
}
