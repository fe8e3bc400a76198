// What traces, metrics and logs have in common where OpenTelemetry takes them: who sends them, that a failure
// is reported once, and how long a stop waits for the last of them.
import { hostname } from 'node:os'
import { pid } from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { ExportResultCode, type ExportResult } from '@opentelemetry/core'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'

const LAST_EXPORT_MS = 1_000

/**
 * Waits for what sends the rest, for a second at most: a collector that hangs must not hold up a stop. Never
 * rejects: what an exporter couldn't send it has reported by then.
 */
export async function endInTime(
  ends: readonly (Promise<void> | undefined)[],
): Promise<void> {
  await Promise.race([Promise.allSettled(ends), wait(LAST_EXPORT_MS)])
}

/** Who sends: this process. What the environment says (OTEL_SERVICE_NAME …) goes before ours. */
export function resourceOf(version: string) {
  const ours = resourceFromAttributes({
    'service.name': 'latchkey',
    'service.version': version,
    'host.name': hostname(),
    'process.pid': pid,
  })
  return defaultResource()
    .merge(ours)
    .merge(detectResources({ detectors: [envDetector] }))
}

/** What sends things of one kind. */
interface Exporter<Things> {
  export(things: Things, done: (result: ExportResult) => void): void
}

/** Has an exporter report that something could not be sent; of several failures in a row only the first. */
export function reportFailures<Things>(
  exporter: Exporter<Things>,
  failed: (error: unknown) => void,
): void {
  const send = exporter.export.bind(exporter)
  let works = true
  exporter.export = (things, done) => {
    send(things, result => {
      const isSent = result.code === ExportResultCode.SUCCESS
      if (works && !isSent) failed(result.error)
      works = isSent
      done(result)
    })
  }
}
