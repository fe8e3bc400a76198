// What waits is sealed: whoever reads the store learns neither names nor addresses from the outbox.
import { openText, sealedUnder, sealText } from '../base/sealed-text.ts'
import { deriveKeys } from '../base/secrets.ts'
import type { Entry } from './messages.ts'

/** Seals entries and opens them. */
export interface Envelope {
  /** Seals what waits under that id. */
  seal(id: string, entry: Entry): string
  /**
   * Opens it.
   *
   * @throws Error when none of the configured secrets has sealed it under that id
   */
  open(id: string, sealed: string): Entry
}

/**
 * Makes the envelope.
 *
 * @param secrets base64 or base64url, as configured; at least one
 * @param isEverywhere whether every other server has that secret too, by its fingerprint: any of them may be
 * the one that sends
 * @throws TypeError without a secret
 */
export function createEnvelope(
  secrets: readonly string[],
  isEverywhere: (secretId: string) => boolean,
): Envelope {
  const keys = deriveKeys(secrets, 'outbox')
  const [first] = keys
  if (first === undefined) throw new TypeError('no secret to seal the outbox with')
  return {
    seal(id, entry) {
      const key = keys.find(each => isEverywhere(each.id)) ?? first
      return sealText(key, labelOf(id), JSON.stringify(entry))
    },
    open(id, sealed) {
      const key = keys.find(each => each.id === sealedUnder(sealed))
      const text = key && openText(key, labelOf(id), sealed)
      if (text === undefined) {
        throw new Error('it is sealed under a secret that is missing here')
      }
      const entry: Entry = JSON.parse(text)
      return entry
    },
  }
}

function labelOf(id: string): string {
  return `latchkey outbox ${id}`
}
