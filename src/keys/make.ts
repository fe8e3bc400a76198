// Key pairs, by algorithm, and their names.
import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto'
import { requireAlgorithm } from '../oauth/algorithms.ts'

/** A new key pair. */
export interface MadeKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string
  readonly alg: string
  /** Public members only. */
  readonly publicJwk: Readonly<Record<string, string>>
  /** PKCS#8 PEM. */
  readonly privateKey: string
}

/**
 * Makes a key pair.
 *
 * @throws TypeError for an algorithm that isn't in the table
 */
export async function makeKey(alg: string): Promise<MadeKey> {
  const { publicKey, privateKey } = await requireAlgorithm(alg).makePair()
  const publicJwk = publicMembers(publicKey.export({ format: 'jwk' }))
  return {
    kid: thumbprint(publicJwk),
    alg,
    publicJwk,
    privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

// The members that make a public key what it is, in the order of RFC 7638 §3.2 and RFC 8037 §2.
const MEMBERS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
  ['RSA', ['e', 'kty', 'n']],
])

/**
 * Leaves of a JWK what identifies its public key, and so nothing private.
 *
 * @throws TypeError for a key that is neither EC, OKP nor RSA
 */
export function publicMembers(jwk: JsonWebKey): Record<string, string> {
  const members = MEMBERS.get(jwk.kty)
  if (members === undefined) throw new TypeError(`not a key type of ours: ${jwk.kty}`)
  return Object.fromEntries(members.map(name => [name, String(jwk[name])]))
}

/** The RFC 7638 thumbprint of a JWK's public key: SHA-256, base64url. */
export function thumbprint(jwk: JsonWebKey): string {
  return createHash('sha256')
    .update(JSON.stringify(publicMembers(jwk)))
    .digest('base64url')
}

/** The public key of a JWK as SPKI PEM. */
export function publicPem(jwk: JsonWebKey): string {
  return createPublicKey({ key: jwk, format: 'jwk' })
    .export({ format: 'pem', type: 'spki' })
    .toString()
}
