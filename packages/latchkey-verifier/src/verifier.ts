// The verifier: whose token is this, is it for us, was it revoked, and may it do this (RFC 9068 §4).
import { jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import { createCheckProof, NoRoom } from './dpop.ts'
import { createKeys, isAboutToken } from './keys.ts'
import {
  insufficientScope,
  noToken,
  notValid,
  Refusal,
  unavailable,
  type Scheme,
} from './refusal.ts'
import { createIsRevoked, type StatusReference } from './status-list.ts'

/** What Latchkey signs with, by its configuration, and what proofs may be signed with. */
const ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256']
const LEEWAY_SECONDS = 30

export interface VerifierOptions {
  /** Latchkey's `issuer`, letter by letter. */
  readonly issuer: string
  /** What this API is called in `aud`. */
  readonly audience: string
  /**
   * How callers reach this API, such as `https://api.example.com`. With it, tokens that are bound to a key
   * (DPoP) are taken along with their proofs; without it, they are refused.
   */
  readonly publicUrl?: string
  /** By how many seconds clocks may differ; 30 by default. */
  readonly leewaySeconds?: number
  /** The token's `typ`; `JWT` where Latchkey's configuration says so for this audience. */
  readonly typ?: 'at+jwt' | 'JWT'
}

/** What a verified token says; see Latchkey's docs/tokens.md. */
export interface Bearer extends JWTPayload {
  readonly sub: string
  readonly client_id?: string
  readonly scope?: string
  readonly roles?: readonly string[]
  readonly sid?: string
  readonly cnf?: Readonly<Record<string, unknown>>
  readonly status?: { readonly status_list?: StatusReference }
}

/** What a request presents. */
export interface PresentedRequest {
  readonly method?: string | undefined
  /** Path and query, as the caller sent them. */
  readonly path?: string | undefined
  readonly authorization?: string | undefined
  /** The header `DPoP`. */
  readonly proof?: string | undefined
}

/**
 * Says whose request this is, if the token has every one of the scopes.
 *
 * @throws Refusal
 */
export type Verifier = (request: PresentedRequest, ...scopes: string[]) => Promise<Bearer>

interface Presented {
  readonly scheme: Scheme
  readonly token: string
}

/** Makes a verifier. One for the life of the process: it keeps keys and status lists. It fetches none yet. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { audience, publicUrl, leewaySeconds = LEEWAY_SECONDS, typ = 'at+jwt' } = options
  const base = options.issuer.replace(/\/$/, '')
  const keys = createKeys(base)
  const common = { issuer: options.issuer, algorithms: ALGORITHMS }
  const isRevoked = createIsRevoked({ ...common, base, keys, leewaySeconds })
  const checkProof = createCheckProof(ALGORITHMS)
  const schemes = schemesFor(publicUrl)
  const ownUrl = publicUrl?.replace(/\/$/, '')
  const checks = {
    ...common,
    audience,
    typ,
    clockTolerance: leewaySeconds,
    requiredClaims: ['sub', 'exp', 'iat'],
  }

  /** Gives what uses the proof up, if there is one. */
  async function checkBinding(
    { scheme, token }: Presented,
    { cnf }: Bearer,
    { method = '', path = '', proof }: PresentedRequest,
  ): Promise<(() => void) | undefined> {
    // A token that is bound to nothing, by the scheme for those that are, is as odd as the other way round.
    if ((cnf !== undefined) !== (scheme.name === 'DPoP')) {
      throw notValid(scheme, 'invalid_token', 'the scheme is not that of the token')
    }
    if (cnf === undefined) return undefined
    const { jkt } = cnf
    if (typeof jkt !== 'string') {
      throw notValid(scheme, 'invalid_token', 'not bound by DPoP')
    }
    const url = `${ownUrl}${path}`
    return checkProof(proof, { token, jkt, method, url }).catch(error => {
      throw notValid(scheme, 'invalid_dpop_proof', error)
    })
  }

  return async function verify(request, ...scopes) {
    const presented = presentedIn(request, schemes)
    if (presented === undefined) throw noToken(schemes, scopes)
    const { scheme, token } = presented
    const { payload } = await jwtVerify<Bearer>(token, asFaults(keys), checks).catch(
      error => {
        throw error instanceof Refusal ? error : notValid(scheme, 'invalid_token', error)
      },
    )
    const useProof = await checkBinding(presented, payload, request)
    const reference = payload.status?.status_list
    if (reference !== undefined && (await isRevoked(reference).catch(asUnavailable))) {
      throw notValid(scheme, 'invalid_token', 'revoked')
    }
    const granted = payload.scope?.split(' ') ?? []
    if (!scopes.every(scope => granted.includes(scope))) {
      throw insufficientScope(scheme, scopes)
    }
    try {
      useProof?.()
    } catch (error) {
      if (error instanceof NoRoom) throw unavailable(error)
      throw notValid(scheme, 'invalid_dpop_proof', error)
    }
    return payload
  }
}

function schemesFor(publicUrl: string | undefined): readonly Scheme[] {
  const bearer = { name: 'Bearer', algorithms: ALGORITHMS } as const
  return publicUrl === undefined ? [bearer] : [bearer, { ...bearer, name: 'DPoP' }]
}

/** The token of a request, by one of the schemes; undefined when there is none (RFC 6750 §2.1). */
function presentedIn(
  { authorization = '' }: PresentedRequest,
  schemes: readonly Scheme[],
): Presented | undefined {
  const [, name = '', token = ''] = /^(\w+) +(\S+)$/.exec(authorization) ?? []
  const scheme = schemes.find(each => each.name.toLowerCase() === name.toLowerCase())
  return scheme && { scheme, token }
}

/** The keys. That they can't be had becomes a fault here: no mistake of the token is taken for one. */
function asFaults(keys: JWTVerifyGetKey): JWTVerifyGetKey {
  return async (header, token) => {
    try {
      return await keys(header, token)
    } catch (error) {
      throw isAboutToken(error) ? error : unavailable(error)
    }
  }
}

function asUnavailable(error: unknown): never {
  throw unavailable(error)
}
