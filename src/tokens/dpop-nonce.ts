// The server's nonces for DPoP proofs (RFC 9449 §8): a span of time under a tag that only we can make.
// Nothing is stored, and every replica knows the nonces of the others.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { deriveKeys, type DerivedKey } from '../base/secrets.ts'

/** How long a nonce is handed out, in milliseconds; it is good for as long again. */
export const NONCE_SPAN_MS = 60_000

const BYTES = { span: 4, all: 20 } as const

/** Makes and checks nonces. */
export interface Nonces {
  /** The nonce of now. */
  current(): string
  /** Whether it was handed out by us in this span of time or the one before. */
  isGood(nonce: string): boolean
}

/**
 * Makes the nonces of all servers that share `secrets`.
 *
 * @param options.secrets base64url; the first makes nonces, all check them
 * @throws TypeError without a secret
 */
export function createNonces({
  secrets,
  clock,
}: {
  secrets: readonly string[]
  clock: Clock
}): Nonces {
  const keys = deriveKeys(secrets, 'dpop-nonce')
  const [newest] = keys
  if (newest === undefined) throw new TypeError('nonces need a secret')
  const spanNow = () => Math.floor(clock() / NONCE_SPAN_MS)
  return {
    current: () => encode(newest, spanNow()).toString('base64url'),
    isGood(nonce) {
      const bytes = Buffer.from(nonce, 'base64url')
      if (bytes.length !== BYTES.all || bytes.toString('base64url') !== nonce) {
        return false
      }
      const age = spanNow() - bytes.readUInt32BE(0)
      return (
        (age === 0 || age === 1) &&
        keys.some(key => timingSafeEqual(encode(key, bytes.readUInt32BE(0)), bytes))
      )
    },
  }
}

function encode({ key }: DerivedKey, span: number): Buffer {
  const bytes = Buffer.alloc(BYTES.all)
  bytes.writeUInt32BE(span, 0)
  createHmac('sha256', key)
    .update(bytes.subarray(0, BYTES.span))
    .digest()
    .copy(bytes, BYTES.span)
  return bytes
}
