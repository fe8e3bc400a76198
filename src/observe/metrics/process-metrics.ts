// What is measured of processes: of each its memory, CPU and event loop, and, where several serve together,
// how many they are. A process that only supervises others has no more metrics than these.
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { toOpenMetrics } from './open-metrics.ts'
import { createReloadCount, type ReloadResult } from './reload-count.ts'
import { createTally } from './tally.ts'

const REASONS = ['ended', 'hung', 'refused'] as const

/** Why a server process was replaced. */
export type ReplaceReason = (typeof REASONS)[number]

// The library calls them totals, and they go down.
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** Shows memory, CPU and event loop of this process. */
export function showProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
}

/** Shows that this process answers; the sum over all of them is their number. */
export function showServing(registry: Registry): void {
  const gauge = new Gauge({
    name: 'latchkey_processes',
    help: 'Server processes that answer; `processes` says how many there should be.',
    registers: [registry],
  })
  gauge.set(1)
}

/** Makes the place where replaced server processes are counted. */
export function createReplacedCount(registry: Registry): (reason: ReplaceReason) => void {
  return createTally(registry, {
    name: 'latchkey_processes_replaced_total',
    help:
      'Server processes that were replaced, by reason: they ended by ' +
      'themselves, did not answer for half a minute, or could not take a ' +
      'configuration that the others took.',
    labelNames: ['reason'],
    labelsOf: reason => ({ reason }),
    known: REASONS,
  })
}

/** Of a process that supervises others. */
export interface SupervisorMetrics {
  countReplaced(reason: ReplaceReason): void
  countReload(result: ReloadResult): void
  /** All of them, in OpenMetrics' format. */
  render(): Promise<string>
}

/** Makes them. */
export function createSupervisorMetrics(): SupervisorMetrics {
  const registry = new Registry()
  showProcess(registry)
  return {
    countReplaced: createReplacedCount(registry),
    countReload: createReloadCount(registry),
    render: async () => toOpenMetrics(await registry.metrics()),
  }
}
