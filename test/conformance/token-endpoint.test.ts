// RFC 6749 §2.3.1, §3.2, §4.3 and §5, and RFC 8707, at POST /token.
import t from 'tap'
import { ISSUER, MAIL, ORDERS, PASSWORD } from '../support/app.ts'
import {
  audited,
  basic,
  FORM,
  rawBasic,
  read,
  refused,
  serverOn,
  STORES,
} from './helpers.ts'

const login = { grant_type: 'password', username: 'alice', password: PASSWORD }
const mobile = { ...login, client_id: 'mobile' }
const webBasic = basic('web', 'web-secret')

for (const store of STORES) {
  t.test(`POST /token on ${store}`, async t => {
    const server = await serverOn(t, store)
    const { post } = server

    t.test(
      '§4.3.2, §5.1: name and password give a bearer token, not to be stored',
      async t => {
        const answer = await post('/token', { ...mobile, scope: 'profile' })
        t.equal(answer.statusCode, 200)
        t.equal(answer.headers['cache-control'], 'no-store')
        t.equal(answer.headers['pragma'], 'no-cache')
        t.match(answer.headers['content-type'], /^application\/json/)
        const {
          access_token: accessToken,
          refresh_token: refreshToken,
          ...rest
        } = answer.json()
        t.same(rest, { token_type: 'Bearer', expires_in: 600, scope: 'profile' })
        t.match(accessToken, /^[\w-]+\.[\w-]+\.[\w-]+$/)
        t.match(refreshToken, /^rt_[\w-]{72}$/)
      },
    )

    t.test(
      '§2.3.1: Basic credentials are form-decoded: + and %2B, : and % in id and secret',
      async t => {
        const odd = await post('/token', login, basic('odd+:%id', 's+:% é'))
        t.equal(odd.statusCode, 200, odd.body)
        t.equal(read(odd.json().access_token).payload.client_id, 'odd+:%id')
        t.equal(
          (await post('/token', login, rawBasic('odd%2B%3A%25id:s%2B%3A%25+%C3%A9')))
            .statusCode,
          200,
          '+ is a space',
        )
        t.equal(
          (await post('/token', login, rawBasic('odd%2B%3A%25id:s%2B:%25%20%c3%a9')))
            .statusCode,
          200,
          'a bare colon, %20 and lower-case hex',
        )
        t.equal(
          (
            await post('/token', login, {
              authorization: basic('web', 'web-secret').authorization.replace(
                'Basic',
                'bAsIc',
              ),
            })
          ).statusCode,
          200,
          'the scheme in any case',
        )
        refused(t, await post('/token', login, rawBasic('odd+:%id:s+:% é')), {
          status: 400,
          error: 'invalid_request',
        })
        refused(
          t,
          await post('/token', login, rawBasic('odd%2B%3A%25id:s %3A%25+%C3%A9')),
          { status: 401, error: 'invalid_client', challenge: /^Basic realm=/ },
        )
      },
    )

    t.test(
      '§2.3.1: a client may prove itself in the body, by either of its secrets',
      async t => {
        for (const secret of ['web-secret', 'web-secret-2']) {
          t.equal(
            (await post('/token', { ...login, client_id: 'web', client_secret: secret }))
              .statusCode,
            200,
          )
          t.equal((await post('/token', login, basic('web', secret))).statusCode, 200)
        }
      },
    )

    t.test(
      '§3.2: an empty parameter counts as absent, an unknown one is ignored',
      async t => {
        const answer = await post(
          '/token',
          'grant_type=password&client_id=mobile&scope=&resource=&client_secret=&nonsense=1' +
            '&username=alice&password=' +
            encodeURIComponent(PASSWORD),
        )
        t.equal(answer.statusCode, 200, answer.body)
        t.equal(answer.json().scope, 'profile orders:read orders:write')
      },
    )

    t.test(
      "§3.3: the scope granted is told, and is all of the client's when none is named",
      async t => {
        t.equal(
          (await post('/token', mobile)).json().scope,
          'profile orders:read orders:write',
        )
        t.equal(
          (
            await post('/token', { ...mobile, scope: 'orders:read profile orders:read' })
          ).json().scope,
          'orders:read profile',
        )
      },
    )

    t.test(
      '§6: a client without the refresh_token grant is given no refresh token',
      async t => {
        const answer = await post('/token', { ...login, client_id: 'once' })
        t.equal(answer.statusCode, 200)
        t.notOk('refresh_token' in answer.json())
        t.same(
          await server
            .introspect(answer.json().access_token)
            .then(({ active }) => active),
          true,
        )
        t.equal(answer.json().expires_in, 600, 'its session ends no sooner')
        server.clock.advance(answer.json().expires_in * 1000 + 1)
        t.same(await server.introspect(answer.json().access_token), { active: false })
      },
    )

    t.test('RFC 8707 §2: resource narrows the audience, and may repeat', async t => {
      const audienceOf = async (params: [string, string][]) =>
        read(
          (await post('/token', [...Object.entries(mobile), ...params])).json()
            .access_token,
        ).payload.aud
      t.same(await audienceOf([]), [ORDERS, MAIL])
      t.equal(await audienceOf([['resource', MAIL]]), MAIL)
      t.same(
        await audienceOf([
          ['resource', MAIL],
          ['resource', ORDERS],
        ]),
        [MAIL, ORDERS],
      )
      t.equal(
        await audienceOf([
          ['resource', MAIL],
          ['resource', MAIL],
          ['resource', ''],
        ]),
        MAIL,
      )
    })

    t.test(
      'RFC 9068 §3: a client without audience gets tokens for the issuer, and without scopes none is told',
      async t => {
        const answer = await post('/token', { ...login, client_id: 'bare' })
        const { payload } = read(answer.json().access_token)
        t.equal(payload.aud, ISSUER)
        t.notOk('scope' in payload)
        t.notOk('scope' in answer.json())
        t.equal(
          (
            await server.refresh(answer.json().refresh_token, {
              client_id: 'bare',
              resource: ISSUER,
            })
          ).statusCode,
          200,
        )
      },
    )

    t.test('a user whose scopes are limited gets what both may have', async t => {
      await server.accounts.add({
        name: 'bob',
        password: PASSWORD,
        scopes: ['profile', 'other'],
        roles: [],
      })
      const answer = await post('/token', { ...mobile, username: 'bob' })
      t.equal(answer.json().scope, 'profile')
      t.notOk('roles' in read(answer.json().access_token).payload)
      refused(
        t,
        await post('/token', { ...mobile, username: 'bob', scope: 'orders:read' }),
        { status: 400, error: 'invalid_scope' },
      )
    })

    t.test(
      'names are folded, passwords normalised, and bytes beyond the 72nd matter',
      async t => {
        const long = 'ü'.repeat(40) + 'the end'
        await server.accounts.add({
          name: 'Zoë',
          password: long,
          scopes: null,
          roles: [],
        })
        t.equal(
          (
            await post('/token', {
              ...mobile,
              username: 'ZOE\u0308',
              password: long.normalize('NFD'),
            })
          ).statusCode,
          200,
        )
        refused(
          t,
          await post('/token', {
            ...mobile,
            username: 'zoë',
            password: long.slice(0, -1) + 'x',
          }),
          { status: 400, error: 'invalid_grant' },
        )
        refused(
          t,
          await post('/token', {
            ...mobile,
            username: 'zoë',
            password: long.slice(0, 38),
          }),
          { status: 400, error: 'invalid_grant' },
        )
      },
    )

    t.test(
      'a login that loses against "disable" is refused, right password or not',
      async t => {
        await server.accounts.add({
          name: 'frank',
          password: PASSWORD,
          scopes: null,
          roles: [],
        })
        const { families } = server.store
        const open = families.open
        t.teardown(() => Object.assign(families, { open }))
        Object.assign(families, {
          async open(login: Parameters<typeof open>[0]) {
            await server.accounts.disable('frank')
            return open(login)
          },
        })
        refused(t, await post('/token', { ...mobile, username: 'frank' }), {
          status: 400,
          error: 'invalid_grant',
        })
        t.match(audited(server, /^login\.failed$/).at(-1), {
          reason: 'user_disabled',
          clientId: 'mobile',
        })
      },
    )

    t.test('a disabled user is refused in the words of a wrong password', async t => {
      await server.accounts.add({
        name: 'carol',
        password: PASSWORD,
        scopes: null,
        roles: [],
      })
      await server.accounts.disable('carol')
      const answers = await Promise.all([
        post('/token', { ...mobile, username: 'carol' }),
        post('/token', { ...mobile, username: 'nobody' }),
        post('/token', { ...mobile, password: 'wrong' }),
        post('/token', { ...mobile, username: 'no name\u200B' }),
      ])
      for (const answer of answers) {
        refused(t, answer, { status: 400, error: 'invalid_grant' })
      }
      t.equal(new Set(answers.map(({ body }) => body)).size, 1)
    })
  })
}

