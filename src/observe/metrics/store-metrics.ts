// What is measured of the store: whether it takes writes, what puts its data at risk, how long calls take.
import { Gauge, type Registry } from 'prom-client'
import {
  STORE_CHECKS,
  type StoreCheck,
  type StoreCondition,
} from '../../stores/ports/health.ts'
import { showStore } from './gauges.ts'
import { createDurations, createTally } from './tally.ts'

/** Bounds of the histograms of what takes no longer than a call of the store; seconds. */
export const STORE_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
  2.5, 5,
]

/** What may be noted of the store. */
export interface StoreCounts {
  /**
   * Gives the place where a command of the store tells how long it took, in seconds, and whether it failed.
   */
  storeCommand(command: string): (seconds: number, failed: boolean) => void
  /** Notes whether the store took a write when it was last tried. */
  setStoreUp(up: boolean): void
  /** Shows what is known of the store, as `condition` tells when asked. */
  showStore(condition: () => StoreCondition): void
  /** Notes what about the store's set-up puts its data at risk. */
  setStoreRisks(checks: readonly StoreCheck[]): void
}

/** Makes them, and the histogram of calls, which is rendered by itself. */
export function createStoreMetrics(registry: Registry) {
  const up = new Gauge({
    name: 'latchkey_store_up',
    help: '1 if the store took a write when it was last tried, else 0.',
    registers: [registry],
  })
  const risks = new Gauge({
    name: 'latchkey_store_at_risk',
    help:
      '1 if something about the store puts its data at risk; the label `check` ' +
      'says what.',
    labelNames: ['check'],
    registers: [registry],
  })
  const commands = createDurations({
    name: 'latchkey_store_command_duration_seconds',
    help: 'Calls to the store by command, including those that fail.',
    buckets: STORE_BUCKETS,
  })
  const storeErrors = createTally(registry, {
    name: 'latchkey_store_errors_total',
    help: 'Calls to the store that failed, by command.',
    labelNames: ['command'],
    labelsOf: command => ({ command }),
  })
  const counts: StoreCounts = {
    storeCommand(command) {
      const took = commands.series({ command })
      return (seconds, failed) => {
        took(seconds)
        if (failed) storeErrors(command)
      }
    },
    setStoreUp: isUp => {
      up.set(isUp ? 1 : 0)
    },
    setStoreRisks: checks => {
      for (const check of STORE_CHECKS) {
        risks.set({ check }, checks.includes(check) ? 1 : 0)
      }
    },
    showStore: condition => {
      showStore(registry, condition)
    },
  }
  return { ...counts, commands }
}
