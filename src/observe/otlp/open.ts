// This folder sends metrics and log lines over OTLP/HTTP, where the environment asks for it: for platforms
// that scrape nothing. It makes neither: metrics are read as Prometheus would read them, lines as they are
// written. ../observers.ts imports it only then.
import type { HrTime } from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import type { Clock } from '../../base/clock.ts'
import { endInTime, reportFailures, resourceOf } from '../tracing/resource.ts'
import { metricDataOf } from './metric-data.ts'
import type { Otlp, OtlpTargets } from './otlp.ts'
import { readFamilies } from './prometheus-text.ts'
import { openLines } from './send-lines.ts'

const EXPORT_TIMEOUT_MS = 30_000

/** What it is made of. */
export interface OpenOtlp {
  readonly targets: OtlpTargets
  /** Of Latchkey. */
  readonly version: string
  /** All metrics in Prometheus' text format. */
  readonly render: () => Promise<string>
  /** Told when something could not be sent and is lost; of several failures in a row only of the first. */
  readonly failed: (error: unknown) => void
  readonly clock: Clock
}

/** Starts it. The exporters read the rest of their settings from OTEL_EXPORTER_OTLP_… themselves. */
export function openOtlp(options: OpenOtlp): Otlp {
  const { metrics, logs } = options.targets
  const lines = logs && openLines({ ...options, url: logs.url })
  const meter = metrics && openMetrics(metrics, options)
  return {
    log: lines?.log ?? (() => {}),
    close: () => endInTime([lines?.shutdown(), meter?.shutdown()]),
  }
}

function openMetrics(
  { url, intervalMs }: NonNullable<OtlpTargets['metrics']>,
  { version, render, failed, clock }: OpenOtlp,
) {
  const exporter = new OTLPMetricExporter({ url })
  reportFailures(exporter, failed)
  const resource = resourceOf(version)
  const startTime: HrTime = millisToHrTime(clock())
  const producer = {
    async collect() {
      const span = { startTime, endTime: millisToHrTime(clock()) }
      const metrics = readFamilies(await render()).map(each => metricDataOf(each, span))
      const scopeMetrics = [{ scope: { name: 'latchkey', version }, metrics }]
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] }
    },
  }
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, EXPORT_TIMEOUT_MS),
    metricProducers: [producer],
  })
  return new MeterProvider({ resource, readers: [reader] })
}
