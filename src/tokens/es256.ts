// Signing by ES256 with node:crypto itself: an access token is signed at every refresh, and this is the
// cheapest way. OpenSSL is asked for DER, its own form, and the key is handed over as it is; with an option
// beside it, Node reads the key anew for every signature.
import { createPrivateKey, sign } from 'node:crypto'
import { P256 } from '../oauth/algorithms.ts'

/** Where R's length stands in `30 LENGTH 02 LENGTH R 02 LENGTH S`; no length of P-256 needs a second byte. */
const FIRST_LENGTH = 3

/**
 * Makes what signs with one key.
 *
 * @param privateKey PKCS#8 as PEM, of P-256
 * @returns the signature of a text as RFC 7518 §3.4 has it: 64 bytes, R and S; as base64url
 */
export function createEs256(privateKey: string): (input: string) => string {
  const key = createPrivateKey(privateKey)
  return input => joined(sign('sha256', Buffer.from(input), key)).toString('base64url')
}

/** The two numbers of a signature of P-256 in DER (RFC 3279 §2.2.3), one after the other, 32 bytes each. */
export function joined(der: Buffer): Buffer {
  const signature = Buffer.alloc(2 * P256.coordinateBytes)
  let length = FIRST_LENGTH
  for (const end of [P256.coordinateBytes, 2 * P256.coordinateBytes]) {
    const after = length + 1 + der.readUInt8(length)
    // DER writes a number as short as it can be, with a zero before it where it would be negative.
    const start = Math.max(length + 1, after - P256.coordinateBytes)
    der.copy(signature, end - (after - start), start, after)
    length = after + 1
  }
  return signature
}
