// Public keys that others give us (RFC 7517 §4): in the configuration, at a client's jwksUri, in a DPoP
// proof.
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import {
  ALGORITHM_NAMES,
  algorithmNamed,
  algorithmsFor,
  JOSE_NAMES,
  RSA_BOUNDS,
} from './algorithms.ts'

// RFC 7518 §6.2.2, §6.3.2 and §6.4.1, RFC 8037 §2; `priv` is that of the key type AKP.
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

/** What is wrong with a key: the member (undefined: the whole key) and what was expected. */
export interface JwkFault {
  readonly member?: string
  readonly expected: string
}

/** The private members that a JWK holds; a public key has none. */
export function privateMembersOf(jwk: object): readonly string[] {
  return PRIVATE_MEMBERS.filter(member => member in jwk)
}

/**
 * Why a JWK can't verify signatures here as a public key; undefined: it can. No value of the key is repeated.
 */
export function faultOf(jwk: JsonWebKey): JwkFault | undefined {
  const held = privateMembersOf(jwk)
  if (held.length > 0) {
    return {
      expected:
        `a public key (JWK); this one holds ${held.join(', ')} of its private half: take a new pair, ` +
        'as this one is known to whoever reads the file',
    }
  }
  const key = read(jwk)
  if (key === undefined) return { expected: 'a public key (JWK) that can be read' }
  return faultOfKey(key) ?? faultOfUse(jwk, key)
}

/**
 * The keys of a set that can be used; the others are left out. An Ed25519 key loses its `alg`, which may have
 * either name: a verifier that compares names would refuse the other one.
 */
export function usableKeys(
  keys: readonly unknown[],
): (JsonWebKey & { readonly kty: string })[] {
  return keys
    .filter(isJwk)
    .filter(jwk => faultOf(jwk) === undefined)
    .map(({ alg, ...jwk }) =>
      jwk.kty === 'OKP' || alg === undefined ? jwk : { ...jwk, alg },
    )
}

function isJwk(value: unknown): value is JsonWebKey & { readonly kty: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kty' in value &&
    typeof value.kty === 'string'
  )
}

function read(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

function faultOfKey(key: KeyObject): JwkFault | undefined {
  if (algorithmsFor(key).length > 0) return undefined
  const { asymmetricKeyType, asymmetricKeyDetails } = key
  if (asymmetricKeyType !== 'rsa') {
    return {
      member: 'crv',
      expected: `the curve of one of ${ALGORITHM_NAMES.join(', ')}: P-256 or Ed25519`,
    }
  }
  const bits = asymmetricKeyDetails?.modulusLength
  const exponentBits = asymmetricKeyDetails?.publicExponent?.toString(2).length
  return {
    expected: `${RSA_BOUNDS}; this one has ${bits} bits, and an exponent of ${exponentBits}`,
  }
}

// RFC 7517 §4.2 to §4.5.
function faultOfUse(jwk: JsonWebKey, key: KeyObject): JwkFault | undefined {
  const { use, key_ops: operations, alg, kid } = jwk
  if (use !== undefined && use !== 'sig') {
    return { member: 'use', expected: 'sig, or no such key' }
  }
  if (
    operations !== undefined &&
    !(Array.isArray(operations) && operations.includes('verify'))
  ) {
    return { member: 'key_ops', expected: 'a list with verify, or no such key' }
  }
  if (kid !== undefined && typeof kid !== 'string') {
    return { member: 'kid', expected: 'a text' }
  }
  const named = algorithmNamed(alg)
  if (alg !== undefined && named === undefined) {
    return { member: 'alg', expected: `one of ${JOSE_NAMES.join(', ')}, or no such key` }
  }
  return named === undefined || algorithmsFor(key).includes(named)
    ? undefined
    : { member: 'alg', expected: 'an algorithm of the kind of this key, or no such key' }
}
