// Encrypts private keys at rest under a key derived from the configured secrets, so that nobody can sign with
// a leaked store.
import { openText, sealedUnder, sealText } from '../base/sealed-text.ts'
import { deriveKeys } from '../base/secrets.ts'

/** A signing key that can't be opened with the secrets of this process. */
export class CannotOpen extends Error {
  override readonly name = 'CannotOpen'
  /** The fingerprint of the secret that sealed it. */
  readonly secretId: string

  constructor(kid: string, secretId: string, configured: readonly string[]) {
    super(
      `cannot open signing key ${kid}: ` +
        (configured.includes(secretId)
          ? 'the store has damaged it, or mixed it up with another'
          : `it is sealed under the secret with the fingerprint ${secretId}, which is not among secrets ` +
            `(${configured.join(', ')}): put that secret back, behind the others; where it is lost for ` +
            'good, run latchkey keys abandon'),
    )
    this.secretId = secretId
  }
}

/** Seals and opens private keys. */
export interface Sealer {
  /** The ids of the configured secrets (src/base/secrets.ts), in their order. */
  readonly secretIds: readonly string[]
  /** The first of them that every other server has, or the first of all where there is none. */
  readonly sealsUnder: string
  /** Whether every other server has the secret of that fingerprint. */
  isEverywhere(secretId: string): boolean
  /**
   * Seals under that secret.
   *
   * @returns `v1.<id of the secret>.<iv>.<ciphertext>.<tag>`, the last three in base64url
   */
  seal(kid: string, privateKey: string): string
  /**
   * Opens what any of the configured secrets has sealed for this very `kid`.
   *
   * @throws CannotOpen when none has
   */
  open(kid: string, sealed: string): string
  /** Whether `open` can. */
  opens(kid: string, sealed: string): boolean
}

/**
 * Makes the sealer.
 *
 * @param secrets base64 or base64url, as configured; at least one
 * @param isEverywhere whether every other server has that secret too: a server can't start without opening
 * the keys
 * @throws TypeError without a secret
 */
export function createSealer(
  secrets: readonly string[],
  isEverywhere: (secretId: string) => boolean = () => true,
): Sealer {
  const keys = deriveKeys(secrets, 'private-key')
  const [first] = keys
  if (first === undefined) throw new TypeError('no secret to seal signing keys with')
  const secretIds = keys.map(({ id }) => id)
  const tryOpen = (kid: string, sealed: string) => {
    const key = keys.find(({ id }) => id === sealedUnder(sealed))
    return key && openText(key, label(kid), sealed)
  }
  const current = () => keys.find(({ id }) => isEverywhere(id)) ?? first
  return {
    secretIds,
    isEverywhere,
    get sealsUnder() {
      return current().id
    },
    seal: (kid, privateKey) => sealText(current(), label(kid), privateKey),
    open(kid, sealed) {
      const opened = tryOpen(kid, sealed)
      if (opened === undefined) throw new CannotOpen(kid, sealedUnder(sealed), secretIds)
      return opened
    },
    opens: (kid, sealed) => tryOpen(kid, sealed) !== undefined,
  }
}

function label(kid: string): string {
  return `latchkey private key ${kid}`
}
