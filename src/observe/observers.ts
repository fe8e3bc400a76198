// What watches a running server, opened together: the log's output, metrics, the audit log, traces. They are
// there before the log is, which comes to life with the server that it belongs to.
import { Value } from 'typebox/value'
import type { Clock } from '../base/clock.ts'
import type { Emit } from '../base/events/events.ts'
import type { AccountsWatch } from '../stores/ports/health.ts'
import type { PasswordHasher } from '../users/hashing/hasher.ts'
import { AuditLine } from './audit/audit-schema.ts'
import { watchAccounts } from './accounts-store.ts'
import { openAudit, type AuditLog } from './audit/open.ts'
import { createConnectionWatch, type Listener } from './connections.ts'
import { fileRewriteOf, rewriteOf, type LogForm, type Rewrite } from './line-form.ts'
import { createLogOutput } from './log-output.ts'
import { watchDirectories, type DirectoryWatch } from './directories.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import { tracedHasher } from './tracing/traced-hasher.ts'
import type { Otlp, OtlpTargets } from './otlp/otlp.ts'
import { NO_TRACING, type Tracing } from './tracing/tracing.ts'

/** The log's two levels that are used here. */
export interface ObserversLog {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What is to be opened. */
export interface ObserversOptions {
  /** Of Latchkey. */
  readonly version: string
  /** As `audit.to`. */
  readonly auditTo: string
  /** The form of the log's lines, and `service` in them. */
  readonly form: LogForm & { readonly service: string }
  /** Whether standard output is a terminal; default false. */
  readonly isTerminal?: boolean | undefined
  /** Where log lines go; default: standard output. */
  readonly logStream?: { write(line: string): void } | undefined
  /** Where traces go; undefined: there are none. */
  readonly traces?: TraceTarget | undefined
  /** Where metrics and log lines go by OTLP; undefined: nowhere. */
  readonly otlp?: OtlpTargets | undefined
  readonly clock: Clock
  /** Takes what has to be closed. */
  readonly parts: AsyncDisposableStack
}

/** Where traces go, and which requests are traced. */
export interface TraceTarget {
  readonly url: string
  readonly sampling: { readonly followsCaller: boolean; readonly share: number }
}

/** What watches. */
export interface Observers {
  readonly metrics: Metrics
  readonly tracing: Tracing
  /** Tells the metrics and the audit log. */
  readonly emit: Emit
  /** The same of a line that a command has left: it goes to the audit log as it is. */
  logAuditLine(line: string): void
  /** Watches the PostgreSQL that has the accounts. */
  readonly accountsWatch: AccountsWatch
  /** Where log lines go. */
  readonly logStream: { write(line: string): void }
  /** Opens the audit log's file anew. */
  readonly reopen: AuditLog['reopen']
  /** What the core is measured with (core/instruments.ts). */
  readonly instruments: {
    readonly status: Metrics
    hashWaited(ms: number): void
    readonly directories: DirectoryWatch
    aroundHasher(hasher: PasswordHasher): PasswordHasher
    aroundSign<Args extends unknown[], Result>(
      sign: (...args: Args) => Result,
    ): (...args: Args) => Result
  }
  /** Watches the connections of a listener. */
  connections(listener: Listener): ReturnType<typeof createConnectionWatch>
  /** Hands over the log, which faults of the observers go to from then on. */
  useLog(log: ObserversLog): void
}

/**
 * Opens what watches a server.
 *
 * @throws Error when the audit log's file can't be opened
 */
export async function openObservers(options: ObserversOptions): Promise<Observers> {
  const { version, form, isTerminal = false, clock, parts } = options
  let log: ObserversLog | undefined
  const metrics = createMetrics(version)
  const otlp = await openSender(options, metrics, err => {
    log?.warn({ err }, 'metrics or log lines could not be sent and are lost')
  })
  if (otlp !== undefined) parts.defer(otlp.close)
  const rewrite = alsoTo(otlp, rewriteOf(form, isTerminal))
  const output = createLogOutput(1, rewrite)
  const logStream = options.logStream && rewritten(options.logStream, rewrite)
  parts.defer(() => output.flush())
  const audit = openAudit({
    to: options.auditTo,
    service: form.service,
    rewrite: fileRewriteOf(form),
    output: logStream ?? {
      write(line) {
        output.write(line)
        output.flush()
      },
    },
    failed(err) {
      metrics.countAuditFault()
      log?.error(
        { err },
        'audit.to does not take the audit log, which goes to standard output',
      )
    },
    clock,
  })
  parts.defer(audit.close)
  const tracing = await openTracing(options, err => {
    log?.warn({ err }, 'traces could not be sent and are lost; requests go on')
  })
  parts.defer(tracing.close)
  return {
    metrics,
    tracing,
    emit(event, origin) {
      metrics.emit(event)
      audit.emit(event, origin)
    },
    logAuditLine(line) {
      const entry: unknown = JSON.parse(line)
      // A newer release may have left what this one doesn't know.
      if (Value.Check(AuditLine, entry)) metrics.emit(entry.audit)
      audit.write(line)
    },
    accountsWatch: watchAccounts(metrics, () => log),
    logStream: logStream ?? output,
    reopen: audit.reopen,
    instruments: instrumentsOf(metrics, tracing, () => log),
    connections: listener =>
      createConnectionWatch({
        listener,
        counts: metrics.connections(listener),
        log: () => log,
        clock,
      }),
    useLog(given) {
      log = given
    },
  }
}

type LineStream = Observers['logStream']

function rewritten({ write }: LineStream, rewrite: Rewrite): LineStream {
  return {
    write(line) {
      write(rewrite(line))
    },
  }
}

function instrumentsOf(
  metrics: Metrics,
  tracing: Tracing,
  log: () => ObserversLog | undefined,
): Observers['instruments'] {
  return {
    directories: watchDirectories(metrics, log),
    status: metrics,
    hashWaited: ms => {
      metrics.observeHashWait(ms / 1000)
    },
    aroundHasher: hasher => tracedHasher(hasher, tracing),
    aroundSign: sign => tracing.around('sign', sign),
  }
}

/** Has every line go to OTLP as well, as it was made. */
function alsoTo(otlp: Otlp | undefined, rewrite: Rewrite): Rewrite {
  if (otlp === undefined) return rewrite
  return line => {
    otlp.log(line)
    return rewrite(line)
  }
}

async function openSender(
  { otlp, version, clock }: ObserversOptions,
  { render }: Metrics,
  failed: (error: unknown) => void,
): Promise<Otlp | undefined> {
  if (otlp === undefined) return undefined
  const { openOtlp } = await import('./otlp/open.ts')
  return openOtlp({
    targets: otlp,
    version,
    render,
    failed,
    clock,
  })
}

// Only here: without traces OpenTelemetry is never read.
async function openTracing(
  { traces, version }: ObserversOptions,
  failed: (error: unknown) => void,
): Promise<Tracing> {
  if (traces === undefined) return NO_TRACING
  const { openTracing: open } = await import('./tracing/otel.ts')
  return open({ ...traces, version, failed })
}
