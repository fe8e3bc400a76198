// What waits is sealed: whoever reads the store learns neither names nor addresses from the outbox.
import { openText, sealedUnder, sealText } from '../base/sealed-text.ts'
import { deriveKeys, type Purpose } from '../base/secrets.ts'
import type { Entry } from './messages.ts'

/** Seals what waits, messages by default, and opens it. */
export interface Envelope<Content = Entry> {
  /** Seals what waits under that id. */
  seal(id: string, content: Content): string
  /**
   * Opens it.
   *
   * @throws Error when none of the configured secrets has sealed it under that id
   */
  open(id: string, sealed: string): Content
}

/**
 * Makes the envelope.
 *
 * @param secrets base64 or base64url, as configured; at least one
 * @param isEverywhere whether every other server has that secret too, by its fingerprint: any of them may be
 * the one that sends
 * @param purpose what is sealed; one can't be put in the place of another
 * @throws TypeError without a secret
 */
export function createEnvelope<Content = Entry>(
  secrets: readonly string[],
  isEverywhere: (secretId: string) => boolean,
  purpose: Purpose = 'outbox',
): Envelope<Content> {
  const keys = deriveKeys(secrets, purpose)
  const labelOf = (id: string) => `latchkey ${purpose} ${id}`
  const [first] = keys
  if (first === undefined) throw new TypeError('no secret to seal the outbox with')
  return {
    seal(id, content) {
      const key = keys.find(each => isEverywhere(each.id)) ?? first
      return sealText(key, labelOf(id), JSON.stringify(content))
    },
    open(id, sealed) {
      const key = keys.find(each => each.id === sealedUnder(sealed))
      const text = key && openText(key, labelOf(id), sealed)
      if (text === undefined) {
        throw new Error('it is sealed under a secret that is missing here')
      }
      const content: Content = JSON.parse(text)
      return content
    },
  }
}
