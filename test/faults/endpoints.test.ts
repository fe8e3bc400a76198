// A store that fails, hangs or is closed, as clients see it: 503 and never a verdict. What needs no store
// goes on.
import { createHash } from 'node:crypto'
import * as jose from 'jose'
import t, { type Test } from 'tap'
import {
  API_SECRET,
  buildTestApp,
  client,
  CLIENTS,
  ISSUER,
  ORDERS,
  PASSWORD,
  type TestApp,
} from '../support/app.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { refused, serverOn } from '../conformance/helpers.ts'
import { SOON_MS, until } from '../support/until.ts'

const login = {
  grant_type: 'password',
  client_id: 'mobile',
  username: 'alice',
  password: PASSWORD,
}
const machine = {
  grant_type: 'client_credentials',
  client_id: 'machine',
  client_secret: 'machine-secret',
}
const api = { client_id: 'orders-api', client_secret: API_SECRET }
const auditor = { client_id: 'auditor', client_secret: 'auditor-secret' }

const { publicKey, privateKey } = await jose.generateKeyPair('ES256', {
  extractable: true,
})
const jwk = await jose.exportJWK(publicKey)
const clients = [...CLIENTS, client('signed', { keys: [jwk], grants: ['password'] })]

const sign = (claims: jose.JWTPayload, header: object = {}) =>
  new jose.SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', ...header })
    .sign(privateKey)
/** A client's proof of itself (RFC 7523), good once. */
const assertion = async () => ({
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: await sign({
    iss: 'signed',
    sub: 'signed',
    aud: ISSUER,
    jti: crypto.randomUUID(),
    exp: Math.floor(Date.now() / 1000) + 60,
  }),
})
/** A proof of a key (RFC 9449), good once. */
const proof = (url: string, method: string, token?: string) => {
  const bound =
    token === undefined
      ? {}
      : { ath: createHash('sha256').update(token).digest('base64url') }
  return sign(
    {
      htm: method,
      htu: `${ISSUER}${url}`,
      jti: crypto.randomUUID(),
      iat: Math.floor(Date.now() / 1000),
      ...bound,
    },
    { typ: 'dpop+jwt', jwk },
  )
}

type Tokens = Awaited<ReturnType<TestApp['login']>>

/** Everything that asks the store. */
function requests(
  { app, post, refresh }: TestApp,
  { access_token: access, refresh_token: token }: Tokens,
) {
  const bearer = { authorization: `Bearer ${access}` }
  return {
    'a login': () => post('/token', login),
    'a login with a wrong password': () =>
      post('/token', { ...login, password: 'wrong' }),
    "a client's own token": () => post('/token', machine),
    'a login of nobody': () => post('/token', { ...login, username: 'nobody' }),
    'a refresh': () => refresh(token),
    'introspection of an access token': () =>
      post('/introspect', { ...api, token: access }),
    'introspection of a refresh token': () => post('/introspect', { ...auditor, token }),
    'revocation of an access token': () =>
      post('/revoke', { client_id: 'mobile', token: access }),
    'revocation of a refresh token': () =>
      post('/revoke', { client_id: 'mobile', token }),
    userinfo: () => app.inject({ url: '/userinfo', headers: bearer }),
    'a login with a proof of a key': async () =>
      post('/token', login, { dpop: await proof('/token', 'POST') }),
    'userinfo with a proof of a key': async () =>
      app.inject({
        url: '/userinfo',
        headers: {
          authorization: `DPoP ${access}`,
          dpop: await proof('/userinfo', 'GET', access),
        },
      }),
    'introspection by a client that signs': async () =>
      post('/introspect', { token: access, ...(await assertion()) }),
    verify: () =>
      app.inject({ url: '/verify', headers: { ...bearer, 'latchkey-audience': ORDERS } }),
  }
}

