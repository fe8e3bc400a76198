// JWT access tokens (RFC 9068): what they claim and how they are signed.
import { createSigner } from 'fast-jwt'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { SigningKey } from '../keys/ring.ts'

/** Tokens longer than this were not made by us. In characters. */
export const MAX_TOKEN_LENGTH = 8192

const Instant = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/** The claims of every access token of ours; seconds where they are times. */
export const AccessTokenClaims = Type.Object({
  iss: Type.String(),
  sub: Type.String({ minLength: 1 }),
  aud: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })]),
  client_id: Type.String(),
  iat: Instant,
  exp: Instant,
  /** We set none, as verifiers' clocks differ; one that is there counts. */
  nbf: Type.Optional(Instant),
  jti: Type.String({ minLength: 1 }),
  sid: Type.String({ minLength: 1 }),
  scope: Type.Optional(Type.String()),
  auth_time: Type.Integer(),
  roles: Type.Optional(Type.Array(Type.String())),
  cnf: Type.Optional(Type.Object({ jkt: Type.String({ description: 'RFC 9449 §6.1.' }) })),
})
export type AccessTokenClaims = Static<typeof AccessTokenClaims>

const claimsCheck = Compile(AccessTokenClaims)

/** Whether a verified payload has the claims of an access token, each of its type. */
export function isAccessTokenClaims (payload: unknown): payload is AccessTokenClaims {
  return claimsCheck.Check(payload)
}

/** The audiences of a token as a list. */
export function audiencesOf (claims: AccessTokenClaims): readonly string[] {
  return typeof claims.aud === 'string' ? [claims.aud] : claims.aud
}

type LocalKey = Extract<SigningKey, { privateKey: string }>
type RemoteKey = Exclude<SigningKey, LocalKey>

/** The header types under which we sign access tokens: RFC 9068 §2.1, and what older verifiers insist on. */
export type AccessTokenType = 'at+jwt' | 'JWT'

/**
 * Signs claims: at once with a key that is held here, so that it never waits behind password hashing in libuv's pool; later with a key
 * that is kept elsewhere, which may reject with SignerUnavailable. `algorithm` is what the audience needs; undefined: it takes any.
 */
export type SignAccessToken = (claims: AccessTokenClaims, typ: AccessTokenType, algorithm?: string) => string | Promise<string>

/**
 * Makes the signer of access tokens.
 *
 * @param signingKey the key that signs now, asked for every token
 * @param signed told of the key of every token, and of the `exp` that it claims
 */
export function createAccessTokenSigner (signingKey: (algorithm?: string) => SigningKey, signed: (kid: string, exp: number) => void = () => {}): SignAccessToken {
  const signers = new Map<string, (claims: AccessTokenClaims) => string>()
  return (claims, typ, algorithm) => {
    const key = signingKey(algorithm)
    signed(key.kid, claims.exp)
    if ('sign' in key) return signRemotely(key, claims, typ)
    const id = `${typ} ${key.kid}`
    // One signer per key: making one costs ten times a signature.
    const signer = signers.get(id) ?? makeSigner(key, typ)
    signers.set(id, signer)
    return signer(claims)
  }
}

// The compact serialisation by hand (RFC 7515 §7.1): the library signs with keys that it is given.
async function signRemotely ({ kid, alg, sign }: RemoteKey, claims: AccessTokenClaims, typ: AccessTokenType): Promise<string> {
  const input = [{ alg, typ, kid }, claims].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = await sign(Buffer.from(input))
  return `${input}.${signature.toString('base64url')}`
}

function makeSigner ({ kid, alg, privateKey }: LocalKey, typ: AccessTokenType): (claims: AccessTokenClaims) => string {
  const algorithm = assertAlgorithm(alg)
  return createSigner({ key: privateKey, kid, algorithm, header: { alg: algorithm, typ } })
}

const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const

/** The algorithms that an access token may be signed with; nothing else is ever verified. */
export type Algorithm = typeof ALGORITHMS[number]

function assertAlgorithm (alg: string): Algorithm {
  const known = ALGORITHMS.find(name => name === alg)
  if (known === undefined) throw new TypeError(`not a signing algorithm of ours: ${alg}`)
  return known
}
