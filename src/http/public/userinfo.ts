// /userinfo (OIDC Core §5.3): the claims of the bearer's user, by GET and by POST, the token in the header or
// in a form body; in a signed JWT where the client asks for one. Answers as RFC 6750 says.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'
import { Type } from 'typebox'
import type { Clock } from '../../base/clock.ts'
import type { ClientRegistry } from '../../clients/registry.ts'
import { optional } from '../../grants/grant.ts'
import { invalidToken } from '../../oauth/token-errors.ts'
import type { ClaimRules } from '../../oauth/claims.ts'
import { scopeTokens } from '../../oauth/scope.ts'
import { audiencesOf } from '../../tokens/access-token.ts'
import { mapClaims } from '../../tokens/claims.ts'
import type { SignJwt } from '../../tokens/sign-jwt.ts'
import { userClaims } from '../../tokens/user-claims.ts'
import { isForm } from '../callers/request-client.ts'
import { FORM, takeForms } from '../request/form-body.ts'
import { errors, jsonResponse, TOKEN_REFUSED } from './openapi/schemas.ts'
import type { TokenHolder } from '../callers/token-holder.ts'

const UserinfoResponse = Type.Object(
  {
    sub: Type.String({ description: "The user's stable id." }),
    preferred_username: Type.Optional(
      Type.String({ description: 'With the scope profile.' }),
    ),
    roles: Type.Optional(Type.Array(Type.String())),
    email: Type.Optional(Type.String({ description: 'With the scope email.' })),
    email_verified: Type.Optional(Type.Boolean()),
  },
  {
    title: 'Userinfo',
    additionalProperties: true,
    description:
      'Beside these, the attributes of the user that OpenID Connect Core §5.1 ' +
      'names, by the scopes ' +
      'profile, email and phone (§5.4).',
  },
)

/** OIDC Core §5.3.2. */
const SIGNED = 'application/jwt'

export interface UserinfoRouteOptions {
  readonly issuer: string
  /** The endpoint's URL as clients know it. */
  readonly url: string
  readonly tokenHolder: TokenHolder
  readonly clients: Pick<ClientRegistry, 'find'>
  /** The rules of the claims that an audience is given. */
  readonly claimsFor: (audience: string) => ClaimRules
  /** Whether the configuration declares an attribute of that name. */
  readonly isDeclared: (attribute: string) => boolean
  readonly sign: SignJwt
  readonly clock: Clock
}

const UserinfoBody = Type.Object(
  {
    access_token: Type.Optional(
      Type.String({ description: 'Unless it is in the Authorization header.' }),
    ),
  },
  { title: 'UserinfoRequest', examples: [{}] },
)

const { description, content } = jsonResponse(
  'What is known about the user.',
  UserinfoResponse,
  {
    sub: 'u_3yNkqQ2hXw',
    preferred_username: 'alice',
    roles: ['buyer'],
    email: 'alice@example.com',
    email_verified: true,
  },
)
const ANSWER = {
  description,
  content: {
    ...content,
    [SIGNED]: {
      schema: Type.String({ description: 'A JWT with the same claims (§5.3.2).' }),
      example: 'eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl',
    },
  },
}

/** The userinfo endpoint. */
export async function userinfoRoute(
  app: FastifyInstance,
  options: UserinfoRouteOptions,
): Promise<void> {
  const { url, tokenHolder, claimsFor, isDeclared } = options
  takeForms(app)
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const { claims, user } = await tokenHolder(request, reply, {
      target: () => ({ method: request.method, url }),
      bodyToken: isForm(request.body)
        ? optional(request.body, 'access_token')
        : undefined,
    })
    // A client's own token is about nobody.
    if (user === undefined) {
      const scheme = claims.cnf === undefined ? 'Bearer' : 'DPoP'
      throw invalidToken('token_without_user', scheme)
    }
    reply.header('cache-control', 'no-store')
    const scope = scopeTokens(claims.scope ?? '')
    // By the rules of the token's audiences, so that it says no other roles than the token.
    const mapped = mapClaims(audiencesOf(claims).map(claimsFor), { user, scope })
    const known = {
      sub: user.sub,
      ...userClaims({
        user,
        scope,
        mapped,
        isDeclared,
      }),
    }
    if (!wantsSigned(request)) return known
    reply.type(SIGNED)
    return signed(known, claims.client_id, options)
  }
  const schema = {
    tags: ['OAuth 2.0'],
    summary: 'Say whose access token this is',
    operationId: 'userinfo',
    security: [{ user: [] }],
    response: { 200: ANSWER, ...TOKEN_REFUSED, ...errors(429, 503) },
  }
  app.get('/userinfo', { schema }, handler)
  app.post(
    '/userinfo',
    {
      schema: {
        ...schema,
        consumes: [FORM],
        operationId: 'userinfoByPost',
        body: UserinfoBody,
        response: { 200: ANSWER, ...TOKEN_REFUSED, ...errors(400, 413, 415, 429, 503) },
      },
      // Documented, and judged by the handler: with the token in the header there may be no body at all.
      validatorCompiler: () => () => true,
    },
    handler,
  )
}

// RFC 9110 §12.5.1: unless the signed form is preferred, the plain one.
function wantsSigned({ headers }: FastifyRequest): boolean {
  return new Negotiator({ headers }).mediaType(['application/json', SIGNED]) === SIGNED
}

// For the client that the access token was issued to, as its ID tokens are. Without `exp` it is no ID token,
// and without `client_id` no access token.
function signed(
  known: Readonly<Record<string, unknown>>,
  clientId: string,
  { issuer, clients, sign, clock }: UserinfoRouteOptions,
): string | Promise<string> {
  const iat = Math.floor(clock() / 1000)
  return sign(
    {
      iss: issuer,
      aud: clientId,
      iat,
      ...known,
    },
    'JWT',
    clients.find(clientId)?.idTokenAlgorithm,
  )
}
