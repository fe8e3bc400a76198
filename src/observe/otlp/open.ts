// This folder sends metrics and log lines over OTLP/HTTP, where the environment asks for it: for platforms
// that scrape nothing. It makes neither: metrics are read as Prometheus would read them, lines as they are
// written. ../observers.ts imports it only then.
import { setTimeout as wait } from 'node:timers/promises'
import type { HrTime } from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import type { Clock } from '../../base/clock.ts'
import { reportFailures, resourceOf } from '../tracing/resource.ts'
import { logRecordOf } from './log-record.ts'
import { metricDataOf } from './metric-data.ts'
import type { Otlp, OtlpTargets } from './otlp.ts'
import { readFamilies } from './prometheus-text.ts'

const LAST_EXPORT_MS = 1_000

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
  const logger = logs && openLogs(logs.url, options)
  const meter = metrics && openMetrics(metrics, options)
  return {
    log: logger?.log ?? (() => {}),
    async close() {
      const ends = [logger?.shutdown(), meter?.shutdown()]
      // A collector that hangs must not hold up a stop.
      await Promise.race([Promise.allSettled(ends), wait(LAST_EXPORT_MS)])
    },
  }
}

function openLogs(url: string, { version, failed }: OpenOtlp) {
  const exporter = new OTLPLogExporter({ url })
  reportFailures(exporter, failed)
  const provider = new LoggerProvider({
    resource: resourceOf(version),
    processors: [new BatchLogRecordProcessor({ exporter })],
  })
  const logger = provider.getLogger('latchkey', version)
  return {
    log(line: string) {
      const record = logRecordOf(line)
      if (record !== undefined) logger.emit(record)
    },
    shutdown: () => provider.shutdown(),
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

const EXPORT_TIMEOUT_MS = 30_000
