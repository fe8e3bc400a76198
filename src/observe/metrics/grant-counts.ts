// Requests for tokens, as metrics count them.
import type { Registry } from 'prom-client'
import type { Reason } from '../../base/events/reasons.ts'
import { GRANTS } from '../../grants/all.ts'
import { createTally } from './tally.ts'

export interface GrantCounts {
  /** Counts tokens that were issued for a grant, by the grant's label. */
  countIssued(grant: string): void
  /** Counts a request for tokens that was not granted; `grant`: undefined where there is no such grant. */
  countRefused(grant: string | undefined, status: number, reason: Reason): void
}

/** Makes the counts of requests for tokens in `registry`. */
export function createGrantCounts(registry: Registry): GrantCounts {
  const grants = createTally(registry, {
    name: 'latchkey_grants_total',
    help:
      'Requests for tokens by grant type, outcome (issued, refused, or failed by a fault of ours) and ' +
      'reason code.',
    labelNames: ['grant', 'outcome', 'reason'],
    labelsOf(key) {
      const [grant = '', outcome = 'issued', reason = ''] = key.split(' ')
      return { grant, outcome, reason }
    },
    known: GRANTS.map(({ label }) => label),
  })
  return {
    countIssued: grants,
    countRefused(grant = 'none', status, reason) {
      grants(`${grant} ${status >= 500 ? 'failed' : 'refused'} ${reason}`)
    },
  }
}
