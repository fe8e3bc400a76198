// `compat.keycloak`: the paths of a realm are our endpoints under another name, and a logout with a refresh
// token ends its session, both by the rules of the endpoint.
import t from 'tap'
import { basic, refused, serverOn, STORES } from '../conformance/helpers.ts'
import { API_SECRET, buildTestApp, ISSUER, PASSWORD } from '../support/app.ts'

const compat = { json: false, paths: {}, keycloak: 'main', sunset: '2027-03-31' }
const REALM = '/realms/main'
const OIDC = `${REALM}/protocol/openid-connect`
const login = {
  grant_type: 'password',
  client_id: 'mobile',
  username: 'alice',
  password: PASSWORD,
}

for (const store of STORES) {
  t.test(`a session by the paths of Keycloak on ${store}`, async t => {
    const { app, post } = await serverOn(t, store, { compat })
    const got = await post(`${OIDC}/token`, { ...login, scope: 'profile' })
    t.equal(got.statusCode, 200, got.body)
    t.equal(got.headers['sunset'], 'Wed, 31 Mar 2027 00:00:00 GMT')
    const { access_token: token, refresh_token: first } = got.json()
    const me = await app.inject({
      url: `${OIDC}/userinfo`,
      headers: { authorization: `Bearer ${token}` },
    })
    t.equal(me.json().preferred_username, 'alice')
    const introspect = async () =>
      (
        await post(`${OIDC}/token/introspect`, { token }, basic('orders-api', API_SECRET))
      ).json().active
    t.equal(await introspect(), true)
    const refreshed = await post(`${OIDC}/token`, {
      grant_type: 'refresh_token',
      client_id: 'mobile',
      refresh_token: first,
    })
    const { refresh_token: second } = refreshed.json()
    const end = (form: Record<string, string>) => post(`${OIDC}/logout`, form)
    refused(t, await end({ refresh_token: second, client_id: 'once' }), {
      status: 400,
      error: 'invalid_grant',
    })
    t.equal(await introspect(), true, 'another client ends nothing')
    const ended = await end({ refresh_token: second, client_id: 'mobile' })
    t.equal(ended.statusCode, 204)
    t.equal(ended.body, '')
    t.equal(ended.headers['cache-control'], 'no-store')
    t.equal(ended.headers['sunset'], 'Wed, 31 Mar 2027 00:00:00 GMT')
    t.equal(await introspect(), false, 'the session is over')
    t.equal((await end({ refresh_token: second, client_id: 'mobile' })).statusCode, 204)
    const { access_token: other } = (await post(`${OIDC}/token`, login)).json()
    const revoked = await post(`${OIDC}/revoke`, { token: other, client_id: 'mobile' })
    t.equal(revoked.statusCode, 200)
  })
}

t.test('documents are ours, and each use but a fetch of keys is counted', async t => {
  const { app, post, metrics, close } = await buildTestApp({ compat })
  t.teardown(close)
  const get = async (url: string) => (await app.inject(url)).json()
  t.same(await get(`${OIDC}/certs`), await get('/.well-known/jwks.json'))
  const discovery = '/.well-known/openid-configuration'
  t.same(await get(`${REALM}${discovery}`), await get(discovery))
  await post(`${OIDC}/token`, login)
  await post(`${OIDC}/logout`, { client_id: 'mobile', refresh_token: 'x' })
  const auth = await app.inject(`${OIDC}/auth?response_type=code`)
  refused(t, auth, { status: 400, error: 'unsupported_response_type' })
  t.match(
    await metrics.render(),
    /^latchkey_compat_requests_total\{switch="keycloak"\} 4$/m,
  )
  t.match(await metrics.render(), /^latchkey_compat_requests_total\{switch="path"\} 0$/m)
})

t.test('nothing is softened', async t => {
  const { app, post, close } = await buildTestApp({ compat })
  t.teardown(close)
  const logout = `${OIDC}/logout`
  const rows: [form: Record<string, string>, status: number, error: string][] = [
    [{}, 401, 'invalid_client'],
    [{ refresh_token: 'x' }, 401, 'invalid_client'],
    [{ client_id: 'mobile' }, 400, 'invalid_request'],
    [{ client_id: 'web', refresh_token: 'x' }, 401, 'invalid_client'],
  ]
  for (const [form, status, error] of rows) {
    refused(t, await post(logout, form), { status, error }, JSON.stringify(form))
  }
  refused(t, await app.inject(logout), { status: 405, error: 'invalid_request' })
  for (const url of [`/realms/other/protocol/openid-connect/token`, REALM, '/realms']) {
    refused(t, await post(url, login), { status: 404, error: 'not_found' }, url)
  }
  const document = (await app.inject('/openapi.json')).body
  t.notMatch(document, 'realms', 'the document names our own paths only')
})

t.test('an issuer that is the realm keeps `iss` and discovery', async t => {
  const issuer = `${ISSUER}${REALM}`
  const { app, post, close } = await buildTestApp({ compat, issuer })
  t.teardown(close)
  const document = await app.inject(`${REALM}/.well-known/openid-configuration`)
  t.equal(document.json().issuer, issuer)
  t.equal((await post(`${OIDC}/token`, login)).statusCode, 200)
})

t.test('without the switch there is no such path', async t => {
  const { post, close } = await buildTestApp()
  t.teardown(close)
  for (const path of ['token', 'logout']) {
    refused(t, await post(`${OIDC}/${path}`, login), { status: 404, error: 'not_found' })
  }
})
