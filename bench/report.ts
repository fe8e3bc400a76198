// What a bench prints.
import type { Places } from './profile.ts'
import type { Figures, Sample, Starts } from './trial.ts'
import {
  type Goal,
  goalText,
  type Interval,
  intervalOf,
  median,
  noiseOf,
  quantile,
  ratioText,
  span,
} from './verdict.ts'

/** The times of two windows that were measured one after the other. */
export interface Pair {
  readonly without: readonly number[]
  readonly beside: readonly number[]
}

/**
 * How a quantile of all times beside something compares to that without it, and where the ratio lies with
 * 95 %: whole pairs are drawn, as what stands still for a moment makes many times of one window long.
 */
export function quantileRatio(pairs: readonly Pair[], share: number): Interval {
  const quantileOf = (some: readonly Pair[], side: keyof Pair) =>
    quantile(
      some.flatMap(pair => pair[side]),
      share,
    )
  return intervalOf(
    [pairs],
    some => quantileOf(some, 'beside') / quantileOf(some, 'without'),
  )
}

/** The same of the median window: a stall of the machine makes one window slow, and not the median. */
export function typicalRatio(pairs: readonly Pair[], share: number): Interval {
  const typicalOf = (some: readonly Pair[], side: keyof Pair) =>
    median(some.map(pair => quantile(pair[side], share)))
  return intervalOf(
    [pairs],
    some => typicalOf(some, 'beside') / typicalOf(some, 'without'),
  )
}

/** A line of a table: what was measured, and what its ratios have to keep to. */
export interface Row {
  readonly name: string
  readonly cpu?: Goal
  readonly rate?: Goal
  readonly starts: Starts<Sample>
  /** Of all three, where they were counted. */
  readonly instructions?: Readonly<Record<keyof Sample, number>>
}

/**
 * Prints the table. CPU: the least of all rounds, as whatever else runs on the machine can only add to it;
 * requests a second: the median. The ratios are medians of the rounds' own ones, and "itself" is that of the
 * same server beside itself, with 95 %. A ratio that chance alone could give, going by that, isn't shown.
 */
export function printRows(rows: readonly Row[], beside = 'floor'): void {
  const side = [beside, 'ratio', 'itself', 'goal']
  const head = ['', 'CPU/request', ...side, 'requests/s', ...side]
  const isCounted = rows.some(({ instructions }) => instructions !== undefined)
  const more = isCounted ? ['instructions', beside, 'ratio', 'itself'] : []
  printTable([
    [...head, ...more],
    ...rows.map(row => [
      row.name,
      ...cellsOf(row, 'cpu', all => `${Math.min(...all).toFixed(1)} µs`),
      ...cellsOf(row, 'perSecond', all => median(all).toFixed(0)),
      ...(isCounted ? instructionCells(row) : []),
    ]),
  ])
}

/** Ours, the other's, their ratio, that of ours beside itself, and the goal. */
function cellsOf(
  { starts, cpu, rate }: Row,
  figure: keyof Figures,
  show: (all: readonly number[]) => string,
): string[] {
  const all = (side: keyof Sample) => starts.flat().map(sample => sample[side][figure])
  const ratioTo = (side: keyof Sample) =>
    intervalOf(starts, some =>
      median(some.map(sample => sample.ours[figure] / sample[side][figure])),
    )
  const [ratio, itself] = [ratioTo('other'), ratioTo('again')]
  const noise = noiseOf(itself)
  return [
    show(all('ours')),
    show(all('other')),
    ratioText(ratio, noise),
    span(itself),
    goalText(ratio, noise, (figure === 'cpu' ? cpu : rate) ?? {}),
  ]
}

function instructionCells({ instructions }: Row): string[] {
  if (instructions === undefined) return ['', '', '', '']
  const { ours, other, again } = instructions
  const texts = [ours, other].map(count => `${(count / 1000).toFixed(0)} k`)
  return [...texts, (ours / other).toFixed(2), (ours / again).toFixed(2)]
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
