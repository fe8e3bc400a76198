// Seals text at rest: AES-256-GCM under a key derived from the configured secrets, bound to what it is for.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { systemRandom } from './random.ts'
import type { DerivedKey } from './secrets.ts'

const CIPHER = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16
const VERSION = 'v1'

/**
 * Seals a text under a key.
 *
 * @param label what it is: nobody who can write to the store can put it in the place of something else
 * @returns `v1.<id of the secret>.<iv>.<ciphertext>.<tag>`, the last three in base64url
 */
export function sealText({ id, key }: DerivedKey, label: string, text: string): string {
  // Not an argument: a nonce that came twice under one key would give the key away.
  const iv = systemRandom.bytes(IV_BYTES)
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(
    Buffer.from(label),
  )
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return [
    VERSION,
    id,
    ...[iv, sealed, cipher.getAuthTag()].map(bytes => bytes.toString('base64url')),
  ].join('.')
}

/** The fingerprint of the secret that sealed a text. */
export function sealedUnder(sealed: string): string {
  return String(sealed.split('.')[1])
}

/** Opens what this key has sealed under this very label; undefined when it has not. */
export function openText(
  { key }: DerivedKey,
  label: string,
  sealed: string,
): string | undefined {
  const [version, , ...parts] = sealed.split('.')
  const [iv, text, tag] = parts.map(part => Buffer.from(part, 'base64url'))
  if (
    version !== VERSION ||
    iv === undefined ||
    text === undefined ||
    tag === undefined
  ) {
    return undefined
  }
  try {
    const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(label))
      .setAuthTag(tag)
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
