// What the supervising process and the server processes say to each other, over the channel that Node opens
// between them. Nobody else can read it: secrets go this way, and by no argument and no variable.
import type { Config } from '../config/schema.ts'
import type { MetricsFormat } from '../observe/metrics/open-metrics.ts'

/** To a server process. */
export type ToServer =
  /** The first: it starts with this configuration. */
  | { readonly kind: 'start'; readonly config: Config }
  /** Another configuration, which a reload has brought. */
  | { readonly kind: 'apply'; readonly config: Config }
  /** The audit log's file is to be opened anew. */
  | { readonly kind: 'reopen' }
  /** It is to answer what is in flight, and to end. */
  | { readonly kind: 'stop' }
  /** Its own metrics are wanted; the answer names the id. */
  | { readonly kind: 'measure'; readonly id: number }
  /** The metrics of all processes, which it had asked for under this id. */
  | { readonly kind: 'measured'; readonly id: number; readonly text: string }
  | { readonly kind: 'ping' }

/** From a server process. */
export type FromServer =
  /** It listens to messages. */
  | { readonly kind: 'up' }
  | { readonly kind: 'ready' }
  /** It could not start; it ends. */
  | { readonly kind: 'failed'; readonly message: string }
  /** It has put the newest configuration in force. */
  | { readonly kind: 'applied' }
  /** It could not; it goes on with the one of before. */
  | { readonly kind: 'refused'; readonly message: string }
  /** Its metrics, in OpenMetrics' format. */
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string }
  /** Somebody asks it for the metrics of all processes. */
  | { readonly kind: 'scrape'; readonly id: number; readonly format: MetricsFormat }
  | { readonly kind: 'pong' }

/** What an error is told as. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
