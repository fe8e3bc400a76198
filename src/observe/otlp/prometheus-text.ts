// Prometheus' text format, read: the metrics are written once (metrics/metrics.ts), and what sends them
// elsewhere reads that. Reads what is written there, and no more of the format. A series without a number
// (NaN: nothing was measured since the last reader) is left out, since OTLP's JSON would make it null.

/** One series. */
export interface Sample {
  /** With the suffix of its kind: `_bucket`, `_sum`, `_count`. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric and its series. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: readonly Sample[]
}

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/
const LABEL = /(\w+)=("(?:[^"\\]|\\.)*")/g

/** Reads all metrics of a text, in its order. */
export function readFamilies(text: string): Family[] {
  const families: Array<Omit<Family, 'samples'> & { readonly samples: Sample[] }> = []
  let help = ''
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (kind === 'HELP') help = rest
    else if (kind === 'TYPE') families.push({ name, help, type: rest, samples: [] })
    else {
      const sample = readSample(line)
      if (sample !== undefined) families.at(-1)?.samples.push(sample)
    }
  }
  return families
}

function readSample(line: string): Sample | undefined {
  const [, name, labels = '', number] = SAMPLE.exec(line) ?? []
  const value = Number(number)
  if (name === undefined || !Number.isFinite(value)) return undefined
  return {
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(LABEL)].map(([, label, quoted = '""']) => [
        label,
        String(JSON.parse(quoted)),
      ]),
    ),
    value,
  }
}
