// POST /introspect (RFC 7662): says whether a token is active, to confidential clients; signed where the
// client asks for it (RFC 9701). One round trip to the store, none for a forged token.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'
import { Type, type Static } from 'typebox'
import type { Client } from '../../clients/registry.ts'
import type { Clock } from '../../base/clock.ts'
import type { Emit } from '../../base/events/events.ts'
import { required } from '../../grants/grant.ts'
import { algorithmFor } from '../../grants/issue.ts'
import type { Reason } from '../../base/events/reasons.ts'
import type { CheckToken } from '../../status-lists/check-token.ts'
import type { Families } from '../../stores/ports/families.ts'
import { AccessTokenClaims, audiencesOf } from '../../tokens/access-token.ts'
import type { ReadsRefreshToken } from '../../tokens/read-refresh-token.ts'
import { looksLikeRefreshToken } from '../../tokens/refresh-token.ts'
import type { SignJwt } from '../../tokens/sign-jwt.ts'
import type { RateLimitHook } from '../callers/limits/rate-limit.ts'
import { formOf } from '../callers/request-client.ts'
import { takeForms } from '../request/form-body.ts'
import type { IntrospectorOf } from '../callers/introspector.ts'
import { errors, FORM_ENDPOINT, tokenForm } from './openapi/schemas.ts'
import type { VerifyAccessToken } from '../callers/verify-access-token.ts'

const IntrospectBody = tokenForm('IntrospectionRequest')

const IntrospectResponse = Type.Object(
  {
    active: Type.Boolean(),
    scope: Type.Optional(Type.String()),
    client_id: Type.Optional(Type.String()),
    username: Type.Optional(Type.String()),
    token_type: Type.Optional(Type.String()),
    exp: Type.Optional(Type.Integer()),
    iat: Type.Optional(Type.Integer()),
    sub: Type.Optional(Type.String()),
    aud: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    iss: Type.Optional(Type.String()),
    jti: Type.Optional(Type.String()),
    sid: Type.Optional(Type.String()),
    auth_time: Type.Optional(Type.Integer()),
    roles: Type.Optional(Type.Array(Type.String())),
    cnf: Type.Optional(
      Type.Object({ jkt: Type.String({ description: 'RFC 9449 §6.2.' }) }),
    ),
    status: AccessTokenClaims.properties.status,
  },
  {
    title: 'IntrospectionResponse',
    additionalProperties: true,
    description: 'Beside these, the claims that the configuration gave to the token.',
  },
)
type IntrospectResponse = Static<typeof IntrospectResponse>

/** RFC 9701 §4 and §5. */
const SIGNED_TYP = 'token-introspection+jwt'
const SIGNED = `application/${SIGNED_TYP}`

export interface IntrospectRouteOptions {
  readonly issuer: string
  readonly introspectorOf: IntrospectorOf
  readonly limit: RateLimitHook
  readonly sign: SignJwt
  /** The algorithm that an audience needs; undefined: it takes any. */
  readonly algorithmOf: (audience: string) => string | undefined
  readonly clock: Clock
  readonly verify: VerifyAccessToken
  readonly readRefreshToken: ReadsRefreshToken
  readonly check: CheckToken
  readonly families: Pick<Families, 'peek'>
  readonly policy: () => { readonly reuseGrace: number }
  readonly emit: Emit
}

type Finding = { readonly response: IntrospectResponse; readonly reason: Reason }

