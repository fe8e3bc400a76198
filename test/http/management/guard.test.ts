// Who may call the management listener's API: every wrong kind of caller is refused, each in its own way.
import { createHash } from 'node:crypto'
import { fastify } from 'fastify'
import * as jose from 'jose'
import t, { type Test } from 'tap'
import { createParts } from '../../../src/http/management/admin/parts.ts'
import type { TestApp, TestAppOptions } from '../../support/app.ts'
import { CLIENTS, ISSUER, ORDERS, client, sha256Line } from '../../support/app.ts'
import { STORES, serverOn } from '../../conformance/helpers.ts'

const TOKEN = `lks_${'a'.repeat(43)}`
const NEXT_TOKEN = `lks_${'b'.repeat(43)}`
const READER = `lks_${'c'.repeat(43)}`
const PATH = '/scim/v2/ServiceProviderConfig'

const machine = (id: string, scopes: readonly string[], audience: string[] = []) =>
  client(id, {
    secrets: [sha256Line(`${id}-secret`)],
    grants: ['client_credentials'],
    scopes,
    audience,
  })

const GUARDED: TestAppOptions = {
  clients: [
    ...CLIENTS,
    machine('hr', ['scim', 'admin']),
    machine('reader', ['scim.read']),
    machine('elsewhere', ['scim'], [ORDERS]),
    machine('both', ['scim'], [ISSUER, ORDERS]),
    machine('other', ['orders:read']),
    machine('none', []),
    client('console', { scopes: ['scim', 'scim.read', 'profile'], audience: [ISSUER] }),
  ],
}

async function guarded(t: Test, store: 'SQLite' | 'Redis' = 'SQLite'): Promise<TestApp> {
  const server = await serverOn(t, store, GUARDED)
  server.live.roles = { operator: ['scim'], auditor: ['scim.read'] }
  server.live.staticTokens = [
    { name: 'okta', hashes: [TOKEN, NEXT_TOKEN].map(sha256Line), readOnly: false },
    { name: 'report', hashes: [sha256Line(READER)], readOnly: true },
  ]
  return server
}

async function tokenOf(server: TestApp, id: string, params = {}): Promise<string> {
  const answer = await server.post('/token', {
    ...params,
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: `${id}-secret`,
  })
  return answer.json().access_token
}

async function userToken(server: TestApp, roles: string[], scope = 'scim') {
  await server.accounts.setAccess('alice', { scopes: null, roles })
  return (await server.login({ client_id: 'console', scope })).access_token
}

const ask = (server: TestApp, authorization?: string, headers = {}) =>
  server.management.inject({
    url: PATH,
    headers: { ...headers, ...(authorization !== undefined && { authorization }) },
  })

