// ID tokens (OIDC Core): what is in them, who gets one, and that none opens anything.
import { createHash, randomUUID } from 'node:crypto'
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
  type JWTPayload,
} from 'jose'
import t, { type Test } from 'tap'
import {
  client,
  CLIENTS,
  ISSUER,
  MAIL,
  ORDERS,
  PASSWORD,
  type TestApp,
  type TestAppOptions,
} from '../support/app.ts'
import { read, refused, serverOn, STORES, type StoreName } from './helpers.ts'

const SCOPES = ['openid', 'profile', 'orders:read']
const PORTAL = client('portal', { scopes: SCOPES })

const withPortal = (t: Test, store: StoreName, options: TestAppOptions = {}) =>
  serverOn(t, store, { clients: [...CLIENTS, PORTAL], ...options })

const portal = { client_id: 'portal' }

/** What a client of OpenID Connect checks of an ID token (OIDC Core §3.1.3.7), by the published keys. */
async function verified({ app, clock }: TestApp, token: string, audience = 'portal') {
  const { keys } = (await app.inject('/.well-known/jwks.json')).json()
  return jwtVerify(token, createLocalJWKSet({ keys }), {
    issuer: ISSUER,
    audience,
    typ: 'JWT',
    currentDate: new Date(clock()),
    requiredClaims: ['sub', 'iat', 'exp'],
  })
}

const half = (hash: string, token: string) => {
  const digest = createHash(hash).update(token).digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}

/** Makes proofs of one key (RFC 9449 §4.2). */
async function prover({ clock }: TestApp) {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(publicKey) }
  return async (claims: JWTPayload) =>
    new SignJWT({ jti: randomUUID(), iat: Math.floor(clock() / 1000), ...claims })
      .setProtectedHeader(header)
      .sign(privateKey)
}

for (const store of STORES) {
  t.test(`ID tokens on ${store}`, async t => {
    const server = await withPortal(t, store)

    t.test('§2, §3.1.3.6: with the scope openid, about the same login', async t => {
      const answer = await server.login(portal)
      const { payload } = await verified(server, answer.id_token)
      const access = read(answer.access_token).payload
      t.same(payload, {
        iss: ISSUER,
        sub: access.sub,
        aud: 'portal',
        iat: access.iat,
        exp: access.exp,
        auth_time: access.auth_time,
        sid: access.sid,
        at_hash: half('sha256', answer.access_token),
        preferred_username: 'alice',
        roles: ['buyer'],
      })
      t.same(Object.keys(read(answer.id_token).header).sort(), ['alg', 'kid', 'typ'])
    })

    t.test('§5.4: claims by scope, as /userinfo has them', async t => {
      for (const scope of ['openid', 'openid profile']) {
        const answer = await server.login({ ...portal, scope })
        const { payload } = await verified(server, answer.id_token)
        const userinfo = (
          await server.app.inject({
            url: '/userinfo',
            headers: { authorization: `Bearer ${answer.access_token}` },
          })
        ).json()
        t.match(payload, userinfo)
        t.equal('preferred_username' in payload, scope.includes('profile'), scope)
      }
    })

    t.test('none where openid is not asked for, or not allowed', async t => {
      const without = await server.login({ ...portal, scope: 'profile orders:read' })
      t.notOk('id_token' in without)
      t.notOk('id_token' in (await server.login()))
      const asked = await server.post('/token', {
        grant_type: 'password',
        client_id: 'mobile',
        username: 'alice',
        password: PASSWORD,
        scope: 'openid',
      })
      refused(t, asked, { status: 400, error: 'invalid_scope' })
    })

    t.test('§12.2: a refresh says the same of the login, and has no nonce', async t => {
      const first = await server.login({ ...portal, nonce: 'n-0S6_WzA2Mj' })
      const before = read(first.id_token).payload
      server.clock.advance(60_000)
      const answer = (await server.refresh(first.refresh_token, portal)).json()
      const { payload } = await verified(server, answer.id_token)
      const access = read(answer.access_token).payload
      t.equal(payload.iat, before.iat + 60)
      t.equal(payload.exp, access.exp)
      t.equal(payload['at_hash'], half('sha256', answer.access_token))
      for (const name of ['iss', 'sub', 'aud', 'auth_time', 'sid'] as const) {
        t.equal(payload[name], before[name], name)
      }
      t.notOk('nonce' in payload || 'nonce' in before || 'azp' in payload)
      const narrow = await server.refresh(answer.refresh_token, {
        ...portal,
        scope: 'orders:read',
      })
      t.equal(narrow.statusCode, 200)
      t.notOk('id_token' in narrow.json(), 'a scope without openid')
      const again = await server.refresh(narrow.json().refresh_token, portal)
      t.ok('id_token' in again.json(), 'what was granted at login is not lost')
    })

    t.test('an ID token is no access token, anywhere', async t => {
      server.live.typ[ORDERS] = 'JWT'
      const answer = await server.login(portal)
      const token = answer.id_token
      const authorization = `Bearer ${token}`
      const invalid = { status: 401, error: 'invalid_token', challenge: /invalid_token/ }
      for (const url of ['/userinfo', '/verify']) {
        const headers = { authorization, 'latchkey-audience': 'portal' }
        refused(t, await server.app.inject({ url, headers }), invalid)
      }
      refused(t, await server.post('/userinfo', { access_token: token }), invalid)
      t.same(await server.introspect(token, 'auditor', 'auditor-secret'), {
        active: false,
      })
      const asCaller = await server.post(
        '/introspect',
        { token: answer.access_token },
        { authorization },
      )
      refused(t, asCaller, invalid)
      const revoked = await server.post('/revoke', { ...portal, token })
      t.equal(revoked.statusCode, 200, 'as of any text')
      refused(t, await server.refresh(token, portal), {
        status: 400,
        error: 'invalid_grant',
      })
      const access = await server.app.inject({
        url: '/userinfo',
        headers: { authorization: `Bearer ${answer.access_token}` },
      })
      t.equal(access.statusCode, 200, 'and ends none')
      delete server.live.typ[ORDERS]
    })

    t.test('RFC 9449: an ID token is not bound, and no proof makes it good', async t => {
      const prove = await prover(server)
      const login = { ...portal, grant_type: 'password', username: 'alice' }
      const answer = await server.post(
        '/token',
        { ...login, password: PASSWORD },
        { dpop: await prove({ htm: 'POST', htu: `${ISSUER}/token` }) },
      )
      const { id_token: idToken, access_token: access, token_type: type } = answer.json()
      t.equal(type, 'DPoP')
      t.notOk('cnf' in read(idToken).payload)
      for (const [token, status] of [
        [idToken, 401],
        [access, 200],
      ] as const) {
        const ath = createHash('sha256').update(token).digest('base64url')
        const dpop = await prove({ htm: 'GET', htu: `${ISSUER}/userinfo`, ath })
        const headers = { authorization: `DPoP ${token}`, dpop }
        const proven = await server.app.inject({ url: '/userinfo', headers })
        t.equal(proven.statusCode, status)
      }
    })
  })
}

