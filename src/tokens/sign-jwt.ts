// Signing with the key ring (RFC 7515): whatever Latchkey vouches for.
import { createSigner } from 'fast-jwt'
import type { SigningKey } from '../keys/ring.ts'
import { requireAlgorithm, type Algorithm } from '../oauth/algorithms.ts'
import { createEs256 } from './es256.ts'

type LocalKey = Extract<SigningKey, { privateKey: string }>
type RemoteKey = Exclude<SigningKey, LocalKey>

/** What is signed. */
export interface JwtClaims {
  readonly [claim: string]: unknown
  readonly iss: string
  /** Seconds; absent where nobody keeps the JWT. */
  readonly exp?: number
}

/** What is signed, where it depends on the algorithm of the key that signs it. */
export type ClaimsFor = (algorithm: Algorithm) => JwtClaims

/**
 * Signs claims under a header type: at once with a key that is held here, so that it never waits behind
 * password hashing in libuv's pool; later with a key that is kept elsewhere, which may reject with
 * SignerUnavailable. `algorithm` is what the audience needs; undefined: it takes any.
 */
export type SignJwt = (
  claims: JwtClaims | ClaimsFor,
  typ: string,
  algorithm?: string,
) => string | Promise<string>

/**
 * Makes the signer of whatever is signed by the ring: access tokens, ID tokens, answers of the introspection
 * endpoint.
 *
 * @param signingKey the key that signs now, asked for every token
 * @param signed told of the key of everything that lives for a while, and of the `exp` that it claims
 * @param made told of everything that a key which is held here has signed
 */
export function createJwtSigner(
  signingKey: (algorithm?: string) => SigningKey,
  signed: (kid: string, exp: number) => void = () => {},
  made: (jwt: string) => void = () => {},
): SignJwt {
  const signers = new Map<string, (claims: JwtClaims) => string>()
  return (wanted, typ, algorithm) => {
    const key = signingKey(algorithm)
    const claims =
      typeof wanted === 'function' ? wanted(requireAlgorithm(key.alg)) : wanted
    if (claims.exp !== undefined) signed(key.kid, claims.exp)
    if ('sign' in key) return signRemotely(key, claims, typ)
    const id = `${typ} ${key.kid}`
    // One signer per key: making one costs ten times a signature.
    const signer = signers.get(id) ?? makeSigner(key, typ)
    signers.set(id, signer)
    const jwt = signer(claims)
    made(jwt)
    return jwt
  }
}

// The library signs with keys that it is given, and only with those.
async function signRemotely(
  { kid, alg, sign }: RemoteKey,
  claims: JwtClaims,
  typ: string,
): Promise<string> {
  const input = `${encoded({ alg, typ, kid })}.${encoded(claims)}`
  const signature = await sign(Buffer.from(input))
  return `${input}.${signature.toString('base64url')}`
}

function makeSigner(
  { kid, alg, privateKey }: LocalKey,
  typ: string,
): (claims: JwtClaims) => string {
  const algorithm = requireAlgorithm(alg).name
  if (algorithm === 'ES256') {
    const header = encoded({ alg: algorithm, typ, kid })
    const sign = createEs256(privateKey)
    return claims => {
      const input = `${header}.${encoded(claims)}`
      return `${input}.${sign(input)}`
    }
  }
  return createSigner({
    key: privateKey,
    kid,
    algorithm,
    header: { alg: algorithm, typ },
  })
}

/** A part of the compact serialisation (RFC 7515 §7.1). */
function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
