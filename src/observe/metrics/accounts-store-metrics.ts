// What is measured of the PostgreSQL that has the accounts: whether it is asked, how long it takes, what
// fails.
import { Gauge, type Registry } from 'prom-client'
import type { AccountsCall } from '../../stores/ports/health.ts'
import { createDurations, createTally } from './tally.ts'

/** What may be noted of it. */
export interface AccountsStoreCounts {
  countAccountsCall(call: AccountsCall): void
  /** Notes whether calls are let through to it. */
  showAccountsStore(isReached: boolean): void
}

/**
 * Makes them, and the histogram, which is rendered by itself.
 *
 * @param buckets upper bounds of the histogram; seconds
 */
export function createAccountsStoreMetrics(
  registry: Registry,
  buckets: readonly number[],
) {
  const durations = createDurations({
    name: 'latchkey_store_accounts_duration_seconds',
    help:
      'Calls to the PostgreSQL that has the accounts, including failed ones and' +
      ' the wait for a connection.',
    buckets,
  })
  const errors = createTally(registry, {
    name: 'latchkey_store_accounts_errors_total',
    help:
      "Calls to the accounts' PostgreSQL that failed, or that were not made " +
      'because it is down.',
    labelNames: ['call'],
    labelsOf: call => ({ call }),
    known: ['statement', 'transaction'],
  })
  const series = {
    statement: durations.series({ call: 'statement' }),
    transaction: durations.series({ call: 'transaction' }),
  }
  const reached = new Gauge({
    name: 'latchkey_store_accounts_reached',
    help:
      '1 while calls are let through to the PostgreSQL that has the accounts, 0 ' +
      'while it is known to be ' +
      'down; absent without store.accounts.',
    registers: [registry],
  })
  // Else it begins at 0, which a server without that PostgreSQL would show for ever.
  reached.remove()
  let isShown = false
  const counts: AccountsStoreCounts = {
    countAccountsCall({ call, outcome, ms }) {
      if (!isShown) counts.showAccountsStore(true)
      if (outcome !== 'refused') series[call](ms / 1000)
      if (outcome !== 'ok') errors(call)
    },
    showAccountsStore(isReached) {
      isShown = true
      reached.set(Number(isReached))
    },
  }
  return { ...counts, accountsDurations: durations }
}
