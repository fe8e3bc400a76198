// Node's OAuth clients, none of them ours, against the real process on both stores: every grant, every way of
// client authentication.
import { calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { ResourceOwnerPassword, type ModuleOptions } from 'simple-oauth2'
import t, { type Test } from 'tap'
import { proves } from '../support/interop.ts'
import {
  API_SECRET,
  CLIENTS,
  ORDERS,
  PASSWORD,
  sha256Line,
  startLatchkey,
  STORES,
  USER,
  WEB_SECRET,
} from '../support/server.ts'

const SCOPE = 'profile orders:read orders:write'
const CREDENTIALS = { username: USER, password: PASSWORD }
const ODD_ID = 'odd id:+%&='

const signing = await generateKeyPair('ES256', { extractable: true })
const signer = {
  ...CLIENTS[0],
  id: 'signer',
  keys: [{ ...(await exportJWK(signing.publicKey)), alg: 'ES256' }],
}

const DEAD = { active: false }
const INVALID_GRANT = {
  code: 'OAUTH_RESPONSE_BODY_ERROR',
  error: 'invalid_grant',
  status: 400,
  error_description: String,
}

/** What the library throws: its own class, with the answer's facts in it. */
async function rejects(
  t: Test,
  answer: Promise<unknown>,
  expected: object,
): Promise<void> {
  t.match(
    await answer.then(
      () => 'no error',
      error => error,
    ),
    expected,
  )
}

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const clients = [
      ...CLIENTS,
      { ...CLIENTS[0], id: ODD_ID, secrets: [sha256Line(WEB_SECRET)] },
      signer,
    ]
    const server = await startLatchkey({ storeUrl: store.url, config: { clients } })
    t.teardown(() => server.stop())
    const issuer = new URL(server.url)

    for (const algorithm of ['oauth2', 'oidc'] as const) {
      const discover = (id: string, authentication: openid.ClientAuth) =>
        openid.discovery(issuer, id, undefined, authentication, {
          algorithm,
          execute: [openid.allowInsecureRequests],
        })

      t.test(`openid-client, which found the server by ${algorithm}`, async t => {
        proves(
          t,
          'openid-client',
          'login',
          'refresh',
          'revoke',
          'introspect',
          'private_key_jwt',
        )
        for (const [how, id, authentication] of [
          ['client_secret_basic', 'web', openid.ClientSecretBasic(WEB_SECRET)],
          [
            'client_secret_basic with an odd id',
            ODD_ID,
            openid.ClientSecretBasic(WEB_SECRET),
          ],
          ['client_secret_post', 'web', openid.ClientSecretPost(WEB_SECRET)],
          ['private_key_jwt', 'signer', openid.PrivateKeyJwt(signing.privateKey)],
          ['none', 'mobile', openid.None()],
        ] as const) {
          const client = await discover(id, authentication)
          const tokens = await openid.genericGrantRequest(client, 'password', {
            ...CREDENTIALS,
            scope: 'profile orders:read',
            resource: ORDERS,
          })
          t.match(
            tokens,
            {
              token_type: 'bearer',
              scope: 'profile orders:read',
              expires_in: 600,
              refresh_token: /^rt_/,
            },
            how,
          )
          t.ok(Number(tokens.expiresIn()) > 590, 'counted from the answer')
          t.equal(tokens.claims(), undefined, 'no ID token')
          const { sub = '', ...claims } = decodeJwt(tokens.access_token)
          t.match(claims, {
            iss: server.url,
            aud: ORDERS,
            client_id: id,
            scope: 'profile orders:read',
          })
          t.strictSame(await openid.fetchUserInfo(client, tokens.access_token, sub), {
            sub,
            preferred_username: USER,
            roles: ['buyer'],
          })

          const refreshed = await openid.refreshTokenGrant(
            client,
            tokens.refresh_token ?? '',
            { scope: 'profile' },
          )
          t.match(
            refreshed,
            {
              token_type: 'bearer',
              scope: 'profile',
              expires_in: 600,
              refresh_token: /^rt_/,
            },
            how,
          )
          t.not(refreshed.refresh_token, tokens.refresh_token)

          const api = await discover('orders-api', openid.ClientSecretBasic(API_SECRET))
          t.match(await openid.tokenIntrospection(api, refreshed.access_token), {
            active: true,
            sub,
            client_id: id,
            username: USER,
            scope: 'profile',
            token_type: 'Bearer',
          })
          t.equal(
            await openid.tokenRevocation(client, refreshed.refresh_token ?? ''),
            undefined,
          )
          t.strictSame(
            await openid.tokenIntrospection(api, refreshed.access_token),
            DEAD,
            'the access token dies with its session',
          )
          await rejects(
            t,
            openid.refreshTokenGrant(client, refreshed.refresh_token ?? ''),
            INVALID_GRANT,
          )
          await rejects(t, openid.fetchUserInfo(client, tokens.access_token, sub), {
            status: 401,
            cause: [{ scheme: 'bearer', parameters: { error: 'invalid_token' } }],
          })
        }
        const stranger = await discover('web', openid.ClientSecretBasic('wrong'))
        await rejects(t, openid.genericGrantRequest(stranger, 'password', CREDENTIALS), {
          status: 401,
          cause: [{ scheme: 'basic', parameters: { realm: 'latchkey' } }],
        })
        const mobile = await discover('mobile', openid.None())
        await rejects(
          t,
          openid.genericGrantRequest(mobile, 'password', {
            ...CREDENTIALS,
            password: 'wrong',
          }),
          INVALID_GRANT,
        )
        await rejects(
          t,
          openid.genericGrantRequest(mobile, 'password', {
            ...CREDENTIALS,
            resource: 'https://elsewhere.example.com',
          }),
          { error: 'invalid_target', status: 400 },
        )
        await rejects(t, openid.clientCredentialsGrant(mobile), {
          error: 'unauthorized_client',
          status: 400,
        })
      })
    }

    t.test(
      'openid-client with DPoP: every token is bound to a key of the client',
      async t => {
        proves(t, 'openid-client', 'dpop')
        const discover = (id: string, authentication: openid.ClientAuth) =>
          openid.discovery(issuer, id, undefined, authentication, {
            algorithm: 'oauth2',
            execute: [openid.allowInsecureRequests],
          })
        const [client, api] = [
          await discover('mobile', openid.None()),
          await discover('orders-api', openid.ClientSecretBasic(API_SECRET)),
        ]
        const [mine, other] = [
          await openid.randomDPoPKeyPair('ES256', { extractable: true }),
          await openid.randomDPoPKeyPair('ES256'),
        ]
        const DPoP = openid.getDPoPHandle(client, mine)
        const jkt = await calculateJwkThumbprint(await exportJWK(mine.publicKey))

        const tokens = await openid.genericGrantRequest(client, 'password', CREDENTIALS, {
          DPoP,
        })
        t.match(
          tokens,
          { token_type: 'dpop', scope: SCOPE, refresh_token: /^rt_/ },
          'after the nonce that it was asked for',
        )
        const { sub = '', cnf } = decodeJwt<{ cnf: unknown }>(tokens.access_token)
        t.strictSame(cnf, { jkt })
        t.match(await openid.fetchUserInfo(client, tokens.access_token, sub, { DPoP }), {
          sub,
          preferred_username: USER,
        })
        t.match(await openid.tokenIntrospection(api, tokens.access_token), {
          active: true,
          token_type: 'DPoP',
          cnf: { jkt },
        })
        await rejects(t, openid.fetchUserInfo(client, tokens.access_token, sub), {
          status: 401,
        })

        const thief = openid.getDPoPHandle(client, other)
        await rejects(
          t,
          openid.refreshTokenGrant(
            client,
            tokens.refresh_token ?? '',
            {},
            { DPoP: thief },
          ),
          INVALID_GRANT,
        )
        await rejects(t, openid.refreshTokenGrant(client, tokens.refresh_token ?? ''), {
          status: 400,
        })
        t.match(
          await openid.refreshTokenGrant(
            client,
            tokens.refresh_token ?? '',
            {},
            { DPoP },
          ),
          { token_type: 'dpop', refresh_token: /^rt_/ },
          'which did not hurt its owner',
        )
      },
    )

    t.test('oauth4webapi', async t => {
      proves(
        t,
        'oauth4webapi',
        'login',
        'refresh',
        'revoke',
        'introspect',
        'signed introspection',
        'private_key_jwt',
      )
      const insecure = { [oauth.allowInsecureRequests]: true }
      const as = await oauth.processDiscoveryResponse(
        issuer,
        await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
      )
      t.match(as, {
        issuer: server.url,
        grant_types_supported: ['password', 'refresh_token', 'client_credentials'],
        token_endpoint_auth_methods_supported: [
          'client_secret_basic',
          'client_secret_post',
          'private_key_jwt',
          'none',
        ],
      })
      const api = { client_id: 'orders-api' }
      const introspect = async (token: string) =>
        oauth.processIntrospectionResponse(
          as,
          api,
          await oauth.introspectionRequest(
            as,
            api,
            oauth.ClientSecretPost(API_SECRET),
            token,
            insecure,
          ),
        )
      // RFC 9701, which this client asks for unless it is told not to; it checks type, issuer and audience,
      // and here the signature.
      const introspectSigned = async (token: string) => {
        const signedApi = { ...api, introspection_signed_response_alg: 'ES256' }
        const answer = await oauth.introspectionRequest(
          as,
          signedApi,
          oauth.ClientSecretPost(API_SECRET),
          token,
          { ...insecure, requestJwtResponse: true },
        )
        const found = await oauth.processIntrospectionResponse(as, signedApi, answer)
        await oauth.validateApplicationLevelSignature(as, answer, insecure)
        return found
      }

      for (const [how, id, authentication] of [
        ['client_secret_basic', 'web', oauth.ClientSecretBasic(WEB_SECRET)],
        ['client_secret_post', ODD_ID, oauth.ClientSecretPost(WEB_SECRET)],
        ['private_key_jwt', 'signer', oauth.PrivateKeyJwt(signing.privateKey)],
        ['none', 'mobile', oauth.None()],
      ] as const) {
        const client = { client_id: id }
        const refresh = async (token: string) =>
          oauth.processRefreshTokenResponse(
            as,
            client,
            await oauth.refreshTokenGrantRequest(
              as,
              client,
              authentication,
              token,
              insecure,
            ),
          )

        const tokens = await oauth.processGenericTokenEndpointResponse(
          as,
          client,
          await oauth.genericTokenEndpointRequest(
            as,
            client,
            authentication,
            'password',
            CREDENTIALS,
            insecure,
          ),
        )
        t.match(
          tokens,
          {
            token_type: 'bearer',
            scope: SCOPE,
            expires_in: 600,
            refresh_token: /^rt_/,
          },
          how,
        )
        const { sub = '', sid } = decodeJwt(tokens.access_token)
        t.strictSame(
          await oauth.processUserInfoResponse(
            as,
            client,
            sub,
            await oauth.userInfoRequest(as, client, tokens.access_token, insecure),
          ),
          { sub, preferred_username: USER, roles: ['buyer'] },
        )

        const refreshed = await refresh(tokens.refresh_token ?? '')
        t.match(refreshed, { token_type: 'bearer', scope: SCOPE, refresh_token: /^rt_/ })
        t.match(
          await introspect(tokens.access_token),
          {
            active: true,
            sub,
            sid,
            client_id: id,
            aud: ORDERS,
          },
          'both access tokens live',
        )
        t.match(await introspect(refreshed.access_token), {
          active: true,
          sub,
          sid,
          client_id: id,
          aud: ORDERS,
        })
        t.match(await introspectSigned(refreshed.access_token), {
          active: true,
          sub,
          sid,
          client_id: id,
          aud: ORDERS,
        })
        t.strictSame(await introspectSigned('unknown'), DEAD)

        const revoke = async (token: string) =>
          oauth.processRevocationResponse(
            await oauth.revocationRequest(as, client, authentication, token, insecure),
          )
        t.equal(await revoke(tokens.access_token), undefined)
        t.strictSame(
          [
            await introspect(tokens.access_token),
            (await introspect(refreshed.access_token)).active,
          ],
          [DEAD, true],
          'one access token dies alone',
        )
        t.equal(await revoke(refreshed.refresh_token ?? ''), undefined)
        t.strictSame(await introspect(refreshed.access_token), DEAD)
        await rejects(t, refresh(refreshed.refresh_token ?? ''), INVALID_GRANT)
        t.equal(await revoke('unknown'), undefined)
      }
      const web = { client_id: 'web' }
      const refused = await oauth.genericTokenEndpointRequest(
        as,
        web,
        oauth.ClientSecretPost('wrong'),
        'password',
        CREDENTIALS,
        insecure,
      )
      await rejects(t, oauth.processGenericTokenEndpointResponse(as, web, refused), {
        status: 401,
        cause: [{ scheme: 'basic' }],
      })
      const foreign = await oauth.introspectionRequest(
        as,
        web,
        oauth.ClientSecretBasic('wrong'),
        'unknown',
        insecure,
      )
      await rejects(t, oauth.processIntrospectionResponse(as, web, foreign), {
        status: 401,
        cause: [{ scheme: 'basic' }],
      })
    })

    t.test(
      'oauth4webapi with DPoP, which has to ask for the nonce by itself',
      async t => {
        proves(t, 'oauth4webapi', 'dpop')
        const insecure = { [oauth.allowInsecureRequests]: true }
        const as = await oauth.processDiscoveryResponse(
          issuer,
          await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
        )
        const client = { client_id: 'mobile' }
        const keyPair = await oauth.generateKeyPair('ES256')
        const DPoP = oauth.DPoP({}, keyPair)
        const logIn = async () =>
          oauth.processGenericTokenEndpointResponse(
            as,
            client,
            await oauth.genericTokenEndpointRequest(
              as,
              client,
              oauth.None(),
              'password',
              CREDENTIALS,
              { DPoP, ...insecure },
            ),
          )

        const demand = await logIn().then(
          () => 'no error',
          error => error,
        )
        t.ok(oauth.isDPoPNonceError(demand), 'a nonce is demanded')
        const tokens = await logIn()
        t.match(tokens, { token_type: 'dpop', refresh_token: /^rt_/ }, 'and taken')
        const refreshed = await oauth.processRefreshTokenResponse(
          as,
          client,
          await oauth.refreshTokenGrantRequest(
            as,
            client,
            oauth.None(),
            tokens.refresh_token ?? '',
            { DPoP, ...insecure },
          ),
        )
        t.match(decodeJwt(refreshed.access_token), {
          cnf: { jkt: await calculateJwkThumbprint(await exportJWK(keyPair.publicKey)) },
        })
        const { sub = '' } = decodeJwt(refreshed.access_token)
        t.match(
          await oauth.processUserInfoResponse(
            as,
            client,
            sub,
            await oauth.userInfoRequest(as, client, refreshed.access_token, {
              DPoP,
              ...insecure,
            }),
          ),
          { sub },
        )

        // What a resource server of this library makes of the token and of a proof for its own URL.
        const verify = (headers: Record<string, string>) =>
          oauth.validateJwtAccessToken(
            as,
            new Request(ORDERS, { headers }),
            ORDERS,
            insecure,
          )
        let sent: Record<string, string> = {}
        await oauth.protectedResourceRequest(
          refreshed.access_token,
          'GET',
          new URL(ORDERS),
          undefined,
          null,
          {
            DPoP,
            async [oauth.customFetch](_url, { headers }) {
              sent = headers
              return new Response()
            },
          },
        )
        t.match(await verify(sent), { sub })
        await rejects(t, verify({ authorization: `Bearer ${refreshed.access_token}` }), {
          code: /^OAUTH_/,
        })
      },
    )

    t.test('simple-oauth2', async t => {
      proves(t, 'simple-oauth2', 'login', 'refresh', 'revoke')
      for (const [how, id, secret, authorizationMethod] of [
        ['client_secret_basic', 'web', WEB_SECRET, 'header'],
        ['client_secret_basic with an odd id', ODD_ID, WEB_SECRET, 'header'],
        ['client_secret_post', 'web', WEB_SECRET, 'body'],
        ['none, as Basic with an empty secret', 'mobile', '', 'header'],
        ['none, with an empty client_secret', 'mobile', '', 'body'],
      ] as const) {
        const options: ModuleOptions = {
          client: { id, secret },
          auth: { tokenHost: server.url, tokenPath: '/token', revokePath: '/revoke' },
          options: { authorizationMethod },
        }
        const client = new ResourceOwnerPassword(options)
        const first = await client.getToken({
          ...CREDENTIALS,
          scope: ['profile', 'orders:read'],
        })
        t.match(
          first.token,
          {
            token_type: 'Bearer',
            scope: 'profile orders:read',
            expires_in: 600,
            expires_at: Date,
          },
          how,
        )
        t.notOk(first.expired())
        const second = await first.refresh({ scope: ['profile'] })
        t.match(second.token, {
          token_type: 'Bearer',
          scope: 'profile',
          refresh_token: /^rt_/,
        })
        t.ok(second.expired(600), 'its expiry is counted from expires_in')

        await second.revokeAll()
        await rejects(t, second.refresh(), {
          output: { statusCode: 400 },
          data: { payload: { error: 'invalid_grant' } },
        })
        await rejects(
          t,
          client.getToken({ username: USER, password: 'wrong', scope: [] }),
          { output: { statusCode: 400 }, data: { payload: { error: 'invalid_grant' } } },
        )
        const stranger = new ResourceOwnerPassword({
          ...options,
          client: { id, secret: 'wrong' },
        })
        await rejects(t, stranger.getToken({ ...CREDENTIALS, scope: [] }), {
          output: { statusCode: 401 },
          data: { payload: { error: 'invalid_client' } },
        })
      }
    })

    t.test('and the log tells of no fault', async t => {
      const faults = server.lines.filter(line => /"level":(50|60)/.test(line))
      // A busy machine's Redis may not answer the server in time; it asks again.
      t.strictSame(
        faults.filter(line => !/no answer within \d+ ms/.test(line)),
        [],
      )
    })
  })
}
