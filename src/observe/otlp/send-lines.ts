// Sends log lines over OTLP/HTTP, in batches. So many may wait for a collector that is slow or hangs; what
// comes beyond is lost, and that is reported.
import { ExportResultCode } from '@opentelemetry/core'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { reportFailures, resourceOf } from '../tracing/resource.ts'
import { logRecordOf } from './log-record.ts'

/** So many lines wait at most; the library would drop the next one in silence. */
export const MOST_WAITING = 2_048

/** What sends lines. */
export interface LineSender {
  /** Sends a line of the log; never waits. */
  log(line: string): void
  /** Sends what is left, as long as the collector takes. */
  shutdown(): Promise<void>
}

/** Where to, and who is told that lines are lost. */
export interface LineTarget {
  readonly url: string
  /** Of Latchkey. */
  readonly version: string
  readonly failed: (error: unknown) => void
}

/** Starts it. */
export function openLines({ url, version, failed }: LineTarget): LineSender {
  const exporter = new OTLPLogExporter({ url })
  reportFailures(exporter, failed)
  const room = createRoom(exporter, failed)
  const provider = new LoggerProvider({
    resource: resourceOf(version),
    processors: [new BatchLogRecordProcessor({ exporter, maxQueueSize: MOST_WAITING })],
  })
  const logger = provider.getLogger('latchkey', version)
  return {
    log(line) {
      const record = logRecordOf(line)
      if (record !== undefined && room.take()) logger.emit(record)
    },
    shutdown: () => provider.shutdown(),
  }
}

/** Counts the lines that wait until the exporter gets them, which is never later than the library counts. */
function createRoom(exporter: OTLPLogExporter, failed: (error: unknown) => void) {
  const send = exporter.export.bind(exporter)
  let waiting = 0
  let isReported = false
  exporter.export = (records, done) => {
    waiting -= records.length
    send(records, result => {
      // Of lines that are lost in a row the first: until the collector takes them, and has caught up.
      const isSent = result.code === ExportResultCode.SUCCESS
      if (isSent && waiting < MOST_WAITING / 2) isReported = false
      done(result)
    })
  }
  return {
    /** Whether there is room for a line, which takes it. */
    take(): boolean {
      if (waiting < MOST_WAITING) {
        waiting += 1
        return true
      }
      if (!isReported) {
        // First the note: the report is a line, too.
        isReported = true
        failed(queueFull())
      }
      return false
    },
  }
}

function queueFull(): Error {
  const error = new Error(`${MOST_WAITING} log lines wait for the collector already`)
  return Object.assign(error, { code: 'LOG_QUEUE_FULL' })
}
