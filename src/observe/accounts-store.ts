// What is reported of the PostgreSQL that has the accounts: each call in the metrics, and in the log when it
// stops to answer or answers again.
import type { AccountsWatch } from '../stores/ports/health.ts'
import type { AccountsStoreCounts } from './metrics/accounts-store-metrics.ts'

/** The log's levels that are used here. */
interface AccountsLog {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Makes the watch. */
export function watchAccounts(
  counts: AccountsStoreCounts,
  log: () => AccountsLog | undefined,
): AccountsWatch {
  return {
    called: counts.countAccountsCall,
    changed(fault) {
      counts.showAccountsStore(fault === undefined)
      if (fault === undefined) {
        log()?.warn({}, 'PostgreSQL, which has the accounts, answers again')
        return
      }
      log()?.error(
        { fault },
        'PostgreSQL, which has the accounts, does not answer: nobody can log in, and no account can be ' +
          'changed; sessions go on',
      )
    },
  }
}
