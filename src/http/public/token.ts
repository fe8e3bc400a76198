// POST /token (RFC 6749 §3.2): authenticate the client, check that it may use the grant and which
// key it proves to hold, run the grant, write the answer.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { required, type Grant } from '../../grants/grant.ts'
import {
  invalidDpopProof,
  unauthorizedClient,
  unsupportedGrantType,
} from '../../oauth/errors.ts'
import type { Reason } from '../../base/reasons.ts'
import { addressOf, type AddressLimit } from '../callers/address-limit.ts'
import { formOf, isForm, type ClientOf } from '../callers/client.ts'
import { clientGone } from '../request/client-gone.ts'
import type { ProvenKey } from '../callers/dpop.ts'
import { refusalOf } from '../request/error-handler.ts'
import { takeForms } from '../request/form-body.ts'
import type { RefreshTokenOf } from './refresh-token-of.ts'
import { errors, formBody, FORM_ENDPOINT } from './schemas.ts'

const TokenBody = formBody({
  grant_type: Type.Optional(Type.String({ description: 'password or refresh_token' })),
  username: Type.Optional(
    Type.String({ description: "With the password grant: the user's name." }),
  ),
  password: Type.Optional(
    Type.String({
      format: 'password',
      description: "With the password grant: the user's password.",
    }),
  ),
  refresh_token: Type.Optional(
    Type.String({ description: 'With the refresh_token grant: the token to exchange.' }),
  ),
  scope: Type.Optional(
    Type.String({ description: 'Space-separated; at most what the client may ask for.' }),
  ),
  resource: Type.Optional(
    Type.Array(Type.String(), {
      description: 'The audiences that the token is for (RFC 8707); may repeat.',
    }),
  ),
})

const TokenResponse = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.Union([Type.Literal('Bearer'), Type.Literal('DPoP')]),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    refresh_token: Type.Optional(Type.String()),
    scope: Type.Optional(Type.String()),
  },
  { title: 'TokenResponse' },
)

export interface TokenRouteOptions {
  /** The endpoint's URL as clients know it. */
  readonly url: string
  readonly clientOf: ClientOf
  readonly grants: ReadonlyMap<string, Grant>
  readonly refreshTokenOf: RefreshTokenOf
  readonly limit: AddressLimit
  readonly provenKey: ProvenKey
  readonly count: {
    /** Counts tokens that were issued. */
    countIssued(grant: string): void
    /** Counts a request that got none. */
    countRefused(grant: unknown, status: number, reason: Reason): void
  }
}

/** The token endpoint. */
export async function tokenRoute(
  app: FastifyInstance,
  { url, clientOf, grants, refreshTokenOf, limit, provenKey, count }: TokenRouteOptions,
): Promise<void> {
  takeForms(app)
  app.addHook('onError', (request, _reply, error, done) => {
    const { status, reason } = refusalOf(error)
    count.countRefused(grantTypeOf(request), status, reason)
    done()
  })

  app.post(
    '/token',
    {
      preHandler: limit,
      schema: {
        ...FORM_ENDPOINT,
        summary: 'Get tokens by name and password, or by refresh token',
        operationId: 'token',
        security: [{ client: [] }, {}],
        body: TokenBody,
        response: { 200: TokenResponse, ...errors(400, 401, 413, 415, 429, 503) },
      },
    },
    async (request, reply) => {
      const params = formOf(request)
      const client = await clientOf(request)
      const type = required(params, 'grant_type')
      const grant = grants.get(type)
      if (grant === undefined) throw unsupportedGrantType()
      if (!client.grants.includes(type)) throw unauthorizedClient()
      const jkt = await provenKey(request, reply, { method: 'POST', url })
      if (jkt === undefined && client.dpop === 'required') {
        throw invalidDpopProof('dpop_missing')
      }
      const response = await grant({
        client,
        params,
        refreshToken: refreshTokenOf(request),
        jkt,
        address: await addressOf(request, clientOf),
        clientGone: () => clientGone(reply),
        origin: request,
      })
      count.countIssued(type)
      reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache' })
      return response
    },
  )
}

// What was refused may have no body, or one that nobody could read.
function grantTypeOf({ body }: FastifyRequest): unknown {
  return isForm(body) ? body['grant_type'] : undefined
}
