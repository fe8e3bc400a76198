// `compat`: what old clients send is answered as what the endpoints know, each use is counted, named in the
// log and said in the answer; with the switches off nothing of it works, and no switch softens a refusal.
import t, { type Test } from 'tap'
import type { CompatSettings } from '../../src/http/compat/compat.ts'
import { buildTestApp, client, PASSWORD, sha256Line } from '../support/app.ts'
import { basic, read, refused, serverOn, STORES } from '../conformance/helpers.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const login = { username: 'alice', password: PASSWORD }
const ALL: CompatSettings = {
  defaultClient: 'mobile',
  grantType: 'password',
  json: true,
  paths: { '/login': '/token', '/api/token/': '/token', '/me': '/userinfo' },
  deprecation: '2026-12-01',
  sunset: '2027-03-31',
}

async function serverWith(t: Test, compat: CompatSettings, more = {}) {
  const server = await buildTestApp({ compat, ...more })
  t.teardown(server.close)
  const count = async (name: string) => {
    const text = await server.metrics.render()
    const line = new RegExp(
      `^latchkey_compat_requests_total\\{switch="${name}"\\} (\\d+)$`,
      'm',
    )
    return Number(line.exec(text)?.[1])
  }
  return { ...server, count }
}

for (const store of STORES) {
  t.test(`old clients on ${store}`, async t => {
    const { post } = await serverOn(t, store, { compat: ALL })
    const answer = await post('/login', JSON.stringify(login), JSON_TYPE)
    t.equal(answer.statusCode, 200, answer.body)
    const { access_token: token, refresh_token: refreshToken } = answer.json()
    t.equal(read(token).payload.client_id, 'mobile')
    t.equal(answer.headers['deprecation'], '@1796083200')
    t.equal(answer.headers['sunset'], 'Wed, 31 Mar 2027 00:00:00 GMT')
    t.equal(answer.headers['cache-control'], 'no-store')
    const refresh = { grant_type: 'refresh_token', refresh_token: refreshToken }
    t.equal((await post('/token', refresh)).statusCode, 200, 'a session needs no client')
  })
}

t.test('each switch alone does its one thing', async t => {
  const whole = { ...login, grant_type: 'password', client_id: 'mobile' }
  const { grant_type: _g, ...withoutGrant } = whole
  const { client_id: _c, ...withoutClient } = whole
  const rows = [
    {
      name: 'grant_type',
      compat: { grantType: 'password' },
      url: '/token',
      form: withoutGrant,
    },
    {
      name: 'default_client',
      compat: { defaultClient: 'mobile' },
      url: '/token',
      form: withoutClient,
    },
    {
      name: 'path',
      compat: { paths: { '/oauth/token': '/token' } },
      url: '/oauth/token?a=b',
      form: whole,
    },
    { name: 'json', compat: { json: true }, url: '/token', form: JSON.stringify(whole) },
  ] as const
  for (const { name, compat, url, form } of rows) {
    const headers = name === 'json' ? JSON_TYPE : {}
    const off = await serverWith(t, { json: false, paths: {} })
    const refusal = await off.post(url, form, headers)
    t.ok(refusal.statusCode >= 400 && refusal.statusCode < 500, `${name} is off`)
    t.equal(await off.count(name), 0)
    const on = await serverWith(t, { json: false, paths: {}, ...compat })
    const answer = await on.post(url, form, headers)
    t.equal(answer.statusCode, 200, `${name}: ${answer.body}`)
    t.notOk('deprecation' in answer.headers || 'sunset' in answer.headers)
    for (const { name: other } of rows) {
      t.equal(await on.count(other), other === name ? 1 : 0, `${name} counts ${other}`)
    }
    t.equal((await on.post('/token', whole)).statusCode, 200, 'a new client')
    t.equal(await on.count(name), 1, 'which is not counted')
  }
})

