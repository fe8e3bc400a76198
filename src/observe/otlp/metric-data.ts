// The metrics in OpenTelemetry's data model. Counters and histograms count from the start of the process.
import { ValueType, type HrTime } from '@opentelemetry/api'
import {
  AggregationTemporality,
  DataPointType,
  type HistogramMetricData,
  type MetricData,
} from '@opentelemetry/sdk-metrics'
import type { Family, Sample } from './prometheus-text.ts'

/** Between which instants was counted. */
export interface Span {
  readonly startTime: HrTime
  readonly endTime: HrTime
}

/** A metric of ours as one of OpenTelemetry's; a counter is named without `_total`, which collectors add. */
export function metricDataOf(family: Family, span: Span): MetricData {
  const { name, help, type, samples } = family
  const common = {
    descriptor: {
      name: name.replace(/_total$/, ''),
      description: help,
      unit: /_seconds(_total)?$/.test(name) ? 's' : /_bytes$/.test(name) ? 'By' : '1',
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  }
  if (type === 'histogram') {
    const dataPoints = histogramsOf(samples, span)
    return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints }
  }
  const dataPoints = samples.map(({ labels, value }) => ({
    ...span,
    attributes: labels,
    value,
  }))
  return type === 'counter'
    ? {
        ...common,
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints,
      }
    : { ...common, dataPointType: DataPointType.GAUGE, dataPoints }
}

interface Open {
  readonly labels: Sample['labels']
  readonly boundaries: number[]
  /** Up to each bound, and all of them. */
  readonly upTo: number[]
  sum: number
  count: number
}

function histogramsOf(
  samples: readonly Sample[],
  span: Span,
): HistogramMetricData['dataPoints'] {
  const open = new Map<string, Open>()
  for (const { name, labels, value } of samples) {
    const { le, ...rest } = labels
    const key = JSON.stringify(rest)
    const found = open.get(key) ?? {
      labels: rest,
      boundaries: [],
      upTo: [],
      sum: 0,
      count: 0,
    }
    open.set(key, found)
    if (name.endsWith('_sum')) found.sum = value
    else if (name.endsWith('_count')) found.count = value
    else {
      found.upTo.push(value)
      if (le !== '+Inf') found.boundaries.push(Number(le))
    }
  }
  return [...open.values()].map(({ labels, boundaries, upTo, sum, count }) => ({
    ...span,
    attributes: labels,
    value: {
      buckets: {
        boundaries,
        counts: upTo.map((value, index) => value - (upTo[index - 1] ?? 0)),
      },
      sum,
      count,
    },
  }))
}
