// /verify, as a proxy asks it: RFC 6750 challenges, identity headers. Proofs: proxies.test.ts.
import t from 'tap'
import { MAIL, ORDERS, PASSWORD } from '../support/app.ts'
import { refused, serverOn, STORES } from './helpers.ts'

const challenge = (scheme: string, error: string, more = '') =>
  new RegExp(`^${scheme} realm="latchkey", error="${error}"${more}`)

for (const store of STORES) {
  t.test(`/verify on ${store}`, async t => {
    const server = await serverOn(t, store)
    const { access_token: token } = await server.login({
      scope: 'profile orders:read',
      resource: ORDERS,
    })
    const ask = (
      headers: Record<string, string>,
      method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' = 'GET',
      url = '/verify',
    ) =>
      server.app.inject({
        method,
        url,
        headers: {
          'latchkey-audience': ORDERS,
          authorization: `Bearer ${token}`,
          ...headers,
        },
      })

    t.test('a good token: 200, and who it is', async t => {
      await server.accounts.add({
        name: 'Zoë',
        password: PASSWORD,
        scopes: null,
        roles: [],
      })
      // Roles that were kept before there was a rule for them.
      const zoe = await server.store.directory.byName('zoë')
      await server.store.subjects.setAccess(String(zoe?.tag), {
        scopes: null,
        roles: ['a b', '\uD800'],
      })
      const answer = await ask({})
      t.equal(answer.statusCode, 200)
      t.equal(answer.body, '')
      t.equal(answer.headers['cache-control'], 'no-store')
      const { sub, sid } = JSON.parse(
        Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
      )
      t.match(answer.headers, {
        'latchkey-sub': sub,
        'latchkey-client-id': 'mobile',
        'latchkey-sid': sid,
        'latchkey-scope': 'profile orders:read',
        'latchkey-username': 'alice',
        'latchkey-roles': 'buyer',
      })
      const other = await server.login({ username: 'Zoë', resource: ORDERS })
      t.match((await ask({ authorization: `Bearer ${other.access_token}` })).headers, {
        'latchkey-username': 'Zo%C3%AB',
        'latchkey-roles': 'a%20b %EF%BF%BD',
      })
      const bare = (
        await server.post('/token', {
          grant_type: 'password',
          client_id: 'bare',
          username: 'alice',
          password: PASSWORD,
        })
      ).json()
      t.equal(
        (
          await ask({
            authorization: `Bearer ${bare.access_token}`,
            'latchkey-audience': 'https://id.example.com',
          })
        ).headers['latchkey-scope'],
        '',
        'each header is always there',
      )
    })

    t.test('whatever method, path and body the proxy passes on', async t => {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
        t.equal((await ask({}, method)).statusCode, 200, method)
        t.equal(
          (await ask({}, method, '/verify/orders/1?latchkey-audience=x')).statusCode,
          200,
          `${method} below`,
        )
      }
      const withBody = await server.app.inject({
        method: 'POST',
        url: '/verify',
        headers: {
          'latchkey-audience': ORDERS,
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
        },
        payload: '{"half":',
      })
      t.equal(withBody.statusCode, 200)
    })

    t.test('what the proxy asks for is asked of the token', async t => {
      t.equal(
        (await ask({ 'latchkey-required-scope': 'orders:read profile' })).statusCode,
        200,
      )
      refused(t, await ask({ 'latchkey-required-scope': 'orders:write orders:read' }), {
        status: 403,
        error: 'insufficient_scope',
        challenge: challenge(
          'Bearer',
          'insufficient_scope',
          ', scope="orders:write orders:read"',
        ),
      })
      refused(t, await ask({ 'latchkey-required-scope': 'or"ders' }), {
        status: 400,
        error: 'invalid_request',
      })
      refused(t, await ask({ 'latchkey-audience': MAIL }), {
        status: 401,
        error: 'invalid_token',
        challenge: challenge('Bearer', 'invalid_token'),
      })
      refused(t, await ask({ 'latchkey-audience': '' }), {
        status: 400,
        error: 'invalid_request',
      })
    })

    t.test('no token, a bad one, a dead one', async t => {
      refused(t, await ask({ authorization: '' }), {
        status: 401,
        error: 'invalid_token',
        challenge: /^Bearer realm="latchkey"$/,
      })
      refused(t, await ask({ authorization: `Bearer ${token.slice(0, -4)}AAAA` }), {
        status: 401,
        error: 'invalid_token',
        challenge: challenge('Bearer', 'invalid_token'),
      })
      const { access_token: dead, refresh_token: session } = await server.login()
      await server.post('/revoke', { client_id: 'mobile', token: session })
      refused(t, await ask({ authorization: `Bearer ${dead}` }), {
        status: 401,
        error: 'invalid_token',
        challenge: challenge('Bearer', 'invalid_token'),
      })
    })
  })
}
