// The one table of signature algorithms: their JOSE names, which keys fit, how such keys are made and how
// they sign. Configuration, metadata, key files, PKCS#11, signing, verifying, DPoP proofs and client
// assertions all read it, so that none of them takes a key that another refuses.
import {
  constants,
  generateKeyPair,
  sign,
  verify,
  type KeyObject,
  type KeyPairKeyObjectResult,
  type SigningOptions,
} from 'node:crypto'
import { promisify } from 'node:util'

const generate = promisify(generateKeyPair)

/**
 * Sizes of RSA keys in bits. At least 2048: RFC 7518 §3.3. At most 4096: a longer key costs more to verify
 * than a stranger may make us spend. Those that are made here have 2048, which NIST SP 800-57 allows until
 * 2030, far beyond the life of a key that is rotated; RSA is here only for verifiers that know nothing else.
 */
export const RSA_BITS = { least: 2048, most: 4096, made: 2048 } as const

/**
 * Bounds of an RSA public exponent, which is odd. With 1 the signature is the message, and anybody makes one;
 * a verification costs one squaring for every bit.
 */
export const RSA_EXPONENT = { least: 3n, most: 2n ** 32n - 1n } as const

/** What RSA keys may be, for messages. */
export const RSA_BOUNDS =
  `RSA of ${RSA_BITS.least} to ${RSA_BITS.most} bits with an odd exponent from ` +
  `${RSA_EXPONENT.least} to 32 bits`

/** The curve of ES256: its name in a JWK, its object identifier in DER (RFC 5480 §2.1.1.1), as hex. */
export const P256 = {
  kty: 'EC',
  crv: 'P-256',
  oid: '06082a8648ce3d030107',
  coordinateBytes: 32,
} as const

/** The curve of EdDSA; a point has one coordinate (RFC 8037 §2). */
export const ED25519 = { kty: 'OKP', crv: 'Ed25519', coordinateBytes: 32 } as const

const RSA = {
  kty: 'RSA',
  crv: undefined,
  keyType: 'rsa',
  namedCurve: undefined,
  digest: 'sha256',
  tokenHash: 'sha256',
  makePair: () => generate('rsa', { modulusLength: RSA_BITS.made }),
} as const

/** The table, in the order in which metadata lists it. */
const TABLE = [
  // RFC 7518 §3.4: R and S, one after the other, and no DER.
  {
    name: 'ES256',
    otherNames: [],
    kty: P256.kty,
    crv: P256.crv,
    keyType: 'ec',
    namedCurve: 'prime256v1',
    digest: 'sha256',
    tokenHash: 'sha256',
    format: { dsaEncoding: 'ieee-p1363' },
    makePair: () => generate('ec', { namedCurve: P256.crv }),
  },
  // RFC 8037 §3.1. RFC 9864 §2.2 calls it Ed25519; most verifiers know the old name only, so we sign with it.
  {
    name: 'EdDSA',
    otherNames: ['Ed25519'],
    kty: ED25519.kty,
    crv: ED25519.crv,
    keyType: 'ed25519',
    namedCurve: undefined,
    digest: null,
    // The hash inside Ed25519 (RFC 8032 §5.1), as clients take it for `at_hash`.
    tokenHash: 'sha512',
    format: {},
    makePair: () => generate('ed25519'),
  },
  // RFC 7518 §3.5: a salt as long as the digest.
  {
    ...RSA,
    name: 'PS256',
    otherNames: [],
    format: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  },
  // RFC 7518 §3.3.
  {
    ...RSA,
    name: 'RS256',
    otherNames: [],
    format: { padding: constants.RSA_PKCS1_PADDING },
  },
] as const

/** The name under which an algorithm stands in our tokens, our keys and the ring. */
export type AlgorithmName = (typeof TABLE)[number]['name']

/** A name under which others may call one: the same, or the other one of RFC 9864. */
export type JoseName = AlgorithmName | (typeof TABLE)[number]['otherNames'][number]

