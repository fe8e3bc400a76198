// How often one network may ask at the routes that need no token, and how much is sent because of one name or
// address. Both count by themselves: no login is delayed by them. All replicas count together where the store
// is Redis.
import { createHmac } from 'node:crypto'
import { createCountOne } from '../../../base/counts/shared-counts.ts'
import type { WindowLimit } from '../../../base/counts/window-counts.ts'
import { deriveKeys } from '../../../base/secrets.ts'
import { slowDown } from '../../../oauth/errors.ts'
import type { AddressCounts } from '../../../stores/ports/address-counts.ts'
import { readEmail } from '../../../users/attributes/email-address.ts'
import { foldName } from '../../../users/names/user-name.ts'

/** What for something is sent. Each counts by itself: sign-ups under a name must not silence its owner. */
export type SendingPurpose = 'registration' | 'recovery' | 'address'

/**
 * Counts that something would be sent to a name or an address, and resolves to whether there was too much
 * already.
 *
 * @param isKnown whether its owner logged in from that network before: what strangers ask for, however many
 * they are, spends nothing of theirs
 */
export type IsSpent = (target: string, isKnown?: boolean) => Promise<boolean>

/** The limits. Promises reject with StoreUnavailable. */
export interface SelfServiceLimits {
  /** Counts a request. Throws OAuthError slow_down when the network sent too many. */
  countNetwork(network: string): Promise<void>
  /** What counts for that purpose: what one network asks for, and what all of them do. */
  isSpentFor(purpose: SendingPurpose, network: string): IsSpent
}

/** What they are made of. */
export interface SelfServiceLimitOptions {
  /** Where all replicas count together; undefined: in this process. */
  readonly counts: AddressCounts | undefined
  /** The first makes the keys. */
  readonly secrets: readonly string[]
  readonly perNetwork: WindowLimit
  /** Of what one network asks for. */
  readonly perTarget: WindowLimit
  /** Of what all networks ask for in which its owner isn't known. */
  readonly perTargetInAll: WindowLimit
}

/** Makes the limits. */
export function createSelfServiceLimits(
  options: SelfServiceLimitOptions,
): SelfServiceLimits {
  const { secrets, perNetwork, perTarget, perTargetInAll } = options
  const count = createCountOne(options.counts)
  const [first] = deriveKeys(secrets, 'self-service-limit')
  if (first === undefined) throw new TypeError('there is no secret')
  // Keyed: a reader of the store can't test which name or network a count is of.
  const keyOf = (kind: string, text: string) =>
    `self:${createHmac('sha256', first.key).update(`${kind} ${text}`).digest('base64url')}`

  return {
    async countNetwork(network) {
      const endsInMs = await count(keyOf('network', network), perNetwork)
      if (endsInMs === undefined) return
      throw slowDown(Math.ceil(endsInMs / 1000), 'network_limit')
    },
    isSpentFor: (purpose, network) => {
      // A network that has had enough spends nothing more of what all have in common.
      return async function isSpent(target, isKnown = false) {
        // One mailbox is one target, however its domain is written.
        const whom = readEmail(target)?.folded ?? foldName(target) ?? target
        const own = keyOf(`${purpose}-from`, `${network} ${whom}`)
        if ((await count(own, perTarget)) !== undefined) return true
        if (isKnown) return false
        return (await count(keyOf(purpose, whom), perTargetInAll)) !== undefined
      }
    },
  }
}