async function allUnavailable(t: Test, server: TestApp, tokens: Tokens): Promise<void> {
  for (const [name, send] of Object.entries(requests(server, tokens))) {
    await t.test(name, async t => {
      const before = performance.now()
      const answer = await send()
      refused(t, answer, { status: 503, error: 'temporarily_unavailable' })
      t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
      t.ok(performance.now() - before < SOON_MS, 'soon')
    })
  }
}

async function whatNeedsNoStore(t: Test, { app }: TestApp): Promise<void> {
  for (const url of [
    '/.well-known/jwks.json',
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/openapi.json',
    '/docs',
  ]) {
    t.equal((await app.inject(url)).statusCode, 200, url)
  }
  refused(
    t,
    await app.inject({ url: '/userinfo', headers: { authorization: 'Bearer forged' } }),
    { status: 401, error: 'invalid_token', challenge: /invalid_token/ },
  )
}

const verdicts = ({ lines }: TestApp, since: number) =>
  lines
    .slice(since)
    .filter(line =>
      /"type":"(login\.failed|refresh\.|token\.revoked|introspected)/.test(line),
    )

t.test('a closed SQLite store', async t => {
  const server = await serverOn(t, 'SQLite', { clients })
  const tokens = await server.login()
  const since = server.lines.length
  await server.store.close()
  await allUnavailable(t, server, tokens)
  await whatNeedsNoStore(t, server)
  t.same(verdicts(server, since), [], 'no audit event tells a verdict')
  t.ok(server.lines.some(line => line.includes('the store is unavailable')))

  await t.test('what no store is asked for is answered as ever', async t => {
    t.same(await server.introspect('unknown'), { active: false })
    t.same(
      (await server.post('/revoke', { client_id: 'mobile', token: 'rt_unknown' }))
        .statusCode,
      200,
    )
    refused(t, await server.refresh('rt_unknown'), {
      status: 400,
      error: 'invalid_grant',
    })
    refused(t, await server.post('/token', { ...login, client_id: 'nobody' }), {
      status: 401,
      error: 'invalid_client',
    })
    refused(t, await server.post('/token', { ...login, scope: 'admin' }), {
      status: 400,
      error: 'invalid_scope',
    })
  })
})

async function onRedis(t: Test): Promise<{
  server: TestApp
  redis: TestRedis
  tokens: Tokens
  since: number
}> {
  const redis = await startRedis()
  const server = await buildTestApp({
    storeUrl: redis.url,
    clients,
    storeDeadlineMs: 300,
  })
  t.teardown(async () => {
    await server.close()
    await redis.stop()
  })
  const tokens = await server.login()
  return {
    server,
    redis,
    tokens,
    since: server.lines.length,
  }
}

t.test('a Redis that was killed', async t => {
  const { server, redis, tokens, since } = await onRedis(t)
  await redis.stop()
  await allUnavailable(t, server, tokens)
  await whatNeedsNoStore(t, server)
  t.same(verdicts(server, since), [])
})

t.test('a Redis that hangs, and wakes up again', async t => {
  const { server, redis, tokens, since } = await onRedis(t)
  process.kill(redis.pid, 'SIGSTOP')
  try {
    await allUnavailable(t, server, tokens)
    await whatNeedsNoStore(t, server)
    t.same(verdicts(server, since), [])
  } finally {
    process.kill(redis.pid, 'SIGCONT')
  }
  await until(async () => (await server.post('/token', login)).statusCode === 200)
  const next = await server.login()
  t.equal(
    (await server.introspect(next.access_token))['active'],
    true,
    'after that all is well',
  )
  t.equal((await server.refresh(next.refresh_token)).statusCode, 200)
})

t.test('more logins than hashes can be made for', async t => {
  const server = await serverOn(t, 'SQLite')
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => server.post('/token', login)),
  )
  const busy = answers.filter(answer => answer.statusCode !== 200)
  t.ok(busy.length >= 20 && busy.length < 100, `${busy.length} of 100`)
  for (const answer of busy) {
    refused(t, answer, { status: 503, error: 'temporarily_unavailable' })
    t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
  }
  t.equal(
    (await server.post('/token', login)).statusCode,
    200,
    'and then there is room again',
  )
})
