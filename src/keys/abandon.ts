// Gives up signing keys whose secret is lost. No server starts while the ring has one: it might be the secret
// of others that it lacks. What such a key has signed verifies until it expires: that needs no secret.
import type { Emit } from '../base/events/events.ts'
import type { Keys, StoredKey, StoredRing } from '../stores/ports/documents/keys.ts'
import { sealedUnder } from '../base/sealed-text.ts'
import { endingAt } from './schedule/planned.ts'
import type { KeyPolicy } from './schedule/policy.ts'
import type { Sealer } from './seal.ts'

/** What giving up needs. */
export interface AbandonOptions {
  readonly keys: Keys
  readonly sealer: Sealer
  /** The store's clock. */
  readonly now: () => Promise<number>
  readonly policy: KeyPolicy
  readonly emit: Emit
}

/** A key that may still sign and can't be opened. */
export interface LostKey {
  readonly kid: string
  /** The fingerprint of the secret that sealed it. */
  readonly secretId: string
}

/**
 * Finds the keys that may still sign and that no configured secret opens.
 *
 * @param at milliseconds since the epoch, by the store's clock
 */
export function lostKeys(ring: StoredRing, at: number, sealer: Sealer): LostKey[] {
  return ring.keys.flatMap(({ kid, sealed, signUntil }) => {
    if (sealed === null || signUntil <= at || sealer.opens(kid, sealed)) return []
    return [{ kid, secretId: sealedUnder(sealed) }]
  })
}

/**
 * Ends the lost keys: one that has signed verifies until its last token has expired, one that hasn't begun is
 * gone. The next server to start makes new ones. Where another process changes the ring meanwhile, it looks
 * again.
 *
 * @returns the ids of the keys that were given up; empty: every key opens
 */
export async function abandonLostKeys(
  options: AbandonOptions,
): Promise<readonly string[]> {
  const { keys, sealer, now, policy, emit } = options
  const ring = await keys.load()
  const at = await now()
  const lost = lostKeys(ring, at, sealer).map(({ kid }) => kid)
  if (lost.length === 0) return lost
  const left = ring.keys.flatMap((key): readonly StoredKey[] => {
    if (!lost.includes(key.kid)) return [key]
    return key.signFrom > at ? [] : [endingAt(key, at, policy)]
  })
  if (!(await keys.save({ ...ring, keys: left }))) return abandonLostKeys(options)
  emit({ type: 'keys.changed', kids: left.map(({ kid }) => kid) })
  return lost
}
