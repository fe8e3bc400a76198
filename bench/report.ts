// What a bench prints.
import type { ProfileLine } from './profile.ts'

/** CPU microseconds per request, and requests per second. */
export interface Figures {
  readonly cpu: number
  readonly perSecond: number
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

/** Prints the table; a ratio is the median of the rounds' ratios, with the least and the greatest. */
export function printRows (rows: readonly Row[]): void {
  const head = ['', 'CPU/request', 'floor', 'ratio', 'goal', 'requests/s', 'floor', 'ratio']
  printTable([head, ...rows.map(lineOf)])
}

/** Prints where the processor was; what is below half a percent is added up. */
export function printProfile (title: string, lines: readonly ProfileLine[]): void {
  const large = lines.filter(({ share }) => share >= 0.005)
  const rest = 1 - large.reduce((sum, { share }) => sum + share, 0)
  printTable([['where', title], ...[...large, { where: 'everything below 0.5 %', share: rest }].map(({ where, share }) => [where, `${(share * 100).toFixed(1)} %`])])
}

export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle) - 1] ?? NaN)) / 2
}

function lineOf ({ name, goal, samples }: Row): string[] {
  const ours = samples.map(sample => sample.ours)
  const floors = samples.map(sample => sample.floors)
  const ratios = samples.map(sample => sample.ours.cpu / sample.floors.cpu)
  const rates = samples.map(sample => sample.ours.perSecond / sample.floors.perSecond)
  const middle = median(ratios)
  return [
    name,
    `${median(ours.map(({ cpu }) => cpu)).toFixed(1)} µs`,
    `${median(floors.map(({ cpu }) => cpu)).toFixed(1)} µs`,
    `${middle.toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`,
    goal === undefined ? '' : `≤ ${goal.toFixed(2)} ${middle <= goal ? 'met' : 'MISSED'}`,
    median(ours.map(({ perSecond }) => perSecond)).toFixed(0),
    median(floors.map(({ perSecond }) => perSecond)).toFixed(0),
    median(rates).toFixed(2),
  ]
}

/** As Markdown, so that it can be pasted into the documentation. */
function printTable (rows: readonly string[][]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? []
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = rows
  const rule = `|${widths.map((width, column) => column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`).join('|')}|`
  console.log([line(head), rule, ...body.map(line), ''].join('\n'))
}
