// GET /userinfo (OIDC Core §5.3): the claims of the bearer's user. Answers as RFC 6750 says.
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { scopeTokens } from '../oauth/scope.ts'
import { errors } from './schemas.ts'
import type { TokenHolder } from './token-holder.ts'

const UserinfoResponse = Type.Object(
  {
    sub: Type.String(),
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

/** The userinfo endpoint. */
export async function userinfoRoute(
  app: FastifyInstance,
  { url, tokenHolder }: UserinfoRouteOptions,
): Promise<void> {
  app.get(
    '/userinfo',
    {
      schema: {
        tags: ['OAuth 2.0'],
        summary: 'Tell who the bearer of an access token is',
        operationId: 'userinfo',
        security: [{ user: [] }],
        response: { 200: UserinfoResponse, ...errors(401, 429, 503) },
      },
    },
    async (request, reply) => {
      const {
        claims,
        user: { sub, name, roles },
      } = await tokenHolder(request, reply, () => ({ method: 'GET', url }))
      reply.header('cache-control', 'no-store')
      return {
        sub,
        ...(scopeTokens(claims.scope ?? '').includes('profile') && {
          preferred_username: name,
        }),
        ...(roles.length > 0 && { roles }),
      }
    },
  )
}
