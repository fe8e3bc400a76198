// Counts and durations at the price of an addition. prom-client works out a metric's labels anew at each
// call, which costs a refresh more than all its counting should: here they are worked out when a combination
// is first seen, and prom-client is told when somebody asks.
import { Counter, type Registry } from 'prom-client'
import type { MetricsFormat } from './open-metrics.ts'

/** What a metric is called, and what it says. */
export interface MetricOptions {
  readonly name: string
  readonly help: string
}

type Labels = Readonly<Record<string, string | number>>

export interface TallyOptions extends MetricOptions {
  readonly labelNames: readonly string[]
  /** The labels that a key stands for. */
  readonly labelsOf: (key: string) => Labels
  /** Keys that are there from the start, at zero: who watches a rate must not miss the first one. */
  readonly known?: readonly string[]
}

/** Counts one of what the key stands for. The keys are a small, closed set. */
export type Tally = (key: string) => void

/** Makes a counter in the registry. */
export function createTally(
  registry: Registry,
  { name, help, labelNames, labelsOf, known = [] }: TallyOptions,
): Tally {
  const cells = new Map<string, { readonly labels: Labels; count: number }>()
  const cellOf = (key: string) => {
    const cell = { labels: labelsOf(key), count: 0 }
    cells.set(key, cell)
    return cell
  }
  known.forEach(cellOf)
  registry.registerMetric(
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [],
      collect() {
        this.reset()
        for (const { labels, count } of cells.values()) this.inc(labels, count)
      },
    }),
  )
  return key => {
    ;(cells.get(key) ?? cellOf(key)).count += 1
  }
}

export interface DurationsOptions extends MetricOptions {
  /** Upper bounds in seconds, rising. */
  readonly buckets: readonly number[]
}

/** Notes a duration in seconds; `traceId`: that of the trace in which it was, where there is one. */
export type Observe = (seconds: number, traceId?: string) => void

export interface Durations {
  /** The series with these labels, to be kept by who observes often: asking again makes another. */
  series(labels: Labels): Observe
  /** Prometheus' text format; in OpenMetrics with the latest trace of each bucket. */
  render(format?: MetricsFormat): string
}

interface Series {
  readonly labels: string
  /** One count per bucket, and one for what is longer. */
  readonly counts: number[]
  /** The latest trace of each bucket. */
  readonly exemplars: Array<Exemplar | undefined>
  sum: number
}

interface Exemplar {
  readonly traceId: string
  readonly seconds: number
}

/** Makes a histogram. */
export function createDurations({ name, help, buckets }: DurationsOptions): Durations {
  const all: Series[] = []
  return {
    series(labels) {
      const series: Series = {
        labels: labelText(labels),
        counts: Array.from({ length: buckets.length + 1 }, () => 0),
        exemplars: [],
        sum: 0,
      }
      all.push(series)
      return (seconds, traceId) => {
        let bucket = 0
        while (bucket < buckets.length && seconds > Number(buckets[bucket])) bucket += 1
        series.counts[bucket] = Number(series.counts[bucket]) + 1
        series.sum += seconds
        if (traceId !== undefined) series.exemplars[bucket] = { traceId, seconds }
      }
    },
    render: (format = 'text') =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} histogram`,
        ...all.flatMap(series => linesOf({ name, buckets, format }, series)),
        '',
      ].join('\n'),
  }
}

interface Rendered extends Pick<DurationsOptions, 'name' | 'buckets'> {
  readonly format: MetricsFormat
}

function linesOf(
  { name, buckets, format }: Rendered,
  { labels, counts, exemplars, sum }: Series,
): string[] {
  let count = 0
  const lines = [...buckets, '+Inf'].map((bound, index) => {
    count += Number(counts[index])
    const line = `${name}_bucket{${labels}${labels && ','}le="${bound}"} ${count}`
    return format === 'text' ? line : line + exemplarText(exemplars[index])
  })
  const of = labels && `{${labels}}`
  return [...lines, `${name}_sum${of} ${sum}`, `${name}_count${of} ${count}`]
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return ''
  return ` # {trace_id="${exemplar.traceId}"} ${exemplar.seconds}`
}

// The values are ours and printable, so JSON's way of quoting is Prometheus', too.
function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${JSON.stringify(String(value))}`)
    .join(',')
}
