// What clients fetch to know the rest: the metadata (RFC 8414).
import type { FastifyInstance } from 'fastify'
import { GRANTS } from '../../grants/all.ts'
import { JOSE_NAMES } from '../../oauth/algorithms.ts'
import { documentSchema } from './schemas.ts'

/** How long a copy may be kept, in seconds. */
const METADATA_MAX_AGE = 3600

export interface MetadataRouteOptions {
  readonly issuer: string
  /** The issuer's path, without a slash at its end; empty where it has none. */
  readonly path: string
  readonly scopes: () => readonly string[]
  /** What signs now where nothing else is asked for. */
  readonly algorithm: () => string
  readonly docs: boolean
}

/**
 * The metadata. Below the issuer's path (OIDC Discovery §4) and with the path behind them (RFC 8414 §3.1):
 * both forms of the URL are asked for.
 */
export async function metadataRoutes(
  app: FastifyInstance,
  { issuer, path, scopes, algorithm, docs }: MetadataRouteOptions,
): Promise<void> {
  for (const name of ['oauth-authorization-server', 'openid-configuration']) {
    for (const behind of new Set(['', path])) {
      const schema = {
        ...documentSchema('Metadata', "The server's metadata", name),
        hide: behind !== '',
      }
      app.get(`/.well-known/${name}${behind}`, { schema }, async (_request, reply) => {
        reply.header('cache-control', `public, max-age=${METADATA_MAX_AGE}`)
        return metadata({
          issuer,
          scopes: scopes(),
          algorithm: algorithm(),
          docs,
        })
      })
    }
  }
}

// RFC 8414 §2. `response_types_supported` is required there; without an authorization endpoint there are
// none.
function metadata({
  issuer,
  scopes,
  algorithm,
  docs,
}: {
  issuer: string
  scopes: readonly string[]
  algorithm: string
  docs: boolean
}) {
  const base = issuer.replace(/\/$/, '')
  const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
  return {
    issuer,
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
    claims_supported: ['sub', 'preferred_username', 'roles'],
    ...(docs && { service_documentation: `${base}/docs` }),
  }
}
