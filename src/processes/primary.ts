// The supervising process: it starts the server processes by Node's cluster, which takes the connections of
// both ports here and hands them out in turn.
import cluster from 'node:cluster'
import { setTimeout as wait } from 'node:timers/promises'
import { monotonicClock } from '../base/clock.ts'
import { thisMachine } from '../base/machine.ts'
import { every } from '../base/repeat.ts'
import type { Config } from '../config/schema.ts'
import { createSupervisorMetrics } from '../observe/metrics/process-metrics.ts'
import { openProcessLog } from '../observe/process-log.ts'
import { openTemplates } from '../outbox/mail/templates.ts'
import { startChild } from './child.ts'
import { SUPERVISED } from './foreign.ts'
import { shareOut } from './share-out.ts'
import { LAST_RESORT_MS, longestStopMs } from './stop.ts'
import { createSupervisor, PING_EVERY_MS } from './supervisor.ts'

/** How long the servers' own last resort may come late. */
const SPARE_MS = 500

/** What it is started with. */
export interface PrimaryOptions {
  readonly config: Config
  /** How many server processes. */
  readonly count: number
  /** Whether a person reads the log at a terminal. */
  readonly isTerminal: boolean
}

/**
 * Starts the server processes and keeps them running.
 *
 * @throws RangeError when memory or passwords.concurrency doesn't suffice for so many; Error with what a
 * server says that can't be started
 */
export async function supervise({ config, count, isTerminal }: PrimaryOptions) {
  const log = openProcessLog({ ...config.log }, isTerminal)
  const metrics = createSupervisorMetrics()
  const share = (whole: Config) => shareOut(whole, count, thisMachine())
  cluster.setupPrimary({ serialization: 'advanced' })
  const supervisor = createSupervisor({
    count,
    fork: events => startChild(() => cluster.fork({ [SUPERVISED]: '1' }), events),
    log,
    metrics,
    wait,
    monotonic: monotonicClock,
  })
  await supervisor.start(share(config))
  every(PING_EVERY_MS, async () => supervisor.ping())
  const stopMs = longestStopMs(config) + SPARE_MS
  return {
    log,
    countReload: metrics.countReload,
    async apply(next: Config): Promise<void> {
      // Before any server is given it: what is refused is refused in all.
      if (next.notify.mail !== undefined) openTemplates(next.notify.mail)
      await supervisor.apply(share(next))
      log.level = next.log.level
    },
    reopen: supervisor.reopen,
    withinMs: longestStopMs(config) + LAST_RESORT_MS,
    stop: () => supervisor.stop(stopMs),
  }
}
