// OpenID Connect's clients in Node, none of them ours, against the real process: they log in with `openid`
// and verify the ID token by discovery.
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import t from 'tap'
import { idTokensFor, OPENID_CLIENTS, PORTAL } from '../support/id-tokens.ts'
import { proves } from '../support/interop.ts'
import { startIssuer } from '../support/resource-server.ts'
import { PASSWORD, USER } from '../support/server.ts'

const CREDENTIALS = { username: USER, password: PASSWORD, scope: 'openid profile' }
const { latchkey, storeUrl } = await startIssuer(t, {
  config: { clients: OPENID_CLIENTS },
})

t.test('openid-client logs in, refreshes and compares with /userinfo', async t => {
  proves(t, 'openid-client', 'id token')
  const client = await openid.discovery(
    new URL(latchkey.url),
    PORTAL,
    undefined,
    openid.None(),
    // The signature, too: over a connection that is trusted it needn't be looked at.
    { execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks] },
  )
  const tokens = await openid.genericGrantRequest(client, 'password', CREDENTIALS)
  const claims = tokens.claims()
  t.match(claims, { aud: PORTAL, preferred_username: USER, at_hash: String })
  const userinfo = await openid.fetchUserInfo(
    client,
    tokens.access_token,
    claims?.sub ?? 'nobody',
  )
  t.match(claims, userinfo)
  const again = await openid.refreshTokenGrant(client, tokens.refresh_token ?? '')
  t.match(again.claims(), { sub: claims?.sub, auth_time: claims?.['auth_time'] })
})

t.test('oauth4webapi judges ID tokens', async t => {
  proves(t, 'oauth4webapi', 'id token')
  const url = new URL(latchkey.url)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const as = await oauth.processDiscoveryResponse(
    url,
    await oauth.discoveryRequest(url, insecure),
  )
  const { good, access, control, bad } = await idTokensFor(latchkey, storeUrl)
  const client = { client_id: PORTAL }
  /** Has it judge an answer of the token endpoint with this ID token. */
  const judge = async (idToken: string) => {
    const answer = Response.json({
      access_token: access,
      token_type: 'Bearer',
      id_token: idToken,
    })
    await oauth.processGenericTokenEndpointResponse(as, client, answer)
    await oauth.validateApplicationLevelSignature(as, answer, insecure)
  }
  await t.resolves(judge(good))
  await t.resolves(judge(control))
  for (const [name, token] of Object.entries(bad)) {
    // RFC 7519 §5.1: the type is optional.
    if (name === 'without a type' || name === 'of another type') continue
    const said = await judge(token).then(
      () => 'taken',
      ({ code }) => code,
    )
    t.match(said, /^OAUTH_/, name)
  }
  t.equal(decodeJwt(good).aud, PORTAL)
})
