// Who comes with an access token (RFC 6750 §2.1), and with a key where the token is bound to one (RFC 9449
// §7).
import type { FastifyReply, FastifyRequest } from 'fastify'
import { JOSE_NAMES } from '../oauth/algorithms.ts'
import {
  asChallenge,
  invalidDpopProof,
  invalidToken,
  OAuthError,
} from '../oauth/errors.ts'
import type { CheckToken } from '../status/check-token.ts'
import type { User } from '../stores/ports.ts'
import type { AccessTokenClaims } from '../tokens/access-token.ts'
import type { ProvenKey, ProofTarget } from './dpop.ts'
import type { VerifyAccessToken } from './verify-access-token.ts'

const SCHEME = /^(Bearer|DPoP)(?: |$)/i
const TOKEN = /^\w+ +([A-Za-z0-9._~+/-]+=*) *$/

export interface TokenHolderOptions {
  readonly verify: VerifyAccessToken
  readonly check: CheckToken
  readonly provenKey: ProvenKey
}

/**
 * The claims of the access token that a request carries, and its user as the store knows them now. `target`
 * is what a proof must have been made for, asked where there is one to check.
 *
 * @throws OAuthError invalid_token, invalid_dpop_proof or use_dpop_nonce, each 401 with its challenge;
 * StoreUnavailable
 */
export type TokenHolder = (
  request: FastifyRequest,
  reply: FastifyReply,
  target: () => ProofTarget,
) => Promise<{ readonly claims: AccessTokenClaims; readonly user: User }>

/** Makes the function that tells who comes with a token. */
export function createTokenHolder({
  verify,
  check,
  provenKey,
}: TokenHolderOptions): TokenHolder {
  async function proven(
    request: FastifyRequest,
    reply: FastifyReply,
    targetOf: () => ProofTarget,
  ): Promise<string> {
    try {
      const jkt = await provenKey(request, reply, targetOf())
      if (jkt === undefined) throw invalidDpopProof('dpop_missing')
      return jkt
    } catch (error) {
      throw error instanceof OAuthError ? asChallenge(error, JOSE_NAMES) : error
    }
  }

  return async (request, reply, target) => {
    const { scheme, token } = presentedIn(request)
    const verified = await verify(request, token)
    if (verified === undefined) throw invalidToken('token_invalid', scheme)
    const { claims } = verified
    const bound = claims.cnf?.jkt
    // A stolen token is no good without its key, so it must not pass for one that needs none.
    if (scheme === 'Bearer' && bound !== undefined) {
      throw invalidToken('token_bound', 'DPoP')
    }
    if (
      scheme === 'DPoP' &&
      bound !==
        (await proven(request, reply, () => ({ ...target(), accessToken: token })))
    ) {
      throw invalidToken('token_other_key', scheme)
    }
    const outcome = await check(verified)
    if (outcome.kind === 'refused') throw invalidToken(outcome.reason, scheme)
    return { claims, user: outcome.user }
  }
}

// RFC 6750 §3: who sends no access token is told no error, who sends something else as one is.
function presentedIn({ headers: { authorization = '' } }: FastifyRequest): {
  scheme: 'Bearer' | 'DPoP'
  token: string
} {
  const [, named] = SCHEME.exec(authorization) ?? []
  if (named === undefined) throw invalidToken('token_missing')
  const scheme = named.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer'
  const [, token] = TOKEN.exec(authorization) ?? []
  if (token === undefined) throw invalidToken('token_malformed', scheme)
  return { scheme, token }
}
