// Keys as a slip of the hand or of a disk leaves them.
import type { JsonWebKey, KeyObject } from 'node:crypto'

/** An RSA key with one bit of a prime turned: it can be read, and OpenSSL refuses to sign with it. */
export function withEvenPrime(privateKey: KeyObject): JsonWebKey {
  const jwk = privateKey.export({ format: 'jwk' })
  const prime = Buffer.from(String(jwk.p), 'base64url')
  prime.writeUInt8(prime.readUInt8(prime.length - 1) & 0xfe, prime.length - 1)
  return { ...jwk, p: prime.toString('base64url') }
}
