// GET /userinfo (OIDC Core §5.3): the claims of the bearer's user. Answers as RFC 6750 says.
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { userTag } from '../ids.ts'
import { invalidToken } from '../oauth/errors.ts'
import { scopeTokens } from '../oauth/scope.ts'
import type { Store } from '../stores/ports.ts'
import { errors } from './schemas.ts'
import type { VerifyAccessToken } from './verify-access-token.ts'

const SCHEME = /^Bearer(?: |$)/i
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i

const UserinfoResponse = Type.Object({
  sub: Type.String(),
  preferred_username: Type.Optional(Type.String({ description: 'With the scope profile.' })),
  roles: Type.Optional(Type.Array(Type.String())),
}, { title: 'Userinfo' })

export interface UserinfoRouteOptions {
  readonly verify: VerifyAccessToken
  readonly accessTokens: Pick<Store['accessTokens'], 'check'>
}

/** The userinfo endpoint. */
export async function userinfoRoute (app: FastifyInstance, { verify, accessTokens }: UserinfoRouteOptions): Promise<void> {
  app.get('/userinfo', {
    schema: {
      tags: ['OAuth 2.0'],
      summary: 'Tell who the bearer of an access token is',
      operationId: 'userinfo',
      security: [{ user: [] }],
      response: { 200: UserinfoResponse, ...errors(401, 503) },
    },
  }, async (request, reply) => {
    const token = bearerToken(request.headers.authorization)
    const claims = await verify(request, token)
    if (claims === undefined) throw invalidToken('token_invalid')
    const outcome = await accessTokens.check({ userTag: userTag(claims.sub), sid: claims.sid, jti: claims.jti })
    if (outcome.kind === 'refused') throw invalidToken(outcome.reason)
    reply.header('cache-control', 'no-store')
    const { sub, name, roles } = outcome.user
    return {
      sub,
      ...(scopeTokens(claims.scope ?? '').includes('profile') && { preferred_username: name }),
      ...(roles.length > 0 && { roles }),
    }
  })
}

// RFC 6750 §3: who sends no bearer token is told no error, who sends something else as one is.
function bearerToken (authorization = ''): string {
  if (!SCHEME.test(authorization)) throw invalidToken('token_missing')
  const token = BEARER.exec(authorization)?.[1]
  if (token === undefined) throw invalidToken('token_malformed')
  return token
}
