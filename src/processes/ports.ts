// What the supervising process is made of and what it offers: the processes that it starts, the log, the
// clock. The rest of this folder gives it these.
import type { Config } from '../config/schema.ts'
import type { SupervisorMetrics } from '../observe/metrics/process-metrics.ts'
import type { FromServer, ToServer } from './messages.ts'

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** A process that was started. */
export interface Child {
  readonly pid: number | undefined
  /** Does nothing once it has ended. */
  send(message: ToServer): void
  /** Ends it at once. */
  kill(): void
}

/** What happens to it. */
export interface ChildEvents {
  message(message: FromServer): void
  exit(how: Exit): void
}

/** The log's two levels that are used here. */
export interface SupervisorLog {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What it needs. */
export interface SupervisorOptions {
  /** How many. */
  readonly count: number
  /** Starts a process. */
  readonly fork: (events: ChildEvents) => Child
  readonly log: SupervisorLog
  readonly metrics: Pick<SupervisorMetrics, 'countReplaced' | 'render'>
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>
  /** Milliseconds of a clock that only runs forward. */
  readonly monotonic: () => number
}

/** The processes. */
export interface Supervisor {
  /**
   * Starts them. Resolves when all are ready.
   *
   * @throws Error with what the first process said that could not start; none is left then
   */
  start(config: Config): Promise<void>
  /**
   * Hands out another configuration. Resolves when all have taken it, or are being replaced: one that starts,
   * too, when it isn't ready after half a minute.
   */
  apply(config: Config): Promise<void>
  /** Has them open the audit log's file anew. */
  reopen(): void
  /** Asks each process whether it still answers; those that hang are ended, and replaced. */
  ping(): void
  /**
   * Has them answer what is in flight and end; those that are left after `withinMs` are ended.
   *
   * @throws Error when one that was ready didn't end by itself, or not as it should
   */
  stop(withinMs: number): Promise<void>
}
