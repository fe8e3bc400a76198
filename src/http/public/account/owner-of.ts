// This folder is what users do to their own account over HTTP: each route reads its request, asks
// src/self-service/, and writes the answer. It decides nothing about accounts. Here it is said who may call:
// the user of an access token for the issuer, or of one with the scope `account`.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { slowDown } from '../../../oauth/errors.ts'
import { insufficientScope, invalidToken } from '../../../oauth/token-errors.ts'
import { scopeTokens } from '../../../oauth/scope.ts'
import type { Owner } from '../../../self-service/owner.ts'
import { audiencesOf } from '../../../tokens/access-token.ts'
import type { Accounts } from '../../../users/accounts.ts'
import {
  createWindowCounts,
  type WindowLimit,
} from '../../../base/counts/window-counts.ts'
import { ownAddressOf } from '../../callers/own-address.ts'
import type { TokenHolder } from '../../callers/token-holder.ts'
import { clientGone } from '../../request/client-gone.ts'

/** With it, a token for any of our audiences will do. */
export const ACCOUNT_SCOPE = 'account'

/**
 * Says whose account it is.
 *
 * @throws OAuthError 401 without a good token of a user; 403 insufficient_scope; 429 slow_down when the
 * session asks too often; StoreUnavailable
 */
export type OwnerOf = (request: FastifyRequest, reply: FastifyReply) => Promise<Owner>

/** What is asked. */
export interface OwnerOfOptions {
  readonly issuer: string
  /** The issuer, without a slash at its end. */
  readonly base: string
  /** What stands before the routes' paths here. */
  readonly prefix: string
  readonly tokenHolder: TokenHolder
  readonly accounts: Pick<Accounts, 'bySub'>
  /** Requests of one session. */
  readonly sessionLimit: () => WindowLimit
}

/** Makes the function. */
export function createOwnerOf(options: OwnerOfOptions): OwnerOf {
  const { issuer, base, prefix, tokenHolder, accounts, sessionLimit } = options
  const windows = createWindowCounts()

  function urlOf({ url }: FastifyRequest): string {
    const [path = ''] = url.split('?', 1)
    return `${base}${path.slice(prefix.length)}`
  }

  return async function ownerOf(request, reply) {
    const signal = clientGone(reply)
    const address = ownAddressOf(request)
    const { claims } = await tokenHolder(request, reply, {
      target: () => ({ method: request.method, url: urlOf(request) }),
    })
    const scheme = claims.cnf === undefined ? 'Bearer' : 'DPoP'
    const { sid, sub, client_id: clientId, auth_time: authTime = 0 } = claims
    if (sid === undefined) throw invalidToken('token_without_user', scheme)
    const isMeant =
      audiencesOf(claims).includes(issuer) ||
      scopeTokens(claims.scope ?? '').includes(ACCOUNT_SCOPE)
    if (!isMeant) throw insufficientScope(ACCOUNT_SCOPE, scheme)
    const endsInMs = windows.count(sid, sessionLimit())
    if (endsInMs !== undefined) {
      throw slowDown(Math.ceil(endsInMs / 1000), 'session_limit')
    }
    const account = await accounts.bySub(sub)
    // It may have been removed since the token was looked at.
    if (account === undefined) throw invalidToken('user_unknown', scheme)
    return {
      account,
      sid,
      authenticatedAt: authTime * 1000,
      clientId,
      scheme,
      address,
      signal,
      origin: request,
    }
  }
}
