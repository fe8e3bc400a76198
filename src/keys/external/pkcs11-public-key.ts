// A public key as a PKCS#11 token describes it (PKCS#11 v3.0 current mechanisms §2.1, §2.3).
import type { JsonWebKey } from 'node:crypto'

const CKA_KEY_TYPE = 0x100
const CKA_MODULUS = 0x120
const CKA_PUBLIC_EXPONENT = 0x122
const CKA_EC_PARAMS = 0x180
const CKA_EC_POINT = 0x181
const CKK_RSA = 0x0
const CKK_EC = 0x3
const CKK_EC_EDWARDS = 0x40

/** RFC 5480 §2.1.1.1, in DER. */
const P256 = '06082a8648ce3d030107'

/** A point of Ed25519 as tokens give it: bare, as an OCTET STRING or as a BIT STRING. In bytes. */
const ED25519_POINT: readonly number[] = [32, 34, 35]

/** The JWK of the key whose attributes these are; undefined for a type or a curve that we don't sign with. */
export function publicJwkOf(attribute: (type: number) => Buffer): JsonWebKey | undefined {
  // A CK_ULONG as the machine writes it; every machine that Node runs on has its small end first.
  const type = attribute(CKA_KEY_TYPE).readUInt16LE(0)
  if (type === CKK_RSA) {
    return {
      kty: 'RSA',
      n: text(attribute(CKA_MODULUS)),
      e: text(attribute(CKA_PUBLIC_EXPONENT)),
    }
  }
  const isP256 = type === CKK_EC && attribute(CKA_EC_PARAMS).toString('hex') === P256
  if (!isP256 && type !== CKK_EC_EDWARDS) return undefined
  const point = attribute(CKA_EC_POINT)
  if (isP256) {
    // The last bytes of 04 | X | Y, which most tokens wrap as an OCTET STRING.
    return {
      kty: 'EC',
      crv: 'P-256',
      x: text(point.subarray(-64, -32)),
      y: text(point.subarray(-32)),
    }
  }
  // Tokens name the curve in several ways; the other one of this type, Ed448, has longer points.
  return ED25519_POINT.includes(point.length)
    ? { kty: 'OKP', crv: 'Ed25519', x: text(point.subarray(-32)) }
    : undefined
}

function text(bytes: Buffer): string {
  return bytes.toString('base64url')
}
