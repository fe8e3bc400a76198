// How a process of ours ends: told by a signal, or by the process that supervises it, it answers what is in
// flight, and for no longer than the configuration says.
import closeWithGrace from 'close-with-grace'
import type { Config } from '../config/schema.ts'
import type { RunningServer } from '../server.ts'

/** After the grace for requests: a stop that still hangs then is ended by exit code 1. */
export const LAST_RESORT_MS = 2_000

/** What a terminal and systemd send to all processes of a group. */
export const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const

/** What ends. */
export interface Stopping {
  /** Ends all of it; rejects when it didn't end as it should, which is exit code 1. */
  readonly stop: () => Promise<void>
  /** How long that may take, in milliseconds. */
  readonly withinMs: number
  readonly log: RunningServer['app']['log']
  /** The signals that don't end it. */
  readonly skip?: Array<(typeof SIGNALS)[number]>
}

/** How long a server may take to stop, in milliseconds. */
export function longestStopMs({ http }: Config): number {
  return (http.drainDelay ?? 0) + http.closeGrace + LAST_RESORT_MS
}

/**
 * Ends the process with grace at a signal, or once something failed that nobody caught.
 *
 * @returns a function that does it, too; asked again, it changes nothing
 */
export function stopWithGrace({ stop, withinMs, log, skip = [] }: Stopping): () => void {
  let stopping: Promise<void> | undefined
  const { close } = closeWithGrace(
    { delay: withinMs, logger: log, skip },
    async ({ err }) => {
      if (err !== undefined) log.fatal({ err }, 'the process failed')
      // Asked again, it goes on: a second stop would find nothing left to stop, and end what is in flight.
      stopping ??= stop()
      await stopping
    },
  )
  return close
}
