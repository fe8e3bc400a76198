// POST /token (RFC 6749 §3.2): authenticate the client, check that it may use the grant and which
// key it proves to hold, run the grant, write the answer.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { REPEATABLE_PARAMETERS, type OfferedGrant } from '../../grants/all.ts'
import { optional, required } from '../../grants/grant.ts'
import { unauthorizedClient, unsupportedGrantType } from '../../oauth/errors.ts'
import { invalidDpopProof } from '../../oauth/token-errors.ts'
import type { Reason } from '../../base/events/reasons.ts'
import { addressOf, type RateLimitHook } from '../callers/limits/rate-limit.ts'
import {
  formOf,
  isForm,
  type AuthenticatedOf,
  type ClientOf,
} from '../callers/request-client.ts'
import type { NoteRefusedLogin } from '../callers/refused-login.ts'
import { clientGone } from '../request/client-gone.ts'
import type { ProvenKey } from '../callers/dpop.ts'
import { refusalOf } from '../request/error-handler.ts'
import { takeForms } from '../request/form-body.ts'
import type { RefreshTokenOf } from '../callers/refresh-token-of.ts'
import { TOKEN_SCHEMA } from './openapi/token-schema.ts'

export interface TokenRouteOptions {
  /** The endpoint's URL as clients know it. */
  readonly url: string
  readonly authenticatedOf: AuthenticatedOf
  readonly clientOf: ClientOf
  readonly grants: ReadonlyMap<string, OfferedGrant>
  readonly refreshTokenOf: RefreshTokenOf
  readonly limit: RateLimitHook
  readonly provenKey: ProvenKey
  readonly noteRefusedLogin: NoteRefusedLogin
  readonly count: {
    /** Counts tokens that were issued. */
    countIssued(grant: string): void
    /** Counts a request that got none; `grant`: the label of what it asked for, if there is such a grant. */
    countRefused(grant: string | undefined, status: number, reason: Reason): void
  }
}

/** The token endpoint. */
export async function tokenRoute(
  app: FastifyInstance,
  {
    url,
    authenticatedOf,
    clientOf,
    grants,
    refreshTokenOf,
    limit,
    provenKey,
    noteRefusedLogin,
    count,
  }: TokenRouteOptions,
): Promise<void> {
  takeForms(app, REPEATABLE_PARAMETERS)
  app.addHook('onError', async (request, _reply, error) => {
    const refusal = refusalOf(error)
    const { status, reason } = refusal
    const label = grants.get(grantTypeOf(request) ?? '')?.descriptor.label
    count.countRefused(label, status, reason)
    await noteRefusedLogin(request, refusal)
  })

  app.post(
    '/token',
    {
      preHandler: limit,
      schema: TOKEN_SCHEMA,
    },
    async (request, reply) => {
      const params = formOf(request)
      const { client, credential } = await authenticatedOf(request)
      const type = required(params, 'grant_type')
      const grant = grants.get(type)
      if (grant === undefined) throw unsupportedGrantType()
      if (!grant.descriptor.allows(client)) throw unauthorizedClient()
      const jkt = await provenKey(request, reply, { method: 'POST', url })
      if (jkt === undefined && client.dpop === 'required') {
        throw invalidDpopProof('dpop_missing')
      }
      const response = await grant.exchange({
        client,
        credential,
        params,
        refreshToken: refreshTokenOf(request),
        jkt,
        address: await addressOf(request, clientOf),
        clientGone: () => clientGone(reply),
        origin: request,
      })
      count.countIssued(grant.descriptor.label)
      reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache' })
      return response
    },
  )
}

// A refused request may have no body, or one that couldn't be parsed.
function grantTypeOf({ body }: FastifyRequest): string | undefined {
  return isForm(body) ? optional(body, 'grant_type') : undefined
}
