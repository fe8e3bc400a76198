// The metrics of several processes as those of one. Counters and histograms are summed; what a gauge of
// several processes is stands in GAUGES.
import { toOpenMetrics, type MetricsFormat } from './open-metrics.ts'

/** How the values of a gauge become one. */
type Rule = (one: number, other: number) => number

const sum: Rule = (one, other) => one + other
/** The worst of them, or what all of them know alike. */
const most: Rule = (one, other) => Math.max(one, other)
/** Something is well once it is well in all of them. */
const least: Rule = (one, other) => Math.min(one, other)

/** The first pattern that fits a gauge's name says it. */
const GAUGES: ReadonlyArray<readonly [RegExp, Rule]> = [
  // What each process has for itself.
  [/^latchkey_(processes|connections|hash_queue|hash_working)$/, sum],
  [/^latchkey_http_requests_in_flight$/, sum],
  [/^latchkey_store_revocations_(kept|repeated)$/, sum],
  [/^process_(resident|virtual|heap|open)_/, sum],
  [/^nodejs_(heap|external|active)_/, sum],
  [/^latchkey_(store_up|store_reached|store_accounts_reached|directory_up)$/, least],
  [/^process_(start_time_seconds|max_fds)$/, least],
  // What lies in the store, of which each process knows the same.
  [/^latchkey_(outbox|status|key)_/, most],
  [/^latchkey_(build_info|config_refused|proxy_untrusted)$/, most],
  [/^latchkey_store_(lost|at_risk)$/, most],
  [/^nodejs_(eventloop_lag|version_info)/, most],
]

/** Of the most recent request that a bucket of a histogram counted. */
interface Point {
  readonly value: number
  /** As it was written, with the blank before it; empty: none. */
  readonly exemplar: string
}

/** A metric and its series. */
export interface MetricFamily {
  /** As OpenMetrics calls it: a counter's without `_total`. */
  readonly name: string
  readonly help: string
  readonly type: string
  /** Name and labels of a series, as they are written → its value. */
  readonly samples: ReadonlyMap<string, Point>
}

const SAMPLE = /^(\w+(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?) (\S+)( # .*)?$/

/** The rule of a gauge; undefined: nobody has said it. */
export function gaugeRule(name: string): Rule | undefined {
  return GAUGES.find(([pattern]) => pattern.test(name))?.[1]
}

/** Reads all metrics of a text in OpenMetrics' format, as they are written here. */
export function parseFamilies(text: string): MetricFamily[] {
  const families: Array<MetricFamily & { readonly samples: Map<string, Point> }> = []
  let help = ''
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (kind === 'HELP') help = rest
    else if (kind === 'TYPE') {
      families.push({ name, help, type: rest, samples: new Map() })
    } else {
      const [, key, value, exemplar = ''] = SAMPLE.exec(line) ?? []
      if (key !== undefined) {
        families.at(-1)?.samples.set(key, { value: Number(value), exemplar })
      }
    }
  }
  return families
}

/** Those that never fall: what is left of a process that has ended. */
export function countsOf(families: readonly MetricFamily[]): MetricFamily[] {
  return families.filter(({ type }) => type !== 'gauge')
}

/** Makes one of all; a series is there once one of them has it. */
export function mergeFamilies(
  all: ReadonlyArray<readonly MetricFamily[]>,
): MetricFamily[] {
  const merged = new Map<string, MetricFamily & { samples: Map<string, Point> }>()
  for (const family of all.flat()) {
    const { name, type } = family
    const into = merged.get(name) ?? { ...family, samples: new Map<string, Point>() }
    merged.set(name, into)
    const rule = type === 'gauge' ? (gaugeRule(name) ?? most) : sum
    for (const [key, point] of family.samples) {
      into.samples.set(key, together(rule, into.samples.get(key), point))
    }
  }
  return [...merged.values()]
}

function together(rule: Rule, one: Point | undefined, other: Point): Point {
  // Not a number: it has measured nothing since it was asked last.
  if (one === undefined || Number.isNaN(one.value)) return other
  if (Number.isNaN(other.value)) return one
  return {
    value: rule(one.value, other.value),
    exemplar: other.exemplar || one.exemplar,
  }
}

/** Writes them. */
export function renderFamilies(
  families: readonly MetricFamily[],
  format: MetricsFormat,
): string {
  const lines = families.flatMap(({ name, help, type, samples }) => {
    const written = type === 'counter' ? `${name}_total` : name
    return [
      `# HELP ${written} ${help}`,
      `# TYPE ${written} ${type}`,
      ...[...samples].map(([key, { value, exemplar }]) =>
        format === 'text' ? `${key} ${value}` : `${key} ${value}${exemplar}`,
      ),
    ]
  })
  const text = `${lines.join('\n')}\n`
  return format === 'text' ? text : toOpenMetrics(text)
}
