// Metrics and log lines over OTLP as the rest of the house sees them. Only open.ts beside it reads
// OpenTelemetry.

/** Where metrics and log lines go; undefined: nowhere. */
export interface OtlpTargets {
  readonly metrics: { readonly url: string; readonly intervalMs: number } | undefined
  readonly logs: { readonly url: string } | undefined
}

/** What sends. */
export interface Otlp {
  /** Sends a line of the log; never waits. */
  log(line: string): void
  /** Sends what is left, for a second at most. Never rejects. */
  close(): Promise<void>
}
