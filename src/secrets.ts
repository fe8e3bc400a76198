// The configured secrets, and the keys derived from them: one per purpose, so that none serves two.
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

const KEY_BYTES = 32
const ID_BYTES = 8

/** A key derived from one of the configured secrets. */
export interface DerivedKey {
  /**
   * A byte that tells the secrets apart, whatever their order in the file: it is derived from the secret. Two
   * may share one.
   */
  readonly number: number
  /** Names the secret without telling anything of it; 11 characters of base64url. */
  readonly id: string
  readonly key: KeyObject
}

/** What a key is derived for. */
export type Purpose =
  | 'refresh-token'
  | 'private-key'
  | 'dpop-nonce'
  | 'login-attempts'
  | 'name-in-logs'
  | 'imported-sub'

/**
 * Derives one key per configured secret (RFC 5869, HKDF with SHA-256), in the order of the configuration: the
 * first makes, all check.
 *
 * @param secrets base64 or base64url, as configured
 */
export function deriveKeys(secrets: readonly string[], purpose: Purpose): DerivedKey[] {
  return secrets.map(secret => {
    const material = Buffer.from(secret, 'base64url')
    return {
      number: derive(material, 'number').readUInt8(0),
      id: derive(material, 'id').subarray(0, ID_BYTES).toString('base64url'),
      key: createSecretKey(derive(material, purpose)),
    }
  })
}

function derive(material: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', material, '', `latchkey ${info}`, KEY_BYTES))
}
