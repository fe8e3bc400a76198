// The configured secrets, and the keys derived from them: one per purpose, so that none serves two.
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

const KEY_BYTES = 32
const ID_BYTES = 8

/** What others may know of a secret: derived from it, and nothing of it can be derived back. */
export interface SecretMark {
  /**
   * A byte that tells the secrets apart, whatever their order in the file: it is derived from the secret. Two
   * may share one.
   */
  readonly number: number
  /** The secret's fingerprint; 11 characters of base64url. */
  readonly id: string
}

/** A key derived from one of the configured secrets. */
export interface DerivedKey extends SecretMark {
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
  | 'ticket-code'
  | 'scim-cursor'
  | 'outbox'
  | 'audit-lines'
  | 'self-service-limit'

/**
 * Derives one key per configured secret (RFC 5869, HKDF with SHA-256), in the order of the configuration: the
 * first makes, all check.
 *
 * @param secrets base64 or base64url, as configured
 */
export function deriveKeys(secrets: readonly string[], purpose: Purpose): DerivedKey[] {
  return secrets.map(secret => {
    const material = Buffer.from(secret, 'base64url')
    return { ...markOf(material), key: createSecretKey(derive(material, purpose)) }
  })
}

/** The marks of the secrets, in the order of the configuration. `secrets`: base64 or base64url. */
export function secretMarks(secrets: readonly string[]): SecretMark[] {
  return secrets.map(secret => markOf(Buffer.from(secret, 'base64url')))
}

function markOf(material: Buffer): SecretMark {
  return {
    number: derive(material, 'number').readUInt8(0),
    id: derive(material, 'id').subarray(0, ID_BYTES).toString('base64url'),
  }
}

function derive(material: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', material, '', `latchkey ${info}`, KEY_BYTES))
}
