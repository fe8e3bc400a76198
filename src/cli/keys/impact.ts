// What a change of the keys breaks: said before it is made.
import { liveTokens } from '../../keys/verifiers/sightings.ts'
import {
  slowerThan,
  unaware,
  unproven,
  verifierStatus,
  type VerifierStatus,
} from '../../keys/verifiers/report.ts'
import type { LostKey } from '../../keys/abandon.ts'
import type { KeyRing } from '../../keys/ring.ts'
import { span } from '../terminal/time.ts'
import type { StoreTools } from '../tools.ts'

const UNSEEN =
  'Verifiers that have never been seen are not counted: see docs/keys.md for how long each kind ' +
  'keeps its copy.'

/** What happens when the next key signs at once, in sentences. */
export async function impactOfRotation(
  { config, store }: StoreTools,
  ring: KeyRing,
  line: string | undefined,
): Promise<string[]> {
  const [sightings, now] = await Promise.all([store.sightings.load(), store.now()])
  const verifiers = verifierStatus(sightings, config.keys.publishAhead)
  const next = ring
    .describe()
    .filter(key => key.state === 'published' && (line ?? key.line) === key.line)
  return [
    'No token dies: those of the keys that sign now verify until they expire.',
    ...next.flatMap(({ kid, publishAt }) => [
      `${kid} has been published for ${span(now - publishAt)}.`,
      ...unaware(verifiers, publishAt).map(
        verifier =>
          `${verifier.name} has not fetched the keys since then: it may refuse new tokens until it ` +
          `does${usually(verifier)}.`,
      ),
      ...unproven(verifiers, publishAt).map(
        ({ name, addresses }) =>
          `Somebody who says that they are ${name} has fetched the keys since then, from ` +
          `${addresses.join(', ')}. Nothing proves it: ${name} may refuse new tokens, too.`,
      ),
    ]),
    UNSEEN,
  ]
}

/** What happens when a key is dropped and a fresh one signs `switchAfterMs` later, in sentences. */
export async function impactOfRetirement(
  { config, store }: StoreTools,
  kid: string,
  switchAfterMs: number,
): Promise<string[]> {
  const [sightings, now] = await Promise.all([store.sightings.load(), store.now()])
  const verifiers = verifierStatus(sightings, config.keys.publishAhead)
  return [
    `About ${liveTokens(sightings, kid, now)} living tokens of ${kid} die. Sessions live on: a ` +
      'refresh gives a token of another key.',
    `A fresh key signs after ${span(switchAfterMs)}: it makes verifiers fetch the keys again, and ` +
      `so forget ${kid}.`,
    ...verifiers.map(
      verifier =>
        `${verifier.name} may believe ${kid} until it fetches the keys again${usually(verifier)}.`,
    ),
    ...slowerThan(verifiers, switchAfterMs).map(
      verifier =>
        `${verifier.name} may refuse tokens of the fresh key until then, unless it asks again when ` +
        `it meets a kid that it doesn't know: --switch-after gives it more time.`,
    ),
    UNSEEN,
  ]
}

/** What happens when keys are given up, in sentences. */
export function impactOfLoss(lost: readonly LostKey[]): string[] {
  const secrets = [...new Set(lost.map(({ secretId }) => secretId))]
  return [
    `No secret of this configuration opens ${lost.map(({ kid }) => kid).join(', ')}: sealed under the ` +
      `secret with the fingerprint ${secrets.join(', ')}.`,
    'Access tokens that are out verify until they expire. Every session of that secret ends: its users log ' +
      'in again.',
    'Nobody can undo it, not even with the secret.',
  ]
}

function usually({ everyMs, longestMs, isClaimed, addresses }: VerifierStatus): string {
  const often =
    everyMs === null || longestMs === null
      ? 'once'
      : `every ${span(everyMs)}, at most ${span(longestMs)}`
  if (isClaimed) {
    return ` (somebody who says that they are it was seen ${often}, from ${addresses.join(', ')})`
  }
  return often === 'once' ? ' (it was seen once)' : ` (usually ${often})`
}
