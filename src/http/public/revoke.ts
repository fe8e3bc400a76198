// POST /revoke (RFC 7009): a refresh token ends its family, an access token goes on the revocation list.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Client } from '../../clients/registry.ts'
import type { Emit } from '../../base/events/events.ts'
import { required } from '../../grants/grant.ts'
import { invalidGrant } from '../../oauth/errors.ts'
import type { Sessions } from '../../sessions/sessions.ts'
import type { StatusService } from '../../status-lists/service.ts'
import type { AccessTokens } from '../../stores/ports/access-tokens.ts'
import type { ReadsRefreshToken } from '../../tokens/read-refresh-token.ts'
import { looksLikeRefreshToken } from '../../tokens/refresh-token.ts'
import type { RateLimitHook } from '../callers/limits/rate-limit.ts'
import { formOf, type ClientOf } from '../callers/request-client.ts'
import { takeForms } from '../request/form-body.ts'
import { ownNetworkOf } from '../callers/own-address.ts'
import { errors, FORM_ENDPOINT, jsonResponse, tokenForm } from './openapi/schemas.ts'
import type { VerifyAccessToken } from '../callers/verify-access-token.ts'

const RevokeBody = tokenForm('RevocationRequest')

// The mark goes by the store's clock, the token by ours. Where the store's is an hour ahead, or jumps there,
// the mark must not go first.
const CLOCK_MARGIN_MS = 2 * 3_600_000

export interface RevokeRouteOptions {
  readonly clientOf: ClientOf
  readonly limit: RateLimitHook
  readonly verify: VerifyAccessToken
  readonly readRefreshToken: ReadsRefreshToken
  readonly sessions: Pick<Sessions, 'giveBack'>
  readonly accessTokens: Pick<AccessTokens, 'revoke'>
  readonly status: Pick<StatusService, 'entryOf'>
  readonly emit: Emit
}

/** The revocation endpoint. */
export async function revokeRoute(
  app: FastifyInstance,
  options: RevokeRouteOptions,
): Promise<void> {
  const { clientOf, limit } = options
  takeForms(app)

  app.post(
    '/revoke',
    {
      preHandler: limit,
      schema: {
        ...FORM_ENDPOINT,
        summary: 'Revoke a token',
        operationId: 'revoke',
        security: [{ client: [] }, {}],
        body: RevokeBody,
        response: {
          200: jsonResponse(
            'The token is no longer valid.',
            Type.Object({}, { title: 'Revoked' }),
            {},
          ),
          ...errors(400, 401, 413, 415, 429, 503),
        },
      },
    },
    async (request, reply) => {
      const client = await clientOf(request)
      const token = required(formOf(request), 'token')
      const revoke = looksLikeRefreshToken(token) ? revokeRefreshToken : revokeAccessToken
      await revoke({ request, token, client }, options)
      reply.header('cache-control', 'no-store')
      return {}
    },
  )
}

/** What is asked for, and by whom. */
interface Revocation {
  readonly request: FastifyRequest
  readonly token: string
  readonly client: Client
}

/**
 * Ends the session of a refresh token. An unknown, expired or malformed one is no error: nobody can use it
 * any more (RFC 7009 §2.2).
 *
 * @throws OAuthError invalid_grant when it is another client's; StoreUnavailable
 */
export async function revokeRefreshToken(
  { request, token, client }: Revocation,
  { readRefreshToken, sessions, emit }: RevokeRouteOptions,
): Promise<void> {
  const read = await readRefreshToken(token)
  if (read === undefined) return
  const { sid } = read
  const network = ownNetworkOf(request)
  const outcome = await sessions.giveBack(
    {
      userTag: read.userTag,
      sid,
      clientId: client.id,
      network,
    },
    request,
  )
  if (outcome === 'client_mismatch') {
    throw foreign({
      request,
      client,
      sid,
      emit,
    })
  }
}

async function revokeAccessToken(
  { request, token, client }: Revocation,
  { verify, accessTokens, status, emit }: RevokeRouteOptions,
): Promise<void> {
  const verified = verify.named(token)
  if (verified.kind === 'refused') return
  const { claims, ref } = verified
  const { sid } = ref
  if (claims.client_id !== client.id) {
    throw foreign({
      request,
      client,
      sid,
      emit,
    })
  }
  const entry = claims.status && status.entryOf(claims.status.status_list)
  await accessTokens.revoke({
    ...ref,
    expiresAt: claims.exp * 1000 + CLOCK_MARGIN_MS,
    status: entry,
  })
  emit(
    {
      type: 'token.revoked',
      clientId: client.id,
      network: ownNetworkOf(request),
      kind: 'access_token',
      ...(sid !== undefined && { sid }),
    },
    request,
  )
}

interface Foreign {
  readonly request: FastifyRequest
  readonly client: Client
  readonly sid: string | undefined
  readonly emit: Emit
}

function foreign({ request, client, sid, emit }: Foreign) {
  emit(
    {
      type: 'revocation.refused',
      clientId: client.id,
      network: ownNetworkOf(request),
      reason: 'client_mismatch',
      ...(sid !== undefined && { sid }),
    },
    request,
  )
  return invalidGrant('client_mismatch')
}
