// /userinfo (OIDC Core §5.3): the claims of the bearer's user, by GET and by POST, the token in the header or
// in a form body. Answers as RFC 6750 says.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { optional } from '../../grants/grant.ts'
import { invalidToken } from '../../oauth/errors.ts'
import { scopeTokens } from '../../oauth/scope.ts'
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
  },
  { title: 'Userinfo' },
)

export interface UserinfoRouteOptions {
  /** The endpoint's URL as clients know it. */
  readonly url: string
  readonly tokenHolder: TokenHolder
}

const UserinfoBody = Type.Object(
  {
    access_token: Type.Optional(
      Type.String({ description: 'Unless it stands in the Authorization header.' }),
    ),
  },
  { title: 'UserinfoRequest', examples: [{}] },
)

/** The userinfo endpoint. */
export async function userinfoRoute(
  app: FastifyInstance,
  { url, tokenHolder }: UserinfoRouteOptions,
): Promise<void> {
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
    return { sub: user.sub, ...userClaims(user, scopeTokens(claims.scope ?? '')) }
  }
  const answer = jsonResponse('What is known of the user.', UserinfoResponse, {
    sub: 'u_3yNkqQ2hXw',
    preferred_username: 'alice',
    roles: ['buyer'],
  })
  const schema = {
    tags: ['OAuth 2.0'],
    summary: 'Tell who the bearer of an access token is',
    operationId: 'userinfo',
    security: [{ user: [] }],
    response: { 200: answer, ...TOKEN_REFUSED, ...errors(429, 503) },
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
        response: { 200: answer, ...TOKEN_REFUSED, ...errors(400, 413, 415, 429, 503) },
      },
      // Documented, and judged by the handler: with the token in the header there may be no body at all.
      validatorCompiler: () => () => true,
    },
    handler,
  )
}
