// What /admin/v1 answers where it can't do what it is asked, beside what the guard refuses.
import type { FastifyRequest } from 'fastify'
import type { Reason } from '../../../base/events/reasons.ts'
import type { Core } from '../../../core/core.ts'
import { OAuthError } from '../../../oauth/errors.ts'
import type { Account } from '../../../stores/ports/directory.ts'

/** 404: there is no such account, session or subject. */
export function notFound(reason: Reason, description: string): OAuthError {
  return new OAuthError(404, 'not_found', { description, reason })
}

/** 409: it can't be done as things are. */
export function conflict(reason: Reason, description: string): OAuthError {
  return new OAuthError(409, 'conflict', { description, reason })
}

/** Parameters of a path below an account. */
export interface AccountPath {
  readonly sub: string
}

/**
 * The account that a path names.
 *
 * @throws OAuthError 404; StoreUnavailable
 */
export async function accountIn(
  { params }: FastifyRequest<{ Params: AccountPath }>,
  { accounts }: Pick<Core, 'accounts'>,
): Promise<Account> {
  const account = await accounts.bySub(params.sub)
  if (account === undefined) {
    throw notFound('user_unknown', 'there is no account of this sub')
  }
  return account
}