t.test(
  'a form that Swagger UI left empty has no client, any other header has',
  async t => {
    const { post, count } = await serverWith(t, ALL)
    const empty = await post('/token', login, { authorization: 'Basic Og==' })
    t.equal(empty.statusCode, 200, empty.body)
    t.equal(await count('default_client'), 1)
    const rows = [
      [basic('web', 'wrong'), 401, 'invalid_client'],
      [basic('nobody', ''), 401, 'invalid_client'],
      [{ authorization: 'Basic !' }, 400, 'invalid_request'],
      [{ authorization: 'Bearer abc' }, 401, 'invalid_client'],
    ] as const
    for (const [headers, status, error] of rows) {
      refused(
        t,
        await post('/token', login, headers),
        { status, error },
        headers.authorization,
      )
    }
    for (const more of [
      { client_secret: 'web-secret' },
      { client_assertion: 'a.b.c' },
      { client_assertion_type: 'x' },
    ]) {
      const answer = await post('/token', { ...login, ...more })
      t.ok(answer.statusCode === 401 || answer.statusCode === 400, JSON.stringify(more))
    }
    t.equal(await count('default_client'), 1, 'none of them got the default client')
  },
)

t.test(
  'a grant type that is named counts, and none is guessed without a login',
  async t => {
    const { post } = await serverWith(t, ALL)
    for (const form of [
      { username: 'alice' },
      { password: PASSWORD },
      { refresh_token: 'rt_x' },
      {},
    ]) {
      const answer = await post('/token', { client_id: 'mobile', ...form })
      t.equal(answer.statusCode, 400)
      t.equal(answer.json().error, 'invalid_request')
    }
    refused(t, await post('/token', { ...login, grant_type: 'refresh_token' }), {
      status: 400,
      error: 'invalid_request',
    })
  },
)

t.test('the default client is held to what it may do', async t => {
  const clients = [
    client('shut', { secrets: [sha256Line('secret')] }),
    client('reader', { grants: ['refresh_token'] }),
  ]
  for (const [defaultClient, status, error] of [
    ['shut', 401, 'invalid_client'],
    ['reader', 400, 'unauthorized_client'],
    ['gone', 401, 'invalid_client'],
  ] as const) {
    const { post } = await serverWith(t, { ...ALL, defaultClient }, { clients })
    refused(t, await post('/login', login), { status, error }, defaultClient)
  }
})

const BAD_JSON: readonly (readonly [string, string | Buffer])[] = [
  ['nothing', ''],
  ['half', '{"username":"alice"'],
  ['a list', '[]'],
  ['null', 'null'],
  ['a text', '"grant_type=password"'],
  ['a number', '7'],
  ['a number as a value', '{"username":"alice","password":7}'],
  ['true as a value', '{"username":"alice","password":true}'],
  ['null as a value', '{"username":"alice","password":null}'],
  ['a list as a value', '{"username":["alice"],"password":"x"}'],
  ['an object as a value', '{"username":{"$ne":""},"password":"x"}'],
  ['lists within resource', '{"username":"a","password":"x","resource":[["a"]]}'],
  ['a name twice', '{"username":"alice","password":"a","password":"b"}'],
  ['a name twice, once escaped', '{"username":"a","password":"a","pass\\u0077ord":"b"}'],
  ['a name twice, blanks before the colon', '{"a" : "1", "a"\n:"2"}'],
  ['a name with and without a value', '{"username":"a","password":"x","password":""}'],
  ['half a surrogate pair', '{"username":"a","password":"\\ud800"}'],
  ['half a pair as a name', '{"username":"a","password":"x","\\udfff":"x"}'],
  ['a control character', '{"username":"a\\u0000b","password":"x"}'],
  ['a byte order mark', '\ufeff{"username":"a","password":"x"}'],
  ['a comment', '{"username":"a",/* */"password":"x"}'],
  ['a comma at the end', '{"username":"a","password":"x",}'],
  ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x22, 0x22, 0x7d])],
  ['a form', 'username=alice&password=x'],
  ['depth', '['.repeat(8000)],
]

