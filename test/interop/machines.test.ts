// Node's OAuth clients, none of them ours, as machines: the client credentials grant against the real process
// on both stores.
import { decodeJwt, exportJWK, generateKeyPair } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { ClientCredentials } from 'simple-oauth2'
import t from 'tap'
import { proves } from '../support/interop.ts'
import { machines, SCOPE } from '../support/machines.ts'
import { ORDERS, startLatchkey, STORES, WEB_SECRET } from '../support/server.ts'

const signing = await generateKeyPair('ES256', { extractable: true })
const clients = machines(WEB_SECRET, {
  ...(await exportJWK(signing.publicKey)),
  alg: 'ES256',
})
const NARROW = 'orders:read'

for (const { name, make } of STORES) {
  t.test(`on ${name}`, async t => {
    const store = await make()
    t.teardown(() => store.remove())
    const server = await startLatchkey({
      storeUrl: store.url,
      config: { clients },
      addUser: false,
    })
    t.teardown(() => server.stop())
    const issuer = new URL(server.url)
    const claimsOf = (id: string, scope: string) => ({
      iss: server.url,
      sub: id,
      client_id: id,
      aud: ORDERS,
      scope,
      sid: undefined,
    })

    t.test('openid-client', async t => {
      proves(t, 'openid-client', 'client_credentials')
      for (const [how, id, authentication] of [
        ['client_secret_basic', 'machine', openid.ClientSecretBasic(WEB_SECRET)],
        ['client_secret_post', 'machine', openid.ClientSecretPost(WEB_SECRET)],
        ['private_key_jwt', 'signing-machine', openid.PrivateKeyJwt(signing.privateKey)],
      ] as const) {
        const client = await openid.discovery(issuer, id, undefined, authentication, {
          execute: [openid.allowInsecureRequests],
        })
        const tokens = await openid.clientCredentialsGrant(client, {
          scope: NARROW,
          resource: ORDERS,
        })
        t.match(tokens, { token_type: 'bearer', expires_in: 600, scope: NARROW }, how)
        t.equal(tokens.refresh_token, undefined)
        t.match(decodeJwt(tokens.access_token), claimsOf(id, NARROW))
        t.match(await openid.tokenIntrospection(client, tokens.access_token), {
          active: true,
          sub: id,
        })
        await openid.tokenRevocation(client, tokens.access_token)
        t.same(await openid.tokenIntrospection(client, tokens.access_token), {
          active: false,
        })
      }
    })

    t.test('oauth4webapi', async t => {
      proves(t, 'oauth4webapi', 'client_credentials')
      const insecure = { [oauth.allowInsecureRequests]: true }
      const as = await oauth.processDiscoveryResponse(
        issuer,
        await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
      )
      for (const [how, id, authentication] of [
        ['client_secret_basic', 'machine', oauth.ClientSecretBasic(WEB_SECRET)],
        ['client_secret_post', 'machine', oauth.ClientSecretPost(WEB_SECRET)],
        ['private_key_jwt', 'signing-machine', oauth.PrivateKeyJwt(signing.privateKey)],
      ] as const) {
        const client = { client_id: id }
        const tokens = await oauth.processClientCredentialsResponse(
          as,
          client,
          await oauth.clientCredentialsGrantRequest(
            as,
            client,
            authentication,
            {},
            insecure,
          ),
        )
        t.match(tokens, { token_type: 'bearer', expires_in: 600, scope: SCOPE }, how)
        t.equal(tokens.refresh_token, undefined)
        const request = new Request(ORDERS, {
          headers: { authorization: `Bearer ${tokens.access_token}` },
        })
        t.match(
          await oauth.validateJwtAccessToken(as, request, ORDERS, insecure),
          claimsOf(id, SCOPE),
        )
      }
    })

    t.test('simple-oauth2', async t => {
      proves(t, 'simple-oauth2', 'client_credentials')
      for (const authorizationMethod of ['header', 'body'] as const) {
        const client = new ClientCredentials({
          client: { id: 'machine', secret: WEB_SECRET },
          auth: { tokenHost: server.url, tokenPath: '/token' },
          options: { authorizationMethod },
        })
        const { token, expired } = await client.getToken({ scope: [NARROW] })
        t.match(token, { token_type: 'Bearer', scope: NARROW, expires_in: 600 })
        t.match(decodeJwt(String(token['access_token'])), claimsOf('machine', NARROW))
        t.type(expired, 'function')
        const refusal = await client.getToken({ scope: 'admin' }).catch(error => error)
        t.match(refusal, {
          output: { statusCode: 400 },
          data: { payload: { error: 'invalid_scope' } },
        })
      }
    })

    t.test('and the log tells of no fault', async t => {
      t.strictSame(
        server.lines.filter(line => /"level":(50|60)/.test(line)),
        [],
      )
    })
  })
}