/** The introspection endpoint. */
export async function introspectRoute(
  app: FastifyInstance,
  options: IntrospectRouteOptions,
): Promise<void> {
  const { introspectorOf, limit, emit } = options
  takeForms(app)

  app.post(
    '/introspect',
    {
      preHandler: limit,
      schema: {
        ...FORM_ENDPOINT,
        summary: 'Say whether a token is active',
        operationId: 'introspect',
        security: [{ client: [] }, { user: [] }],
        body: IntrospectBody,
        response: {
          200: {
            description: 'What is known about the token.',
            content: {
              'application/json': {
                schema: IntrospectResponse,
                example: {
                  active: true,
                  client_id: 'mobile',
                  scope: 'orders:read',
                },
              },
              [SIGNED]: {
                schema: Type.String({
                  description:
                    'A JWT whose claim token_introspection is that object (RFC 9701).',
                }),
                example:
                  'eyJhbGciOiJFUzI1NiIsInR5cCI6InRva2VuLWludHJvc3BlY3Rpb24rand0In0.e30.cw',
              },
            },
          },
          ...errors(400, 401, 413, 415, 429, 503),
        },
      },
    },
    async (request, reply) => {
      const client = await introspectorOf(request, reply)
      const token = required(formOf(request), 'token')
      const { response, reason } = looksLikeRefreshToken(token)
        ? await introspectRefreshToken(token, client, options)
        : await introspectAccessToken(token, client, options)
      emit(
        {
          type: 'introspected',
          clientId: client.id,
          active: response.active,
          reason,
        },
        request,
      )
      reply.header('cache-control', 'no-store')
      if (!wantsSigned(request)) return response
      reply.type(SIGNED)
      return signed(response, client, options)
    },
  )
}

// RFC 9110 §12.5.1: unless the signed form is preferred, the plain one.
function wantsSigned({ headers }: FastifyRequest): boolean {
  // Who names no type takes any, as most callers do.
  if (headers.accept === undefined) return false
  return new Negotiator({ headers }).mediaType(['application/json', SIGNED]) === SIGNED
}

// RFC 9701 §5: for the client that asked, by the algorithm that it can read. It has no `exp` and no `sub` of
// its own, so it can't pass for an access token.
function signed(
  response: IntrospectResponse,
  client: Client,
  { issuer, sign, algorithmOf, clock }: IntrospectRouteOptions,
): string | Promise<string> {
  return sign(
    {
      iss: issuer,
      aud: client.id,
      iat: Math.floor(clock() / 1000),
      token_introspection: response,
    },
    SIGNED_TYP,
    algorithmFor(client.audience, algorithmOf),
  )
}

// RFC 7662 §2.2: the answer says nothing else about a token that is dead, unknown or not for the caller.
function inactive(reason: Reason): Finding {
  return { response: { active: false }, reason }
}

async function introspectAccessToken(
  token: string,
  client: Client,
  { verify, check }: IntrospectRouteOptions,
): Promise<Finding> {
  const verified = verify.named(token)
  if (verified.kind === 'refused') return inactive('token_invalid')
  const { claims } = verified
  if (!concerns(client, claims.client_id, audiencesOf(claims))) {
    return inactive('token_foreign')
  }
  const outcome = await check(verified, 'recent')
  if (outcome.kind === 'refused') return inactive(outcome.reason)
  return {
    response: {
      active: true,
      token_type: claims.cnf === undefined ? 'Bearer' : 'DPoP',
      ...(outcome.user !== undefined && { username: outcome.user.name }),
      ...claims,
    },
    reason: 'active',
  }
}

async function introspectRefreshToken(
  token: string,
  client: Client,
  { issuer, readRefreshToken, families, policy }: IntrospectRouteOptions,
): Promise<Finding> {
  const read = await readRefreshToken(token)
  if (read === undefined) return inactive('token_invalid')
  const outcome = await families.peek({ ...read, reuseGraceMs: policy().reuseGrace })
  if (outcome.kind === 'refused') return inactive(outcome.reason)
  const { family, user } = outcome
  if (!concerns(client, family.clientId, [])) return inactive('token_foreign')
  const response = {
    active: true,
    ...(family.scope !== '' && { scope: family.scope }),
    client_id: family.clientId,
    username: user.name,
    exp: Math.floor(Math.min(family.idleUntil, family.endsAt) / 1000),
    iss: issuer,
    sub: user.sub,
    sid: family.sid,
    auth_time: Math.floor(family.startedAt / 1000),
    ...(family.jkt !== undefined && { cnf: { jkt: family.jkt } }),
  }
  return { response, reason: 'active' }
}

function concerns(
  client: Client,
  issuedTo: string,
  audiences: readonly string[],
): boolean {
  return (
    client.introspect === 'any' ||
    client.id === issuedTo ||
    audiences.some(audience => client.audience.includes(audience))
  )
}
