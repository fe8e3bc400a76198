// The metadata, from which clients learn all other addresses (RFC 8414, OpenID Connect Discovery).
import type { FastifyInstance } from 'fastify'
import { GRANTS } from '../../grants/all.ts'
import type { KeyRing } from '../../keys/ring.ts'
import { JOSE_NAMES } from '../../oauth/algorithms.ts'
import { claimsSupported } from '../../tokens/user-claims.ts'
import { authorizeRoute } from './authorize.ts'
import { documentSchema } from './openapi/schemas.ts'

/** How long a copy may be kept, in seconds. */
const METADATA_MAX_AGE = 3600

const MEMBERS = {
  issuer: {
    type: 'string',
    description: 'What stands in the claim `iss` of every token.',
  },
  token_endpoint: { type: 'string' },
  jwks_uri: { type: 'string' },
}
const EXAMPLE = {
  issuer: 'https://id.example.com',
  token_endpoint: 'https://id.example.com/token',
  jwks_uri: 'https://id.example.com/.well-known/jwks.json',
}

export interface MetadataRouteOptions {
  readonly issuer: string
  /** The issuer's path, without a slash at its end; empty where it has none. */
  readonly path: string
  readonly scopes: () => readonly string[]
  /** The attributes that the configuration declares. */
  readonly attributes: () => readonly string[]
  readonly keys: Pick<KeyRing, 'signingKey' | 'describe'>
  readonly docs: boolean
}

/**
 * The metadata. Below the issuer's path (OIDC Discovery §4) and with the path behind them (RFC 8414 §3.1):
 * both forms of the URL are asked for.
 */
export async function metadataRoutes(
  app: FastifyInstance,
  { issuer, path, scopes, attributes, keys, docs }: MetadataRouteOptions,
): Promise<void> {
  await app.register(authorizeRoute)
  for (const name of ['oauth-authorization-server', 'openid-configuration']) {
    for (const behind of new Set(['', path])) {
      const schema = {
        ...documentSchema({
          title: 'Metadata',
          summary: "The server's metadata",
          operationId: name,
          members: MEMBERS,
          example: EXAMPLE,
        }),
        hide: behind !== '',
      }
      app.get(`/.well-known/${name}${behind}`, { schema }, async (_request, reply) => {
        reply.header('cache-control', `public, max-age=${METADATA_MAX_AGE}`)
        return metadata({
          issuer,
          scopes: scopes(),
          claims: claimsSupported(attributes()),
          algorithm: keys.signingKey().alg,
          algorithms: algorithmsOf(keys),
          docs,
        })
      })
    }
  }
}

// Tokens that another key of the ring signed may still be valid.
function algorithmsOf(keys: MetadataRouteOptions['keys']): readonly string[] {
  return [...new Set(keys.describe().map(({ alg }) => alg))]
}

// RFC 8414 §2 and OpenID Connect Discovery §3. `response_types_supported` is required: there are none, and
// the authorization endpoint, which is required too, says so.
function metadata({
  issuer,
  scopes,
  claims,
  algorithm,
  algorithms,
  docs,
}: {
  issuer: string
  scopes: readonly string[]
  claims: readonly string[]
  algorithm: string
  algorithms: readonly string[]
  docs: boolean
}) {
  const base = issuer.replace(/\/$/, '')
  const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
  return {
    issuer,
    authorization_endpoint: `${base}/authorize`,
    token_endpoint: `${base}/token`,
    jwks_uri: `${base}/.well-known/jwks.json`,
    introspection_endpoint: `${base}/introspect`,
    revocation_endpoint: `${base}/revoke`,
    status_list_aggregation_endpoint: `${base}/status`,
    userinfo_endpoint: `${base}/userinfo`,
    grant_types_supported: GRANTS.map(({ type }) => type),
    response_types_supported: [],
    token_endpoint_auth_methods_supported: [...methods, 'none'],
    token_endpoint_auth_signing_alg_values_supported: JOSE_NAMES,
    introspection_signing_alg_values_supported: [algorithm],
    introspection_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_signing_alg_values_supported: JOSE_NAMES,
    revocation_endpoint_auth_methods_supported: [...methods, 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: JOSE_NAMES,
    scopes_supported: scopes,
    dpop_signing_alg_values_supported: JOSE_NAMES,
    subject_types_supported: ['public'],
    // Verifiers that know OpenID Connect take tokens of these algorithms, and of RS256 alone without it.
    id_token_signing_alg_values_supported: algorithms,
    userinfo_signing_alg_values_supported: algorithms,
    claims_supported: claims,
    ...(docs && { service_documentation: `${base}/docs` }),
  }
}
