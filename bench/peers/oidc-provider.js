// oidc-provider as a server of its own. A resource server of which it knows makes access tokens JWTs, signed
// with ES256. It has no password grant: one is registered as its documentation shows for grants of one's own.
import { randomBytes } from 'node:crypto'
import Provider, { errors } from 'oidc-provider'
import {
  ACCESS_SECONDS,
  audience,
  client,
  issuer,
  kid,
  port,
  privateKey,
  REFRESH_SECONDS,
  scope,
  userById,
  userByPassword,
} from './common.js'
import { RedisAdapter } from './redis-adapter.js'

const jwk = {
  ...privateKey.export({ format: 'jwk' }),
  kid,
  use: 'sig',
  alg: 'ES256',
}

const resourceServer = {
  scope,
  audience,
  accessTokenTTL: ACCESS_SECONDS,
  accessTokenFormat: 'jwt',
  jwt: { sign: { alg: 'ES256' } },
}

const provider = new Provider(issuer, {
  adapter: RedisAdapter,
  clients: [
    {
      client_id: client,
      token_endpoint_auth_method: 'none',
      grant_types: ['password', 'refresh_token'],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: { keys: [jwk] },
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  // The first has it offer refresh tokens.
  scopes: ['offline_access', ...scope.split(' ')],
  rotateRefreshToken: true,
  ttl: {
    AccessToken: ACCESS_SECONDS,
    Grant: REFRESH_SECONDS,
    RefreshToken: REFRESH_SECONDS,
  },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: async () => audience,
      useGrantedResource: async () => true,
      getResourceServerInfo: async () => resourceServer,
    },
  },
  async findAccount(_ctx, id) {
    const user = await userById(id)
    if (user === undefined) return undefined
    return { accountId: user.id, claims: async () => ({ sub: user.id }) }
  },
})

async function passwordGrant(ctx) {
  const { params, client: asking } = ctx.oidc
  const user = await userByPassword(params.username, params.password)
  if (user === undefined) throw new errors.InvalidGrant('invalid credentials')
  const grant = new provider.Grant({ accountId: user.id, clientId: asking.clientId })
  grant.addResourceScope(audience, scope)
  const common = {
    accountId: user.id,
    client: asking,
    grantId: await grant.save(),
    gty: 'password',
    scope,
  }
  const access = new provider.AccessToken({
    ...common,
    resourceServer: new provider.ResourceServer(audience, resourceServer),
  })
  const refresh = new provider.RefreshToken({
    ...common,
    resource: audience,
    rotations: 0,
  })
  ctx.body = {
    access_token: await access.save(),
    token_type: access.tokenType,
    expires_in: access.expiration,
    refresh_token: await refresh.save(),
    scope,
  }
}

provider.registerGrantType('password', passwordGrant, ['username', 'password'])
provider.listen(port, '127.0.0.1')