t.test('JSON is read as strictly as a form', async t => {
  const { app, post } = await serverWith(t, ALL)
  for (const [name, payload] of BAD_JSON) {
    const answer = await app.inject({
      method: 'POST',
      url: '/token',
      headers: JSON_TYPE,
      payload,
    })
    refused(t, answer, { status: 400, error: 'invalid_request' }, name)
  }
  const send = (value: object, headers = {}) =>
    post('/token', JSON.stringify(value), { ...JSON_TYPE, ...headers })
  refused(t, await send({ ...login, x: 'x'.repeat(17_000) }), {
    status: 413,
    error: 'invalid_request',
  })
  refused(t, await send(login, { 'content-encoding': 'gzip' }), {
    status: 415,
    error: 'invalid_request',
  })
  for (const type of ['application/json-patch+json', 'text/json', 'application/jsonp']) {
    refused(
      t,
      await send(login, { 'content-type': type }),
      { status: 415, error: 'invalid_request' },
      type,
    )
  }
  refused(t, await send({ ...login, password: 'wrong' }), {
    status: 400,
    error: 'invalid_grant',
  })
  refused(t, await send({ ...login, __proto__x: 'x', client_id: 'web' }), {
    status: 401,
    error: 'invalid_client',
  })
  refused(t, await post('/revoke', '{"token":"x"}', JSON_TYPE), {
    status: 415,
    error: 'invalid_request',
  })
  const proto = await post(
    '/token',
    '{"__proto__":"x","username":"alice","password":"x"}',
    JSON_TYPE,
  )
  refused(
    t,
    proto,
    { status: 400, error: 'invalid_grant' },
    '__proto__ is a name like any other',
  )
  const type = { 'content-type': 'Application/JSON; charset=utf-8' }
  const good = { ...login, scope: '', resource: ['https://orders.example.com'] }
  t.equal((await send(good, type)).statusCode, 200)
  t.equal(
    (await send({ ...good, resource: 'https://orders.example.com' })).statusCode,
    200,
  )
})

t.test('an old path is its endpoint: methods, limits and what else is there', async t => {
  const {
    app,
    post,
    live,
    login: logIn,
  } = await serverWith(t, ALL, {
    issuer: 'https://example.com/id',
  })
  const got = await app.inject('/login')
  refused(t, got, { status: 405, error: 'invalid_request' })
  t.equal(got.headers['allow'], 'POST')
  for (const url of ['/login', '/id/login', '/api/token/', '/id/login?next=%2F']) {
    t.equal((await post(url, login)).statusCode, 200, url)
  }
  for (const url of [
    '/Login',
    '/login/',
    '/login//',
    '/api/token',
    '//login',
    '/id/id/login',
  ]) {
    refused(t, await post(url, login), { status: 404, error: 'not_found' }, url)
  }
  const { access_token: token } = await logIn({ scope: 'profile' })
  const me = await app.inject({
    url: '/me',
    headers: { authorization: `Bearer ${token}` },
  })
  t.equal(me.json().preferred_username, 'alice')
  t.equal(me.headers['sunset'], 'Wed, 31 Mar 2027 00:00:00 GMT')
  live.max = 1
  const statuses = [
    (await post('/login', login)).statusCode,
    (await post('/token', login)).statusCode,
  ]
  t.ok(statuses.includes(429), 'one limit for both')
})

t.test('pages of other origins get no more at an old path', async t => {
  const origin = 'https://app.example.com'
  const { app } = await serverWith(t, ALL, { cors: [origin] })
  for (const [from, expected] of [
    [origin, origin],
    ['https://evil.example', undefined],
  ] as const) {
    const answer = await app.inject({
      method: 'POST',
      url: '/login',
      headers: { ...JSON_TYPE, origin: from },
      payload: JSON.stringify(login),
    })
    t.equal(answer.headers['access-control-allow-origin'], expected)
  }
})

t.test('a path of ours can not be an old one', async t => {
  await t.rejects(
    serverWith(t, { ...ALL, paths: { '/verify': '/token' } }).then(({ app }) =>
      app.ready(),
    ),
    {
      message:
        'compat.paths has /verify, which Latchkey serves itself: leave it out there',
    },
  )
})

t.test('the log names a switch at its first use, and then once an hour', async t => {
  const { post, clock, lines } = await serverWith(t, ALL)
  const logged = () =>
    lines.flatMap(line => {
      const { level, switch: name, requests } = JSON.parse(line)
      return name === undefined ? [] : [{ level, name, requests }]
    })
  const whole = { ...login, grant_type: 'password' }
  await post('/token', whole)
  const first = { level: 'warn', name: 'default_client', requests: 1 }
  t.match(logged(), [{ ...first, level: /warn|40/ }])
  clock.advance(3_599_000)
  await post('/token', whole)
  t.equal(logged().length, 1)
  clock.advance(1000)
  await post('/token', whole)
  t.match(logged()[1], { name: 'default_client', requests: 2 })
  t.notMatch(lines.join(''), PASSWORD)
})