for (const store of STORES) {
  t.test(`whoever may call, ${store}`, async t => {
    const server = await guarded(t, store)
    const rows = {
      'a client with scim': await tokenOf(server, 'hr'),
      'a client with scim.read': await tokenOf(server, 'reader'),
      'a client of several audiences that asked for this one': await tokenOf(
        server,
        'both',
        { resource: ISSUER },
      ),
      'a static token': TOKEN,
      'the static token that takes its place': NEXT_TOKEN,
      'a static token that reads': READER,
      'an operator': await userToken(server, ['operator']),
    }
    for (const [name, token] of Object.entries(rows)) {
      const answer = await ask(server, `Bearer ${token}`)
      t.equal(answer.statusCode, 200, name)
      t.match(answer.headers['content-type'], /^application\/scim\+json/)
      t.equal(answer.headers['cache-control'], 'no-store')
    }
    for (const [role, scope] of [
      ['auditor', 'scim'],
      ['auditor', 'scim.read'],
      ['operator', 'scim.read'],
    ] as const) {
      const token = await userToken(server, [role], scope)
      t.equal((await ask(server, `Bearer ${token}`)).statusCode, 200, `${role} ${scope}`)
    }
  })

  t.test(`nobody else may, ${store}`, async t => {
    const server = await guarded(t, store)
    const revoked = await tokenOf(server, 'hr')
    await server.post('/revoke', {
      token: revoked,
      client_id: 'hr',
      client_secret: 'hr-secret',
    })
    const disabled = await userToken(server, ['operator'])
    await server.accounts.disable('alice')
    await server.accounts.enable('alice')
    const rows: ReadonlyArray<
      [name: string, authorization: string | undefined, status: number, challenge: RegExp]
    > = [
      ['no token', undefined, 401, /^Bearer realm="latchkey"$/],
      ['another scheme', 'Basic aHI6aHI=', 401, /^Bearer realm="latchkey"$/],
      ['nonsense', 'Bearer nonsense', 401, /invalid_token/],
      ['a static token of nobody', `Bearer lks_${'x'.repeat(43)}`, 401, /invalid_token/],
      ['a hash', `Bearer ${sha256Line(TOKEN)}`, 401, /invalid_token/],
      ['revoked', `Bearer ${revoked}`, 401, /invalid_token/],
      ['of an ended session', `Bearer ${disabled}`, 401, /invalid_token/],
      [
        'for another audience',
        `Bearer ${await tokenOf(server, 'elsewhere')}`,
        401,
        /invalid_token/,
      ],
      [
        'for another audience, too',
        `Bearer ${await tokenOf(server, 'both')}`,
        401,
        /invalid_token/,
      ],
      [
        'another scope',
        `Bearer ${await tokenOf(server, 'machine')}`,
        401,
        /invalid_token/,
      ],
      [
        'of no scope',
        `Bearer ${await tokenOf(server, 'none')}`,
        403,
        /insufficient_scope/,
      ],
      [
        'of another scope',
        `Bearer ${await tokenOf(server, 'other')}`,
        403,
        /insufficient_scope", scope="scim\.read"/,
      ],
    ]
    for (const [name, authorization, status, challenge] of rows) {
      const answer = await ask(server, authorization)
      t.equal(answer.statusCode, status, name)
      t.match(answer.headers['www-authenticate'], challenge, name)
      t.match(
        answer.json(),
        {
          schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
          status: `${status}`,
        },
        name,
      )
    }
    const users: ReadonlyArray<
      [name: string, atLogin: string[], now: string[], scope: string]
    > = [
      ['without the role', ['buyer'], ['buyer'], 'scim'],
      ['who has lost the role', ['operator'], ['buyer'], 'scim'],
      [
        'whose role is a member of every object',
        ['constructor'],
        ['constructor'],
        'scim',
      ],
      ['without the scope', ['operator'], ['operator'], 'profile'],
    ]
    for (const [name, atLogin, roles, scope] of users) {
      const token = await userToken(server, atLogin, scope)
      await server.accounts.setAccess('alice', { scopes: null, roles })
      const answer = await ask(server, `Bearer ${token}`)
      t.equal(answer.statusCode, 403, `a user ${name}`)
      t.match(answer.headers['www-authenticate'], /error="insufficient_scope"/)
    }
    const late = await tokenOf(server, 'hr')
    server.clock.advance(3_600_000)
    t.equal((await ask(server, `Bearer ${late}`)).statusCode, 401, 'expired')
  })
}

t.test('a scope that is taken from a client is gone at once', async t => {
  const server = await guarded(t)
  const token = await tokenOf(server, 'reader')
  server.clients.replace([machine('reader', [])])
  t.equal((await ask(server, `Bearer ${token}`)).statusCode, 403)
  server.clients.replace([])
  t.equal((await ask(server, `Bearer ${token}`)).statusCode, 401)
})

t.test('one caller waits, and others do not', async t => {
  const server = await guarded(t)
  server.live.maxPerCaller = 2
  for (let count = 0; count < 2; count++) {
    t.equal((await ask(server, `Bearer ${TOKEN}`)).statusCode, 200)
  }
  const refused = await ask(server, `Bearer ${NEXT_TOKEN}`)
  t.equal(refused.statusCode, 429, 'both tokens are one caller')
  t.equal(refused.headers['retry-after'], '60')
  t.equal((await ask(server, `Bearer ${READER}`)).statusCode, 200)
})

t.test('an address that sends tokens of nobody waits', async t => {
  const server = await guarded(t)
  server.live.maxForged = 2
  for (const status of [401, 401, 429]) {
    t.equal((await ask(server, `Bearer lks_${'x'.repeat(43)}`)).statusCode, status)
  }
  t.equal((await ask(server, `Bearer ${TOKEN}`)).statusCode, 200, 'good ones go on')
})

