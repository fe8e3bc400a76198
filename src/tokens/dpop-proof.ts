// DPoP proofs (RFC 9449 §4): a JWT signed by the key that stands in its own header. Reading one proves that
// its sender holds that key; whether it was made for this request is http/callers/dpop.ts's to say.
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { createDecoder } from 'fast-jwt'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { thumbprint } from '../keys/make.ts'
import { algorithmNamed, isKeyFor, isSignedBy } from '../oauth/algorithms.ts'
import { privateMembersOf } from '../oauth/public-jwk.ts'
import { isCanonical, signedPartsOf } from './compact.ts'

const MAX_LENGTH = 4096

const Header = Compile(
  Type.Object({
    typ: Type.Literal('dpop+jwt'),
    alg: Type.String(),
    jwk: Type.Object({ kty: Type.String() }),
    // An extension that must be understood: there is none that we do (RFC 7515 §4.1.11).
    crit: Type.Optional(Type.Never()),
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
  const key = keyOf(jwk)
  const algorithm = algorithmNamed(alg)
  // The key's bounds come first: a signature by one that is out of them may cost anything.
  if (
    key === undefined ||
    algorithm === undefined ||
    !isKeyFor(algorithm, key) ||
    !isSignedBy(algorithm, key, signedPartsOf(text))
  ) {
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

// A proof must carry a public key and nothing else.
function keyOf(jwk: JsonWebKey): KeyObject | undefined {
  if (privateMembersOf(jwk).length > 0) return undefined
  return attempt(() => createPublicKey({ key: { ...jwk }, format: 'jwk' }))
}

// The libraries are given nothing but a stranger's bytes here: whatever they throw is said of these.
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
