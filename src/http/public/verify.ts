// /verify: the question that a proxy asks before it lets a request through (nginx auth_request, Traefik
// ForwardAuth, HAProxy, Envoy ext_authz over HTTP). 200 with the caller's identity in headers, or 401 or 403
// with a challenge (RFC 6750 §3).
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { invalidRequest } from '../../oauth/errors.ts'
import { insufficientScope, invalidToken } from '../../oauth/token-errors.ts'
import type { ClaimRules } from '../../oauth/claims.ts'
import { formatScope, isWithin, parseScope, scopeTokens } from '../../oauth/scope.ts'
import { audiencesOf, type AccessTokenClaims } from '../../tokens/access-token.ts'
import {
  createProxiedRequest,
  headerOf,
  type ProxiedRequestOptions,
} from '../callers/proxied-request.ts'
import { errors, TOKEN_REFUSED } from './openapi/schemas.ts'
import type { TokenHolder } from '../callers/token-holder.ts'

// OPTIONS, too: otherwise CORS would answer it for any page.
const METHODS = ['DELETE', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const

/** What the answer says about the caller. */
const IDENTITY_HEADERS = {
  'Latchkey-Sub': header("The user's stable id."),
  'Latchkey-Client-Id': header('The client that the token was issued to.'),
  'Latchkey-Sid': header('The session.'),
  'Latchkey-Scope': header('What the token allows, separated by spaces.'),
  'Latchkey-Username': header("The user's name, percent-encoded."),
  'Latchkey-Roles': header(
    'Roles: those that the configuration maps for the audience, or those that the ' +
      'user has now; each ' +
      'percent-encoded, separated by spaces.',
  ),
}

export interface VerifyRouteOptions {
  /** Which proxies may say what the original request was. */
  readonly http: ProxiedRequestOptions
  readonly tokenHolder: TokenHolder
  /** The rules of the claims that an audience is given. */
  readonly claimsFor: (audience: string) => ClaimRules
}

/** The endpoint, for whatever method and path the proxy passes on (Envoy appends the original path). */
export async function verifyRoute(
  app: FastifyInstance,
  { tokenHolder, http, claimsFor }: VerifyRouteOptions,
): Promise<void> {
  const proxiedRequest = createProxiedRequest(http, warnOnce())
  // A proxy may send the request's body along; it doesn't identify the caller.
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume()
    done(null)
  })

  const schema = {
    tags: ['OAuth 2.0'],
    summary: 'Tell a proxy whether a request has a valid access token',
    description:
      'The proxy names the audience in `Latchkey-Audience` and, if it requires ' +
      'one, the scope in `Latchkey-Required-Scope`. The headers of the answer ' +
      'say who the caller is.',
    operationId: 'verify',
    security: [{ user: [] }],
    headers: Type.Object({
      'Latchkey-Audience': Type.String({
        description: 'The audience that the token must be for.',
        examples: ['https://orders.example.com'],
      }),
      'Latchkey-Required-Scope': Type.Optional(
        Type.String({
          description: 'The scope that it must hold, separated by spaces.',
          examples: ['orders:read'],
        }),
      ),
    }),
    response: {
      200: {
        type: 'null',
        description: 'The request may pass.',
        headers: IDENTITY_HEADERS,
      },
      ...TOKEN_REFUSED,
      ...errors(400, 403, 429, 503),
    },
  }
  const handler = async (request: FastifyRequest, reply: Parameters<TokenHolder>[1]) => {
    const audience = headerOf(request, 'latchkey-audience')
    if (audience === undefined) {
      throw invalidRequest('the header Latchkey-Audience is missing')
    }
    const wanted = requiredScope(request)
    if (wanted === undefined) {
      throw invalidRequest('the header Latchkey-Required-Scope is malformed')
    }
    const { claims, user } = await tokenHolder(request, reply, {
      target: () => proxiedRequest(request),
    })
    const scheme = claims.cnf === undefined ? 'Bearer' : 'DPoP'
    if (!audiencesOf(claims).includes(audience)) {
      throw invalidToken('audience_wrong', scheme)
    }
    if (!isWithin(wanted, scopeTokens(claims.scope ?? ''))) {
      throw insufficientScope(formatScope(wanted), scheme)
    }
    // Roles that a rule gives are the audience's own; those of the account are shown as they are now.
    const roles = claimsFor(audience)['roles'] === undefined ? user?.roles : claims.roles
    return reply
      .headers({ ...identity(claims, user?.name, roles), 'cache-control': 'no-store' })
      .send()
  }
  // Documented only: the handler judges the headers.
  app.get('/verify', { schema, validatorCompiler: () => () => true }, handler)
  app.get('/verify/*', { schema: { hide: true } }, handler)
  for (const url of ['/verify', '/verify/*']) {
    app.route({
      method: [...METHODS],
      url,
      schema: { hide: true },
      handler,
    })
  }
}

function header(description: string) {
  return { type: 'string', description }
}

// Each header is always sent, so that none of the caller's own can pass for ours.
function identity(
  { sub, client_id: clientId, sid = '', scope = '' }: AccessTokenClaims,
  name = '',
  roles: readonly string[] = [],
): Record<string, string> {
  return {
    'latchkey-sub': sub,
    'latchkey-client-id': clientId,
    'latchkey-sid': sid,
    'latchkey-scope': scope,
    // A header holds ASCII; names and roles may hold anything.
    'latchkey-username': encode(name),
    'latchkey-roles': roles.map(encode).join(' '),
  }
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function requiredScope(request: FastifyRequest): readonly string[] | undefined {
  const scope = headerOf(request, 'latchkey-required-scope')
  return scope === undefined ? [] : parseScope(scope)
}

// A hint for operators whose proxy has all bound tokens refused.
function warnOnce(): (request: FastifyRequest) => void {
  let isLogged = false
  return ({ log }) => {
    if (isLogged) return
    isLogged = true
    log.warn(
      'a proxy asks /verify about a token that is bound to a key (DPoP), and ' +
        'http.proxyHeaders is not set: ' +
        'such tokens are refused; set it to original or forwarded, as docs/proxies.md says',
    )
  }
}