t.test('a token that is bound to a key', async t => {
  const server = await guarded(t)
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256')
  const jwk = await jose.exportJWK(publicKey)
  const proof = (claims: jose.JWTPayload) =>
    new jose.SignJWT({ jti: Math.random().toString(), ...claims })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
      .setIssuedAt(Math.floor(server.clock() / 1000))
      .sign(privateKey)
  const params = {
    grant_type: 'client_credentials',
    client_id: 'hr',
    client_secret: 'hr-secret',
  }
  const atToken = await proof({ htm: 'POST', htu: `${ISSUER}/token` })
  const token: string = (await server.post('/token', params, { dpop: atToken })).json()
    .access_token
  const ath = createHash('sha256').update(token).digest('base64url')
  const askBound = async (htu: string) =>
    ask(server, `DPoP ${token}`, { dpop: await proof({ htm: 'GET', htu, ath }) })

  t.equal((await ask(server, `Bearer ${token}`)).statusCode, 401, 'as a bearer token')
  const unknown = await askBound(`http://127.0.0.1:3001${PATH}`)
  t.equal(unknown.statusCode, 401, 'nobody says where the listener is')
  t.match(unknown.headers['www-authenticate'], /^DPoP .*invalid_dpop_proof/)
  server.live.managementUrl = 'https://management.example.com/'
  t.equal((await askBound(`https://management.example.com${PATH}`)).statusCode, 200)
  t.equal((await askBound(`https://elsewhere.example.com${PATH}`)).statusCode, 401)
})

t.test(
  'a bound token for another audience is refused with its own challenge',
  async t => {
    const server = await guarded(t)
    server.live.managementUrl = 'https://management.example.com'
    const { publicKey, privateKey } = await jose.generateKeyPair('ES256')
    const jwk = await jose.exportJWK(publicKey)
    const proof = (claims: jose.JWTPayload) =>
      new jose.SignJWT({ jti: Math.random().toString(), ...claims })
        .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
        .setIssuedAt(Math.floor(server.clock() / 1000))
        .sign(privateKey)
    const answer = await server.post(
      '/token',
      {
        grant_type: 'client_credentials',
        client_id: 'elsewhere',
        client_secret: 'elsewhere-secret',
      },
      { dpop: await proof({ htm: 'POST', htu: `${ISSUER}/token` }) },
    )
    const token: string = answer.json().access_token
    const ath = createHash('sha256').update(token).digest('base64url')
    const refused = await ask(server, `DPoP ${token}`, {
      dpop: await proof({
        htm: 'GET',
        htu: `https://management.example.com${PATH}`,
        ath,
      }),
    })
    t.equal(refused.statusCode, 401)
    t.match(refused.headers['www-authenticate'], /^DPoP .*invalid_token/)
  },
)

t.test(
  'unknown paths and methods have the form of SCIM there, and only there',
  async t => {
    const server = await guarded(t)
    const rows = [
      ['GET', '/scim/v2/Nothing', 404, /scim\+json/],
      ['DELETE', PATH, 405, /scim\+json/],
      ['GET', '/nothing', 404, /^application\/json/],
    ] as const
    for (const [method, url, status, type] of rows) {
      const answer = await server.management.inject({ method, url })
      t.equal(answer.statusCode, status)
      t.match(answer.headers['content-type'], type)
    }
    const plain = await ask(server, `Bearer ${TOKEN}`, { accept: 'application/json' })
    t.match(plain.headers['content-type'], /^application\/json/)
  },
)

t.test('a route that did not ask the guard knows no caller', async t => {
  const { core } = await guarded(t)
  const { callerOf, onBehalf } = createParts({
    core,
    guard: async () => {
      throw new Error('nobody asks')
    },
    settings: { roles: () => ({}) },
  })
  const app = fastify()
  app.get('/', async request => {
    t.throws(() => callerOf(request), { message: /guard was not asked/ })
    t.throws(() => onBehalf(request), { message: /guard was not asked/ })
    return {}
  })
  t.equal((await app.inject('/')).statusCode, 200)
  await app.close()
})
