// Who comes with an access token (RFC 6750 §2.1), and with a key where the token is bound to one (RFC 9449
// §7).
import type { FastifyReply, FastifyRequest } from 'fastify'
import { JOSE_NAMES } from '../../oauth/algorithms.ts'
import { readBearer } from '../../oauth/bearer.ts'
import { invalidRequest, OAuthError } from '../../oauth/errors.ts'
import { asChallenge, invalidDpopProof, invalidToken } from '../../oauth/token-errors.ts'
import type { CheckToken } from '../../status-lists/check-token.ts'
import type { Reason } from '../../base/events/reasons.ts'
import type { User } from '../../stores/ports/subjects.ts'
import type { AccessTokenClaims } from '../../tokens/access-token.ts'
import { noteClient } from './known-client.ts'
import type { ProvenKey, ProofTarget } from './dpop.ts'
import type { TokenFailures } from './limits/token-failures.ts'
import type { VerifyAccessToken } from './verify-access-token.ts'

const BODY_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

/** What is wrong with a proof that was read; a nonce that was handed out a moment ago is no fault. */
const BAD_PROOF: ReadonlySet<Reason> = new Set<Reason>([
  'dpop_malformed',
  'dpop_stale',
  'dpop_replayed',
  'dpop_other_method',
  'dpop_other_url',
  'dpop_other_token',
  'token_other_key',
])

export interface TokenHolderOptions {
  readonly verify: VerifyAccessToken
  readonly check: CheckToken
  readonly provenKey: ProvenKey
  readonly failures: TokenFailures
}

export interface Presented {
  /** What a proof must have been made for, asked where there is one to check. */
  readonly target: () => ProofTarget
  /** Where an endpoint takes one: the token in the form that is the body (RFC 6750 §2.2). */
  readonly bodyToken?: string | undefined
}

/**
 * The claims of the access token that a request carries, and its user as the store knows them now; undefined
 * for a client's own token.
 *
 * @throws OAuthError invalid_token, invalid_dpop_proof or use_dpop_nonce, each 401 with its challenge;
 * invalid_request for a token in the header and another in the body; slow_down when too many came that were
 * no good; StoreUnavailable
 */
export type TokenHolder = (
  request: FastifyRequest,
  reply: FastifyReply,
  presented: Presented,
) => Promise<{ readonly claims: AccessTokenClaims; readonly user: User | undefined }>

/** Makes the function that tells who comes with a token. */
export function createTokenHolder({
  verify,
  check,
  provenKey,
  failures,
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

  async function checkKey(
    request: FastifyRequest,
    reply: FastifyReply,
    { claims, target }: { claims: AccessTokenClaims; target: () => ProofTarget },
  ): Promise<void> {
    const { sid = claims.jti } = claims
    failures.beforeProof(request, sid)
    try {
      if ((await proven(request, reply, target)) !== claims.cnf?.jkt) {
        throw invalidToken('token_other_key', 'DPoP')
      }
    } catch (error) {
      if (error instanceof OAuthError && BAD_PROOF.has(error.reason)) {
        failures.badProof(request, sid)
      }
      throw error
    }
  }

  return async (request, reply, { target, bodyToken }) => {
    const { scheme, token } =
      bodyToken === undefined
        ? readBearer(request.headers.authorization)
        : presentedInBody(request, bodyToken)
    const verified =
      bodyToken === undefined ? await verify.carried(request) : verify.named(token)
    if (verified.kind === 'refused') {
      if (!verified.isOurs) failures.forged(request)
      throw invalidToken('token_invalid', scheme)
    }
    const { claims } = verified
    noteClient(request, claims.client_id)
    // A stolen token is no good without its key, so it must not pass for one that needs none.
    if (scheme === 'Bearer' && claims.cnf !== undefined) {
      throw invalidToken('token_bound', 'DPoP')
    }
    if (scheme === 'DPoP') {
      const ofToken = () => ({ ...target(), accessToken: token })
      await checkKey(request, reply, { claims, target: ofToken })
    }
    const outcome = await check(verified)
    if (outcome.kind === 'refused') throw invalidToken(outcome.reason, scheme)
    return { claims, user: outcome.user }
  }
}

// RFC 6750 §2: a request may use one way only. A token that is bound to a key can't come this way (RFC 9449
// §7.1).
function presentedInBody({ headers }: FastifyRequest, token: string) {
  if (headers.authorization !== undefined) {
    throw invalidRequest('the access token may come in the header or in the body only')
  }
  if (!BODY_TOKEN.test(token)) throw invalidToken('token_malformed')
  return { scheme: 'Bearer', token } as const
}