/** A row of the table. */
export interface Algorithm {
  readonly name: AlgorithmName
  /** Other names for the very same thing. */
  readonly otherNames: readonly JoseName[]
  /** The key type in a JWK (RFC 7518 §6.1), and its curve where there is one. */
  readonly kty: 'EC' | 'OKP' | 'RSA'
  readonly crv: typeof P256.crv | typeof ED25519.crv | undefined
  /** The same in the words of node:crypto. */
  readonly keyType: 'ec' | 'ed25519' | 'rsa'
  readonly namedCurve: string | undefined
  readonly digest: 'sha256' | null
  /** The hash that `at_hash` is half of (OIDC Core §3.1.3.6). */
  readonly tokenHash: 'sha256' | 'sha512'
  /** The signature's options for node:crypto. */
  readonly format: SigningOptions
  makePair(): Promise<KeyPairKeyObjectResult>
}

const ALGORITHMS: readonly Algorithm[] = TABLE

/** The names that we sign with. */
export const ALGORITHM_NAMES: readonly AlgorithmName[] = TABLE.map(({ name }) => name)

/** Every name that we accept from others, which metadata lists. */
export const JOSE_NAMES: readonly JoseName[] = ALGORITHMS.flatMap(
  ({ name, otherNames }) => [name, ...otherNames],
)

const byName: ReadonlyMap<unknown, Algorithm> = new Map(
  ALGORITHMS.flatMap(algorithm =>
    [algorithm.name, ...algorithm.otherNames].map(name => [name, algorithm] as const),
  ),
)

/** The algorithm of a JOSE name, old or new; undefined for one that isn't in the table. */
export function algorithmNamed(name: unknown): Algorithm | undefined {
  return byName.get(name)
}

/**
 * The algorithm of a name that must be in the table.
 *
 * @throws TypeError for another
 */
export function requireAlgorithm(name: unknown): Algorithm {
  const algorithm = algorithmNamed(name)
  if (algorithm === undefined) {
    throw new TypeError(`not a signature algorithm of ours: ${String(name)}`)
  }
  return algorithm
}

/**
 * Whether a key, public or private, is one of the algorithm's: by type, curve, size and exponent.
 */
export function isKeyFor(
  { keyType, namedCurve }: Algorithm,
  { asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject,
): boolean {
  if (asymmetricKeyType !== keyType) return false
  if (keyType !== 'rsa') return asymmetricKeyDetails.namedCurve === namedCurve
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails
  return (
    modulusLength >= RSA_BITS.least &&
    modulusLength <= RSA_BITS.most &&
    publicExponent % 2n === 1n &&
    publicExponent >= RSA_EXPONENT.least &&
    publicExponent <= RSA_EXPONENT.most
  )
}

/** The algorithms that a key can be used with: none, one, or for RSA two. */
export function algorithmsFor(key: KeyObject): readonly Algorithm[] {
  return ALGORITHMS.filter(algorithm => isKeyFor(algorithm, key))
}

/** Whether the signature (RFC 7515 §5.2) of the data was made by the private half of this public key. */
export function isSignedBy(
  { digest, format }: Algorithm,
  key: KeyObject,
  { data, signature }: { readonly data: Buffer; readonly signature: Buffer },
): boolean {
  const { modulusLength } = { ...key.asymmetricKeyDetails }
  // RFC 8017 §8.1.2, step 1. OpenSSL takes a signature of PSS without its leading zeros, too.
  if (modulusLength !== undefined && signature.length !== Math.ceil(modulusLength / 8)) {
    return false
  }
  return verify(digest, data, { key, ...format }, signature)
}

/** The text that a key signs to prove itself; no verifier could take it for a token. */
export const PROBE = Buffer.from('latchkey: does this key fit its public half?')

/** Whether a private key signs what the public one verifies: the only proof that the two are a pair. */
export function isPair(
  algorithm: Algorithm,
  privateKey: KeyObject,
  publicKey: KeyObject,
): boolean {
  const { digest, format } = algorithm
  try {
    const signature = sign(digest, PROBE, { key: privateKey, ...format })
    return isSignedBy(algorithm, publicKey, { data: PROBE, signature })
  } catch {
    // OpenSSL refuses to sign with numbers that contradict each other.
    return false
  }
}
