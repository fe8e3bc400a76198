// What has to be known before the first request: the secrets of the other servers, the keys, the status
// lists.
import { loadAtStart } from '../keys/secrets-at-start.ts'
import type { Core } from './core.ts'

/**
 * Loads the core, which then can sign and answer.
 *
 * @param wait resolves after so many milliseconds
 * @throws CannotOpen when a key is sealed under a secret that is missing here; StoreUnavailable; Error when
 * nothing is there to sign with
 */
export async function loadCore(
  { keys, knownSecrets, status }: Pick<Core, 'keys' | 'knownSecrets' | 'status'>,
  wait: (ms: number) => Promise<unknown>,
): Promise<void> {
  await loadAtStart(keys, { known: knownSecrets, wait })
  await status.sync()
}
