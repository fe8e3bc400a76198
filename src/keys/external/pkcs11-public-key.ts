// A public key as a PKCS#11 token describes it (PKCS#11 v3.0 current mechanisms §2.1, §2.3).
import type { JsonWebKey } from 'node:crypto'
import { ED25519, P256 } from '../../oauth/algorithms.ts'

const CKA_KEY_TYPE = 0x100
const CKA_MODULUS = 0x120
const CKA_PUBLIC_EXPONENT = 0x122
const CKA_EC_PARAMS = 0x180
const CKA_EC_POINT = 0x181
const CKK_RSA = 0x0
const CKK_EC = 0x3
const CKK_EC_EDWARDS = 0x40

/** A point of Ed25519 as tokens give it: bare, as an OCTET STRING or as a BIT STRING. In bytes. */
const ED25519_POINT: readonly number[] = [0, 2, 3].map(
  head => head + ED25519.coordinateBytes,
)

type ReadAttribute = (type: number) => Buffer

/** The JWK of the key whose attributes these are; undefined for a type or a curve that we don't sign with. */
export function publicJwkOf(attribute: ReadAttribute): JsonWebKey | undefined {
  // A CK_ULONG as the machine writes it; every machine that Node runs on has its small end first.
  switch (attribute(CKA_KEY_TYPE).readUInt16LE(0)) {
    case CKK_RSA:
      return {
        kty: 'RSA',
        n: text(attribute(CKA_MODULUS)),
        e: text(attribute(CKA_PUBLIC_EXPONENT)),
      }
    case CKK_EC:
      return ecJwkOf(attribute)
    case CKK_EC_EDWARDS:
      return edwardsJwkOf(attribute)
  }
  return undefined
}

function ecJwkOf(attribute: ReadAttribute): JsonWebKey | undefined {
  const { kty, crv, oid, coordinateBytes } = P256
  if (attribute(CKA_EC_PARAMS).toString('hex') !== oid) return undefined
  // The last bytes of 04 | X | Y, which most tokens wrap as an OCTET STRING.
  const point = attribute(CKA_EC_POINT)
  return {
    kty,
    crv,
    x: text(point.subarray(-2 * coordinateBytes, -coordinateBytes)),
    y: text(point.subarray(-coordinateBytes)),
  }
}

function edwardsJwkOf(attribute: ReadAttribute): JsonWebKey | undefined {
  const { kty, crv, coordinateBytes } = ED25519
  // Tokens name the curve in several ways; the other one of this type, Ed448, has longer points.
  const point = attribute(CKA_EC_POINT)
  return ED25519_POINT.includes(point.length)
    ? { kty, crv, x: text(point.subarray(-coordinateBytes)) }
    : undefined
}

function text(bytes: Buffer): string {
  return bytes.toString('base64url')
}