t.test('an access token is no ID token', async t => {
  const server = await withPortal(t, 'SQLite')
  server.live.typ[ORDERS] = 'JWT'
  const { access_token: token } = await server.login(portal)
  t.equal(read(token).header.typ, 'JWT')
  await t.rejects(verified(server, token), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' })
  await t.resolves(verified(server, token, ORDERS), 'but for its audience')
})

t.test("§3.1.3.6: at_hash goes by the algorithm of the client's ID tokens", async t => {
  for (const [algorithm, hash] of [
    ['EdDSA', 'sha512'],
    ['RS256', 'sha256'],
    ['PS256', 'sha256'],
    ['ES256', 'sha256'],
  ] as const) {
    const server = await withPortal(t, 'SQLite', {
      clients: [{ ...PORTAL, idTokenAlgorithm: algorithm }],
    })
    // Until its keys are published long enough the others sign.
    const early = await server.login(portal)
    t.equal(read(early.id_token).header.alg, 'ES256')
    server.live.algorithm[MAIL] = algorithm
    await server.keys.load()
    server.clock.advance(8 * 86_400_000)
    await server.keys.load()
    const answer = await server.login({ ...portal, resource: ORDERS })
    const { payload, protectedHeader } = await verified(server, answer.id_token)
    t.equal(protectedHeader.alg, algorithm)
    t.equal(read(answer.access_token).header.alg, 'ES256')
    t.equal(payload['at_hash'], half(hash, answer.access_token), algorithm)
  }
})

t.test('§5.3.2: /userinfo in a JWT, where Accept prefers one', async t => {
  const server = await withPortal(t, 'SQLite', {
    clients: [{ ...PORTAL, idTokenAlgorithm: 'EdDSA' }],
  })
  server.live.algorithm[MAIL] = 'EdDSA'
  await server.keys.load()
  server.clock.advance(8 * 86_400_000)
  await server.keys.load()
  const { access_token: token } = await server.login(portal)
  const ask = (accept: string) =>
    server.app.inject({
      url: '/userinfo',
      headers: { accept, authorization: `Bearer ${token}` },
    })
  const plain = await ask('application/json')
  for (const accept of ['application/jwt', 'application/json;q=0.4, application/jwt']) {
    const answer = await ask(accept)
    t.equal(answer.headers['content-type'], 'application/jwt')
    t.equal(answer.headers['cache-control'], 'no-store')
    const { header, payload } = read(answer.body)
    t.match(header, { alg: 'EdDSA', typ: 'JWT' })
    const iat = Math.floor(server.clock() / 1000)
    t.same(payload, { iss: ISSUER, aud: 'portal', iat, ...plain.json() })
    const { keys } = (await server.app.inject('/.well-known/jwks.json')).json()
    await t.resolves(jwtVerify(answer.body, createLocalJWKSet({ keys })), 'by JWKS')
    await t.rejects(verified(server, answer.body), /"exp" claim/, 'no ID token')
    const refusal = await server.app.inject({
      url: '/userinfo',
      headers: { authorization: `Bearer ${answer.body}` },
    })
    t.equal(refusal.statusCode, 401, 'no access token')
  }
  for (const accept of ['*/*', 'application/jwt;q=0.5, */*', 'text/html']) {
    t.match((await ask(accept)).headers['content-type'], /^application\/json/, accept)
  }
  // A client that goes while its token lives.
  server.clients.replace(CLIENTS)
  t.equal(read((await ask('application/jwt')).body).header.alg, 'ES256')
})

t.test('a user without roles has none in the ID token', async t => {
  const server = await withPortal(t, 'SQLite')
  await server.accounts.setAccess('alice', { scopes: null, roles: [] })
  const { id_token: token } = await server.login({ ...portal, scope: 'openid' })
  t.notOk('roles' in read(token).payload)
})