const C401 = { status: 401, error: 'invalid_client' }
const R400 = { status: 400, error: 'invalid_request' }
const BASIC = /^Basic realm="latchkey", charset="UTF-8"$/
const withoutUser = { grant_type: 'password', client_id: 'mobile' }

const refusals: Array<{
  name: string
  body: Record<string, string> | [string, string][] | string
  headers?: Record<string, string>
  status: number
  error: string
  challenge?: RegExp
}> = [
  {
    name: '§5.2: no client at all',
    body: login,
    ...C401,
    challenge: BASIC,
  },
  {
    name: '§5.2: an unknown client in the body',
    body: { ...login, client_id: 'nobody' },
    ...C401,
  },
  {
    name: '§5.2: an unknown client by Basic',
    body: login,
    headers: basic('nobody', 'x'),
    ...C401,
    challenge: BASIC,
  },
  {
    name: '§5.2: a wrong secret by Basic',
    body: login,
    headers: basic('web', 'wrong'),
    ...C401,
    challenge: BASIC,
  },
  {
    name: '§5.2: a wrong secret in the body',
    body: { ...login, client_id: 'web', client_secret: 'wrong' },
    ...C401,
  },
  {
    name: '§2.3: a confidential client without its secret',
    body: { ...login, client_id: 'web' },
    ...C401,
  },
  {
    name: '§2.3: a confidential client with an empty secret by Basic',
    body: login,
    headers: basic('web', ''),
    ...C401,
    challenge: BASIC,
  },
  {
    name: '§2.3: a public client that sends a secret',
    body: { ...mobile, client_secret: 'x' },
    ...C401,
  },
  {
    name: "§2.3: a client named like a prototype's member",
    body: { ...login, client_id: '__proto__' },
    ...C401,
  },
  {
    name: '§2.3: both ways of authentication at once',
    body: { ...login, client_id: 'web', client_secret: 'web-secret' },
    headers: webBasic,
    ...R400,
  },
  {
    name: '§2.3: two client ids',
    body: { ...login, client_id: 'mobile' },
    headers: webBasic,
    ...R400,
  },
  {
    name: '§2.3.1: Basic that is no base64',
    body: login,
    headers: { authorization: 'Basic ***' },
    ...R400,
  },
  {
    name: '§2.3.1: Basic without credentials',
    body: login,
    headers: { authorization: 'Basic' },
    ...R400,
  },
  {
    name: '§2.3.1: Basic without colon',
    body: login,
    headers: rawBasic('web'),
    ...R400,
  },
  {
    name: '§2.3.1: Basic with a broken percent-encoding',
    body: login,
    headers: rawBasic('web:%zz'),
    ...R400,
  },
  {
    name: '§2.3.1: Basic with an encoded NUL',
    body: login,
    headers: rawBasic('web:%00'),
    ...R400,
  },
  {
    name: '§2.3: another scheme names no client',
    body: login,
    headers: { authorization: 'Bearer abc' },
    ...C401,
    challenge: BASIC,
  },
  { name: '§4.3.2: no grant_type', body: { client_id: 'mobile' }, ...R400 },
  {
    name: '§4.3.2: an empty grant_type',
    body: { client_id: 'mobile', grant_type: '' },
    ...R400,
  },
  { name: '§4.3.2: no username', body: { ...withoutUser, password: 'x' }, ...R400 },
  { name: '§4.3.2: no password', body: { ...withoutUser, username: 'alice' }, ...R400 },
  { name: '§4.3.2: an empty password', body: { ...mobile, password: '' }, ...R400 },
  {
    name: '§6: no refresh_token',
    body: { client_id: 'mobile', grant_type: 'refresh_token' },
    ...R400,
  },
  {
    name: '§5.2: an unknown grant',
    body: { client_id: 'mobile', grant_type: 'authorization_code' },
    status: 400,
    error: 'unsupported_grant_type',
  },
  {
    name: "§5.2: a grant named like a prototype's member",
    body: { client_id: 'mobile', grant_type: 'constructor' },
    status: 400,
    error: 'unsupported_grant_type',
  },
  {
    name: '§5.2: a grant that this client may not use',
    body: { ...login, client_id: 'orders-api', client_secret: 'orders-secret' },
    status: 400,
    error: 'unauthorized_client',
  },
  {
    name: '§5.2: refresh by a client that may not',
    body: { client_id: 'once', grant_type: 'refresh_token', refresh_token: 'rt_x' },
    status: 400,
    error: 'unauthorized_client',
  },
  {
    name: '§5.2: a wrong password is 400, not 401',
    body: { ...mobile, password: 'wrong' },
    status: 400,
    error: 'invalid_grant',
  },
  {
    name: '§5.2: an unknown name',
    body: { ...mobile, username: 'nobody' },
    status: 400,
    error: 'invalid_grant',
  },
  {
    name: '§3.3: a scope that the client may not ask for',
    body: { ...mobile, scope: 'profile admin' },
    status: 400,
    error: 'invalid_scope',
  },
  {
    name: '§3.3: a scope beyond the grammar',
    body: { ...mobile, scope: 'profile  orders:read' },
    status: 400,
    error: 'invalid_scope',
  },
  {
    name: '§3.3: a scope with a quotation mark',
    body: { ...mobile, scope: 'pro"file' },
    status: 400,
    error: 'invalid_scope',
  },
  {
    name: 'RFC 8707 §2: an audience that the client may not ask for',
    body: { ...mobile, resource: 'https://evil.example' },
    status: 400,
    error: 'invalid_target',
  },
  {
    name: 'RFC 8707 §2: one good audience and one bad',
    body: [...Object.entries(mobile), ['resource', ORDERS], ['resource', 'orders']],
    status: 400,
    error: 'invalid_target',
  },
  ...[
    'grant_type',
    'username',
    'password',
    'client_id',
    'scope',
    'nonsense',
    '__proto__',
    'constructor',
  ].map(name => ({
    name: `§3.2: ${name} twice`,
    body: [...Object.entries(mobile), [name, 'a'], [name, 'a']] satisfies [
      string,
      string,
    ][] as [string, string][],
    ...R400,
  })),
  {
    name: '§3.2: client_secret twice, once empty',
    body: 'grant_type=password&client_id=web&client_secret=web-secret&client_secret=',
    ...R400,
  },
  {
    name: '§3.2: a name twice that is spelled differently',
    body: 'grant_type=password&client_id=mobile&client%5fid=mobile',
    ...R400,
  },
  {
    name: 'appendix B: a broken percent-encoding',
    body: 'grant_type=password&client_id=mobile&username=%zz&password=x',
    ...R400,
  },
  {
    name: 'appendix B: a cut percent-encoding',
    body: 'grant_type=password&client_id=mobile&username=a&password=%',
    ...R400,
  },
  {
    name: 'appendix B: an overlong encoding',
    body: 'grant_type=password&client_id=mobile&username=%C0%AF&password=x',
    ...R400,
  },
  {
    name: 'appendix A: an encoded NUL',
    body: 'grant_type=password&client_id=mobile&username=alice%00&password=x',
    ...R400,
  },
  {
    name: 'appendix A: a raw NUL',
    body: 'grant_type=password&client_id=mobile&username=alice\0&password=x',
    ...R400,
  },
  {
    name: 'appendix A: a line feed',
    body: 'grant_type=password&client_id=mobile&username=alice%0D%0A&password=x',
    ...R400,
  },
  {
    name: 'appendix A: an encoded lone surrogate',
    body: 'grant_type=password&client_id=mobile&username=%ED%A0%80&password=x',
    ...R400,
  },
  {
    name: 'a null as body',
    body: 'null',
    ...C401,
    challenge: BASIC,
  },
  {
    name: 'an array as body',
    body: '[]',
    ...C401,
    challenge: BASIC,
  },
  {
    name: "a JSON object in a form's clothes",
    body: JSON.stringify(mobile),
    ...C401,
    challenge: BASIC,
  },
  {
    name: 'an empty body',
    body: '',
    ...C401,
    challenge: BASIC,
  },
  {
    name: 'indexed names are names like any other',
    body: 'grant_type[]=password&client_id[0]=mobile&client_id[1]=web',
    ...C401,
    challenge: BASIC,
  },
]

