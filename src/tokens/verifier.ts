// The one verifier of our own access tokens (RFC 9068 §4, RFC 8725), for the server and for the command line.
// It takes keys from the ring only, each pinned to its algorithm. Revocation is the store's to say.
import { createVerifier } from 'fast-jwt'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { VerificationKey } from '../keys/ring.ts'
import { requireAlgorithm } from '../oauth/algorithms.ts'
import {
  audiencesOf,
  isAccessTokenClaims,
  MAX_TOKEN_LENGTH,
  type AccessTokenClaims,
  type AccessTokenType,
} from './access-token.ts'
import { isCanonical } from './compact.ts'
import { decodeToken } from './decode.ts'

/** Why a text is no living access token of ours, in the order in which it is looked at. */
export type TokenFault =
  | 'token_malformed'
  | 'header_incomplete'
  | 'header_critical'
  | 'type_wrong'
  | 'key_unknown'
  | 'algorithm_wrong'
  | 'signature_invalid'
  | 'claims_incomplete'
  | 'issuer_wrong'
  | 'token_early'
  | 'token_expired'
  | 'audience_unknown'

/** Where the keys are looked up: the key ring. */
export interface VerificationKeys {
  verificationKey(kid: string): VerificationKey | undefined
}

export interface TokenVerifierOptions {
  readonly issuer: string
  readonly keys: VerificationKeys
  /** Whether some client may get tokens for this audience; the issuer's own is always known. */
  readonly knowsAudience: (audience: string) => boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Whether this process has signed exactly this text itself; default: it has signed none. */
  readonly wasSignedHere?: (text: string) => boolean
}

/** What is true of a token for ever: who signed which claims. */
export interface SignedToken {
  readonly claims: AccessTokenClaims
  /** The key that signed it. */
  readonly kid: string
}

/** The text is no access token of ours, or none that lives. */
export interface RefusedToken {
  readonly kind: 'refused'
  readonly reason: TokenFault
}

export type ReadToken = ({ readonly kind: 'ok' } & SignedToken) | RefusedToken

/** The steps of verification. Whatever else they throw is a fault, and no verdict on the token. */
export interface TokenVerifier {
  /** All of them: form, header, signature, claims and issuer, then what changes with time. */
  verify(text: string): ReadToken
  /** What never changes: form, header, signature, claims and issuer. */
  read(text: string): ReadToken
  /** What changes with time: whether the key is still in the ring, the token's times, the audiences. */
  judge(token: SignedToken): ReadToken
  /** The key that a decoded token names in its header, if one of ours may have such a header. */
  keyFor(
    decoded: unknown,
  ): ({ readonly kind: 'ok'; readonly kid: string } & VerificationKey) | RefusedToken
  /** Whether a payload whose signature was right is one of our access tokens. */
  claimsOf(
    payload: unknown,
  ): { readonly kind: 'ok'; readonly claims: AccessTokenClaims } | RefusedToken
}

const TYPES: readonly string[] = ['at+jwt', 'JWT'] satisfies readonly AccessTokenType[]

const Decoded = Compile(
  Type.Object({
    header: Type.Object({ alg: Type.String(), kid: Type.String(), typ: Type.String() }),
  }),
)

/** Makes the verifier. */
export function createTokenVerifier({
  issuer,
  keys,
  knowsAudience,
  now,
  wasSignedHere = () => false,
}: TokenVerifierOptions): TokenVerifier {
  const isSigned = createIsSigned()

  const keyFor: TokenVerifier['keyFor'] = decoded => {
    if (!Decoded.Check(decoded)) return refused('header_incomplete')
    const { alg, kid, typ } = decoded.header
    // An extension that must be understood: there is none that we do (RFC 7515 §4.1.11).
    if ('crit' in decoded.header) return refused('header_critical')
    if (!TYPES.includes(typ)) return refused('type_wrong')
    const key = keys.verificationKey(kid)
    if (key === undefined) return refused('key_unknown')
    if (key.alg !== alg) return refused('algorithm_wrong')
    return {
      kind: 'ok',
      kid,
      alg: key.alg,
      publicKey: key.publicKey,
    }
  }

  const claimsOf: TokenVerifier['claimsOf'] = payload => {
    if (!isAccessTokenClaims(payload)) return refused('claims_incomplete')
    return payload.iss === issuer
      ? { kind: 'ok', claims: payload }
      : refused('issuer_wrong')
  }

  const read: TokenVerifier['read'] = text => {
    if (!isWellFormed(text)) return refused('token_malformed')
    const decoded = decodeToken(text)
    if (decoded === undefined) return refused('token_malformed')
    const key = keyFor(decoded)
    if (key.kind === 'refused') return key
    if (!wasSignedHere(text) && !isSigned(text, key)) return refused('signature_invalid')
    const checked = claimsOf(decoded.payload)
    return checked.kind === 'refused' ? checked : { ...checked, kid: key.kid }
  }

  const judge: TokenVerifier['judge'] = ({ claims, kid }) => {
    if (keys.verificationKey(kid) === undefined) return refused('key_unknown')
    const at = now()
    if (at < (claims.nbf ?? 0) * 1000) return refused('token_early')
    if (claims.exp * 1000 <= at) return refused('token_expired')
    return audiencesOf(claims).some(aud => aud === issuer || knowsAudience(aud))
      ? { kind: 'ok', claims, kid }
      : refused('audience_unknown')
  }

  function verify(text: string): ReadToken {
    const token = read(text)
    return token.kind === 'refused' ? token : judge(token)
  }

  return {
    verify,
    read,
    judge,
    keyFor,
    claimsOf,
  }
}

/** Whether the text may be an access token of ours: not too long, and in its one spelling. */
export function isWellFormed(text: string): boolean {
  return text.length <= MAX_TOKEN_LENGTH && isCanonical(text)
}

/** Checks signatures; makes one function a key, which costs as much as a signature's check. */
function createIsSigned() {
  const verifiers = new Map<string, (text: string) => unknown>()
  return (text: string, { alg, publicKey }: VerificationKey): boolean => {
    const verify = verifiers.get(publicKey) ?? makeVerifier({ alg, publicKey })
    verifiers.set(publicKey, verify)
    try {
      verify(text)
      return true
    } catch {
      // The key is a good one, or there would be no verifier: whatever is thrown is said of the token.
      return false
    }
  }
}

// Times are judged by the caller's clock, and nothing is remembered here.
function makeVerifier({ alg, publicKey }: VerificationKey): (text: string) => unknown {
  return createVerifier({
    key: publicKey,
    algorithms: [requireAlgorithm(alg).name],
    ignoreExpiration: true,
    ignoreNotBefore: true,
    cache: false,
  })
}

function refused(reason: TokenFault): RefusedToken {
  return { kind: 'refused', reason }
}
