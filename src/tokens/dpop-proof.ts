// DPoP proofs (RFC 9449 §4): a JWT signed by the key that stands in its own header. Reading one proves that
// its sender holds that key; whether it was made for this request is http/dpop.ts's to say.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { createDecoder, createVerifier } from 'fast-jwt'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { thumbprint } from '../keys/make.ts'
import { isCanonical } from './compact.ts'

/** The algorithms that a proof may be signed with. */
export const PROOF_ALGORITHMS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const

const MAX_LENGTH = 4096

// A key that is longer costs more to verify than a stranger may make us spend.
const RSA_BITS = { least: 2048, most: 4096 } as const

// Private members, and `oct` and its `k`: a proof must carry a public key and nothing else.
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

const Header = Compile(
  Type.Object({
    typ: Type.Literal('dpop+jwt'),
    alg: Type.Union(PROOF_ALGORITHMS.map(alg => Type.Literal(alg))),
    jwk: Type.Object({
      kty: Type.Union(['EC', 'OKP', 'RSA'].map(kty => Type.Literal(kty))),
    }),
  }),
)

const Claims = Compile(
  Type.Object({
    jti: Type.String({ minLength: 1, maxLength: 256 }),
    htm: Type.String(),
    htu: Type.String(),
    iat: Type.Number(),
    nonce: Type.Optional(Type.String()),
    ath: Type.Optional(Type.String()),
  }),
)

/** What a proof says, its signature checked. */
export interface Proof {
  /** RFC 7638 thumbprint of the key. */
  readonly jkt: string
  readonly jti: string
  readonly htm: string
  readonly htu: string
  /** Seconds; may have a fraction. */
  readonly iat: number
  readonly nonce?: string
  readonly ath?: string
}

const decode = createDecoder({ complete: true })

/**
 * Reads a proof: form, type, algorithm, key, signature and the types of its claims (RFC 9449 §4.3, 2 to 7).
 *
 * @returns undefined when it is no proof
 */
export function readProof(text: string): Proof | undefined {
  if (text.length > MAX_LENGTH || !isCanonical(text)) return undefined
  const decoded = attempt(() => decode(text))
  if (
    decoded === undefined ||
    !Header.Check(decoded.header) ||
    !Claims.Check(decoded.payload)
  ) {
    return undefined
  }
  const { alg, jwk } = decoded.header
  if (PRIVATE_MEMBERS.some(member => member in jwk)) return undefined
  const key = attempt(() => createPublicKey({ key: { ...jwk }, format: 'jwk' }))
  if (key === undefined || !isAcceptable(key) || !isSignedBy(key, alg, text)) {
    return undefined
  }
  const { jti, htm, htu, iat, nonce, ath } = decoded.payload
  return {
    jkt: thumbprint(key.export({ format: 'jwk' })),
    jti,
    htm,
    htu,
    iat,
    ...(nonce !== undefined && { nonce }),
    ...(ath !== undefined && { ath }),
  }
}

function isAcceptable({ asymmetricKeyDetails }: KeyObject): boolean {
  const bits = asymmetricKeyDetails?.modulusLength
  return bits === undefined || (bits >= RSA_BITS.least && bits <= RSA_BITS.most)
}

function isSignedBy(
  key: KeyObject,
  alg: (typeof PROOF_ALGORITHMS)[number],
  text: string,
): boolean {
  const verify = attempt(() =>
    createVerifier({
      key: key.export({ format: 'pem', type: 'spki' }),
      algorithms: [alg],
      cache: false,
      ignoreExpiration: true,
      ignoreNotBefore: true,
    }),
  )
  return verify !== undefined && attempt(() => verify(text)) !== undefined
}

// The libraries are given nothing but a stranger's bytes here: whatever they throw is said of these.
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