t.test('POST /token refuses', async t => {
  const server = await serverOn(t, 'SQLite')
  for (const { name, body, headers = {}, ...expected } of refusals) {
    t.test(name, async t => {
      refused(t, await server.post('/token', body, headers), expected)
    })
  }

  t.test('bytes that are not UTF-8', async t => {
    const payload = Buffer.concat([
      Buffer.from('grant_type=password&client_id=mobile&username='),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from('&password=x'),
    ])
    refused(
      t,
      await server.app.inject({
        method: 'POST',
        url: '/token',
        headers: FORM,
        payload,
      }),
      R400,
    )
  })

  t.test('§3.2: whatever stands in the query', async t => {
    const query = new URLSearchParams(mobile).toString()
    refused(t, await server.post(`/token?${query}`, ''), { ...C401, challenge: BASIC })
    refused(
      t,
      await server.post(
        '/token?username=alice&password=' + encodeURIComponent(PASSWORD),
        withoutUser,
      ),
      R400,
    )
    t.equal(
      (
        await server.post(
          '/token?client_id=web&scope=admin&grant_type=x&__proto__=1',
          mobile,
        )
      ).statusCode,
      200,
      'it does no harm either',
    )
  })
})

t.test('lifetimes follow the configuration of now', async t => {
  const server = await serverOn(t, 'SQLite')
  server.live.accessTtl = 61_500
  t.equal((await server.login()).expires_in, 61)
  server.live.refreshAbsolute = 30_000
  t.ok((await server.login()).expires_in <= 30, 'no access token outlives its family')
})
