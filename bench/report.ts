// What a bench prints.
import type { Places } from './profile.ts'

/** CPU microseconds per request, and requests per second. */
export interface Figures {
  readonly cpu: number
  readonly perSecond: number
}

/** The times of two windows that were measured one after the other. */
export interface Pair {
  readonly without: readonly number[]
  readonly beside: readonly number[]
}

const RESAMPLES = 400

/**
 * How a quantile of all times beside something compares to that without it, and where the ratio lies with
 * 95 %: by a bootstrap of whole pairs, as what stands still for a moment makes many times of one window long.
 */
export function quantileRatio(
  pairs: readonly Pair[],
  share: number,
): readonly [ratio: number, low: number, high: number] {
  const ratioOf = (some: readonly Pair[]) =>
    quantile(
      some.flatMap(({ beside }) => beside),
      share,
    ) /
    quantile(
      some.flatMap(({ without }) => without),
      share,
    )
  const drawn = Array.from({ length: RESAMPLES }, () =>
    ratioOf(pairs.map(pair => pairs[Math.floor(Math.random() * pairs.length)] ?? pair)),
  )
  return [ratioOf(pairs), quantile(drawn, 0.025), quantile(drawn, 0.975)]
}

/** One round: the server and its floor, one after the other. */
export interface Sample {
  readonly ours: Figures
  readonly floors: Figures
}

export interface Row {
  readonly name: string
  /** The most that `ours` may be as a multiple of `floors`. */
  readonly goal: number | undefined
  readonly samples: Sample[]
}

/**
 * Prints the table. CPU: the least of all rounds, as whatever else runs on the machine can only add to it;
 * beside it the median of the rounds' ratios. Requests per second: the medians.
 */
export function printRows(rows: readonly Row[], beside = 'floor'): void {
  const head = [
    '',
    'CPU/request',
    beside,
    'ratio',
    'median ratio',
    'goal',
    'requests/s',
    beside,
    'ratio',
  ]
  printTable([head, ...rows.map(lineOf)])
}

/**
 * Prints where the processor was in a request of ours and in the floor's; what is below one percent is added
 * up.
 */
export function printProfile(
  title: string,
  [ours = new Map(), floors = new Map()]: readonly Places[],
): void {
  const all = [...new Set([...ours.keys(), ...floors.keys()])].map(where => ({
    where,
    ours: ours.get(where) ?? 0,
    floor: floors.get(where) ?? 0,
  }))
  const total = sumOf('everything', all)
  const isLarge = (line: ProfileLine) =>
    Math.max(line.ours, line.floor) >= total.ours / 100
  const large = all.filter(isLarge).sort((a, b) => b.ours - a.ours)
  const lines = [
    ...large,
    sumOf(
      'everything smaller',
      all.filter(line => !isLarge(line)),
    ),
    total,
  ]
  printTable([
    [title, 'Latchkey', 'floor'],
    ...lines.map(({ where, ours, floor }) => [
      where,
      `${ours.toFixed(1)} µs`,
      `${floor.toFixed(1)} µs`,
    ]),
  ])
}

interface ProfileLine {
  readonly where: string
  readonly ours: number
  readonly floor: number
}

function sumOf(where: string, lines: readonly ProfileLine[]): ProfileLine {
  return lines.reduce(
    (sum, { ours, floor }) => ({
      where,
      ours: sum.ours + ours,
      floor: sum.floor + floor,
    }),
    { where, ours: 0, floor: 0 },
  )
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (
    ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle) - 1] ?? NaN)) / 2
  )
}

/** The value below which that share of all values lies. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? NaN
}

function lineOf({ name, goal, samples }: Row): string[] {
  const ours = samples.map(sample => sample.ours)
  const floors = samples.map(sample => sample.floors)
  const [leastOurs, leastFloors] = [ours, floors].map(figures =>
    Math.min(...figures.map(({ cpu }) => cpu)),
  ) as [number, number]
  const ratio = leastOurs / leastFloors
  const rates = samples.map(sample => sample.ours.perSecond / sample.floors.perSecond)
  return [
    name,
    `${leastOurs.toFixed(1)} µs`,
    `${leastFloors.toFixed(1)} µs`,
    ratio.toFixed(2),
    median(samples.map(sample => sample.ours.cpu / sample.floors.cpu)).toFixed(2),
    goal === undefined ? '' : `≤ ${goal.toFixed(2)} ${ratio <= goal ? 'met' : 'MISSED'}`,
    median(ours.map(({ perSecond }) => perSecond)).toFixed(0),
    median(floors.map(({ perSecond }) => perSecond)).toFixed(0),
    median(rates).toFixed(2),
  ]
}

/** Prints a table as Markdown, so that it can be pasted into the documentation. */
export function printTable(rows: readonly string[][]): void {
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ??
    []
  const padded = (cell: string, column: number) => {
    const width = widths[column] ?? 0
    return column === 0 ? cell.padEnd(width) : cell.padStart(width)
  }
  const line = (row: readonly string[]) => `| ${row.map(padded).join(' | ')} |`
  const [head = [], ...body] = rows
  const dashes = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`,
  )
  const rule = `|${dashes.join('|')}|`
  console.log([line(head), rule, ...body.map(line), ''].join('\n'))
}
