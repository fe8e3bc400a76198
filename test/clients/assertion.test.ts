// private_key_jwt (RFC 7523, OIDC Core §9) at the real endpoints, on both stores; keys in the configuration
// and from a real key server.
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import * as jose from 'jose'
import t, { type Test } from 'tap'
import { createGuardedFetch, isPublicAddress } from '../../src/clients/guarded-fetch.ts'
import { basic, compact, refused, serverOn, STORES } from '../conformance/helpers.ts'
import { client, CLIENTS, ISSUER, PASSWORD, type TestApp } from '../support/app.ts'
import { SOON_MS } from '../support/until.ts'

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const loginForm = { grant_type: 'password', username: 'alice', password: PASSWORD }

async function makeKey(alg = 'ES256', kid?: string) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  return {
    alg,
    kid,
    privateKey,
    jwk: { ...(await jose.exportJWK(publicKey)), alg, ...(kid !== undefined && { kid }) },
  }
}
type Key = Awaited<ReturnType<typeof makeKey>>

const [mine, second, other] = await Promise.all([makeKey(), makeKey(), makeKey()])
const named = [
  await makeKey('EdDSA', 'ed'),
  await makeKey('PS256', 'ps'),
  await makeKey('RS256', 'rs'),
]
const ed25519 = await makeKey('Ed25519', 'ed25519')

type Changes = {
  claims?: object
  header?: object
  key?: Key
  id?: string
}

const signed = (
  { clock }: Pick<TestApp, 'clock'>,
  { claims = {}, header = {}, key = mine, id = 'batch' }: Changes = {},
) => {
  const now = Math.floor(clock() / 1000)
  return new jose.SignJWT({
    iss: id,
    sub: id,
    aud: ISSUER,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
    ...claims,
  })
    .setProtectedHeader({
      alg: key.alg,
      ...(key.kid !== undefined && { kid: key.kid }),
      ...header,
    })
    .sign(key.privateKey)
}
const asserted = (assertion: string, more = {}) => ({
  client_assertion_type: TYPE,
  client_assertion: assertion,
  ...more,
})

const clients = [
  ...CLIENTS,
  client('batch', { keys: [mine.jwk, second.jwk] }),
  client('named', { keys: [...named, ed25519].map(({ jwk }) => jwk) }),
  client('lenient', {
    keys: [mine.jwk],
    assertionAudience: 'endpoint',
    assertionMaxAge: 3_600_000,
  }),
  client('brief', { keys: [mine.jwk], assertionMaxAge: 60_000 }),
]

for (const store of STORES) {
  t.test(`private_key_jwt on ${store}`, async t => {
    const server = await serverOn(t, store, { clients })
    const { post } = server

    t.test(
      'a client with keys logs users in, refreshes, introspects and revokes',
      async t => {
        const first = await post('/token', {
          ...loginForm,
          ...asserted(await signed(server)),
        })
        t.equal(first.statusCode, 200, first.body)
        const { access_token: token, refresh_token: refresh } = first.json()
        t.equal(
          (
            await post('/token', {
              grant_type: 'refresh_token',
              refresh_token: refresh,
              ...asserted(await signed(server, { key: second })),
            })
          ).statusCode,
          200,
          'by its second key',
        )
        t.match(
          (
            await post('/introspect', { token, ...asserted(await signed(server)) })
          ).json(),
          { active: true, client_id: 'batch' },
        )
        t.equal(
          (
            await post('/revoke', {
              token,
              ...asserted(await signed(server), { client_id: 'batch' }),
            })
          ).statusCode,
          200,
        )
        t.same(
          (
            await post('/introspect', { token, ...asserted(await signed(server)) })
          ).json(),
          { active: false },
        )
        // An Ed25519 key is taken under both of its names, whichever its JWK has (RFC 9864 §2.2).
        const [ed] = named
        const edKeys =
          ed === undefined
            ? []
            : [
                { ...ed, alg: 'Ed25519' },
                { ...ed25519, alg: 'EdDSA' },
              ]
        for (const key of [...named, ed25519, ...edKeys]) {
          t.equal(
            (
              await post('/token', {
                ...loginForm,
                ...asserted(await signed(server, { key, id: 'named' })),
              })
            ).statusCode,
            200,
            key.alg,
          )
        }
        t.equal(
          (
            await post('/token', {
              ...loginForm,
              ...asserted(await signed(server, { claims: { aud: [ISSUER] } })),
            })
          ).statusCode,
          200,
          'a list of one audience',
        )
      },
    )

    t.test('an assertion is taken once, also by two at once', async t => {
      const assertion = await signed(server)
      const answers = await Promise.all(
        Array.from({ length: 4 }, () =>
          post('/token', { ...loginForm, ...asserted(assertion) }),
        ),
      )
      t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 401, 401, 401])
      for (const answer of answers.filter(({ statusCode }) => statusCode === 401)) {
        refused(t, answer, { status: 401, error: 'invalid_client' })
      }
    })
  })
}

t.test('assertions that prove nothing', async t => {
  const server = await serverOn(t, 'SQLite', { clients })
  const now = Math.floor(server.clock() / 1000)
  const C401 = { status: 401, error: 'invalid_client' }
  const hmac = await new jose.SignJWT({
    iss: 'batch',
    sub: 'batch',
    aud: ISSUER,
    jti: 'a',
    exp: now + 60,
  })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(JSON.stringify(mine.jwk)))
  const none = compact(
    { alg: 'none' },
    {
      iss: 'batch',
      sub: 'batch',
      aud: ISSUER,
      jti: 'a',
      exp: now + 60,
    },
    () => Buffer.alloc(0),
  )
  const rows: [name: string, assertion: string][] = [
    ['another key', await signed(server, { key: other })],
    ["another client's key", await signed(server, { key: mine, id: 'named' })],
    [
      'an unknown kid',
      await signed(server, { key: { ...(named[0] ?? mine), kid: 'zz' }, id: 'named' }),
    ],
    ['an unknown client', await signed(server, { id: 'nobody' })],
    ['a client without keys', await signed(server, { id: 'mobile' })],
    ['a client with secrets', await signed(server, { id: 'web' })],
    [
      'the token endpoint as audience',
      await signed(server, { claims: { aud: `${ISSUER}/token` } }),
    ],
    [
      'another server',
      await signed(server, { claims: { aud: 'https://other.example' } }),
    ],
    [
      'us and others',
      await signed(server, { claims: { aud: [ISSUER, 'https://other.example'] } }),
    ],
    ['no audience', await signed(server, { claims: { aud: undefined } })],
    ['another issuer', await signed(server, { claims: { iss: 'named' } })],
    ['no subject', await signed(server, { claims: { sub: undefined } })],
    ['expired', await signed(server, { claims: { exp: now - 31 } })],
    ['no expiry', await signed(server, { claims: { exp: undefined } })],
    ['good for too long', await signed(server, { claims: { exp: now + 601 } })],
    ['not good yet', await signed(server, { claims: { nbf: now + 60 } })],
    ['no jti', await signed(server, { claims: { jti: undefined } })],
    ['a number as jti', await signed(server, { claims: { jti: 7 } })],
    ['a long jti', await signed(server, { claims: { jti: 'x'.repeat(257) } })],
    ['HS256 with the public key', hmac],
    ['alg none', none],
    ['no JWT', 'a.b.c'],
    ['too long', await signed(server, { claims: { padding: 'x'.repeat(5000) } })],
  ]
  for (const [name, assertion] of rows) {
    refused(
      t,
      await server.post('/token', { ...loginForm, ...asserted(assertion) }),
      C401,
      name,
    )
  }
  const R400 = { status: 400, error: 'invalid_request' }
  refused(
    t,
    await server.post('/token', { ...loginForm, client_assertion: await signed(server) }),
    R400,
    'no type',
  )
  refused(
    t,
    await server.post('/token', {
      ...loginForm,
      client_assertion: await signed(server),
      client_assertion_type: 'saml',
    }),
    R400,
    'another type',
  )
  refused(
    t,
    await server.post('/token', {
      ...loginForm,
      ...asserted(await signed(server)),
      client_id: 'web',
    }),
    R400,
    'another client_id',
  )
  refused(
    t,
    await server.post('/token', {
      ...loginForm,
      ...asserted(await signed(server)),
      client_secret: 'x',
    }),
    R400,
    'two methods',
  )
  refused(
    t,
    await server.post(
      '/token',
      { ...loginForm, ...asserted(await signed(server)) },
      basic('web', 'web-secret'),
    ),
    R400,
    'two methods',
  )
  refused(
    t,
    await server.post('/token', { ...loginForm, client_id: 'batch' }),
    C401,
    'nothing at all',
  )
  refused(
    t,
    await server.post('/token', { ...loginForm, client_id: 'batch', client_secret: 'x' }),
    C401,
    'a secret',
  )
  t.match((await server.app.inject('/.well-known/oauth-authorization-server')).json(), {
    token_endpoint_auth_methods_supported: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'none',
    ],
    token_endpoint_auth_signing_alg_values_supported: [
      'ES256',
      'EdDSA',
      'Ed25519',
      'PS256',
      'RS256',
    ],
  })
})

t.test(
  'a client may name the token endpoint, and let its assertions live longer',
  async t => {
    const server = await serverOn(t, 'SQLite', { clients })
    const { clock, metrics } = server
    const now = Math.floor(clock() / 1000)
    const ask = async (id: string, claims: object) =>
      server.post('/token', {
        ...loginForm,
        ...asserted(await signed(server, { id, claims })),
      })
    const [endpoint, elsewhere] = [`${ISSUER}/token`, 'https://other.example']
    for (const [id, claims] of [
      ['lenient', {}],
      ['lenient', { aud: endpoint, exp: now + 3600 }],
      ['lenient', { aud: [endpoint] }],
      // The client's clock is ahead of ours.
      ['lenient', { iat: now + 20, exp: now + 3620 }],
      ['lenient', { iat: undefined, exp: now + 3600 }],
      ['brief', { exp: now + 60 }],
    ] as const) {
      t.equal((await ask(id, claims)).statusCode, 200, JSON.stringify([id, claims]))
    }
    const only = `the audience (aud) of the assertion must be ${ISSUER} and nothing else, and is`
    const either = only.replace(ISSUER, `${ISSUER} or ${endpoint}`)
    for (const [id, claims, description] of [
      ['batch', { aud: endpoint }, `${only} ${endpoint}`],
      ['batch', { aud: undefined }, `${only} none`],
      ['batch', { aud: ['"\\é\n', elsewhere] }, `${only} ????, ${elsewhere}`],
      ['batch', { aud: 'a'.repeat(300) }, `${only} ${'a'.repeat(200)}`],
      ['batch', { aud: [ISSUER, elsewhere] }, `${only} ${ISSUER}, ${elsewhere}`],
      ['lenient', { aud: elsewhere }, `${either} ${elsewhere}`],
      ['lenient', { aud: [ISSUER, endpoint] }, `${either} ${ISSUER}, ${endpoint}`],
      ['lenient', { exp: now + 3601 }, longLife(3601, 3600)],
      ['lenient', { iat: now + 60, exp: now + 3631 }, longLife(3601, 3600)],
      ['brief', { exp: now + 61 }, longLife(61, 60)],
      ['batch', { exp: now + 601 }, longLife(601, 600)],
    ] as const) {
      const answer = await ask(id, claims)
      refused(t, answer, { status: 401, error: 'invalid_client' })
      t.equal(answer.json().error_description, description)
    }
    t.match(await metrics.render(), 'reason="assertion_audience_wrong"} 7')
  },
)

const longLife = (life: number, most: number) =>
  `the assertion lives for ${life} s, and may live for ${most} s (assertionMaxAge)`

t.test('a store that fails is no verdict on an assertion', async t => {
  const server = await serverOn(t, 'SQLite', { clients })
  await server.store.close()
  refused(
    t,
    await server.post('/token', { ...loginForm, ...asserted(await signed(server)) }),
    { status: 503, error: 'temporarily_unavailable' },
  )
})

/** A key server; what it answers can be changed. */
async function keyServer(t: Test) {
  const answer = {
    status: 200,
    body: '',
    asked: 0,
    hang: false,
    location: '',
  }
  const http = createServer((_request, response) => {
    answer.asked += 1
    if (!answer.hang) {
      response
        .writeHead(answer.status, {
          'content-type': 'application/json',
          ...(answer.location !== '' && { location: answer.location }),
        })
        .end(answer.body)
    }
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => {
    http.closeAllConnections()
    http.close()
  })
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    answer,
    url: `http://127.0.0.1:${address.port}/jwks.json`,
    localhost: `http://localhost:${address.port}/jwks.json`,
  }
}

t.test('keys are fetched from jwksUri, and kept', async t => {
  const { answer, url, localhost } = await keyServer(t)
  const key = await makeKey('ES256', 'one')
  answer.body = JSON.stringify({ keys: [key.jwk] })
  const remote = (id: string, jwksUri: string, jwksUriMayBePrivate = true) =>
    client(id, { jwksUri, jwksUriMayBePrivate })
  const server = await serverOn(t, 'SQLite', {
    clients: [
      remote('far', url),
      remote('same', url),
      remote('named-host', localhost),
      remote('guarded', url, false),
      remote('guarded-host', localhost, false),
    ],
  })
  const login = async (id: string, changes: Changes = {}) =>
    server.post('/token', {
      ...loginForm,
      ...asserted(await signed(server, { id, key, ...changes })),
    })

  t.equal((await login('far')).statusCode, 200)
  t.equal((await login('far')).statusCode, 200)
  t.equal((await login('same')).statusCode, 200)
  t.equal(answer.asked, 1, 'asked once')
  refused(
    t,
    await login('far', { key: other, header: { kid: 'two' } }),
    { status: 401, error: 'invalid_client' },
    "a stranger's kid makes us ask nobody within the cooldown",
  )
  t.equal(answer.asked, 1)
  t.equal((await login('named-host')).statusCode, 200)
  for (const id of ['guarded', 'guarded-host']) {
    refused(
      t,
      await login(id),
      { status: 503, error: 'temporarily_unavailable' },
      `${id}: a private address isn't asked`,
    )
  }
  t.equal(answer.asked, 2)
})

t.test('of fetched keys, those that prove nothing are skipped', async t => {
  const { answer, url } = await keyServer(t)
  const good = await makeKey('Ed25519', 'good')
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const { n } = short.publicKey.export({ format: 'jwk' })
  answer.body = JSON.stringify({
    keys: [
      null,
      { kty: 'RSA', n, e: 'AQ', kid: 'forged' },
      { ...mine.jwk, use: 'enc' },
      await jose.exportJWK(second.privateKey),
      good.jwk,
    ],
  })
  const server = await serverOn(t, 'SQLite', {
    clients: [client('far', { jwksUri: url, jwksUriMayBePrivate: true })],
  })
  const login = async (assertion: string) =>
    server.post('/token', { ...loginForm, ...asserted(assertion) })
  for (const alg of ['EdDSA', 'Ed25519']) {
    const key = { ...good, alg }
    t.equal((await login(await signed(server, { id: 'far', key }))).statusCode, 200, alg)
  }
  const now = Math.floor(server.clock() / 1000)
  const forged = compact(
    { alg: 'RS256', kid: 'forged' },
    { iss: 'far', sub: 'far', aud: ISSUER, jti: randomUUID(), exp: now + 60 },
    // With the exponent 1 the padded digest is its own signature.
    input => paddedDigest(input, 128),
  )
  for (const assertion of [
    forged,
    await signed(server, { id: 'far', key: mine }),
    await signed(server, { id: 'far', key: second }),
  ]) {
    refused(t, await login(assertion), { status: 401, error: 'invalid_client' })
  }
})

/** RFC 8017 §9.2: EMSA-PKCS1-v1_5 with SHA-256. */
function paddedDigest(data: Buffer, bytes: number): Buffer {
  const info = Buffer.from('3031300d060960864801650304020105000420', 'hex')
  const tail = Buffer.concat([info, createHash('sha256').update(data).digest()])
  const padding = Buffer.alloc(bytes - tail.length - 3, 0xff)
  return Buffer.concat([Buffer.from([0, 1]), padding, Buffer.from([0]), tail])
}

t.test("keys that can't be had are a fault and no verdict", async t => {
  const { answer, url } = await keyServer(t)
  const cases: [name: string, change: Partial<typeof answer>][] = [
    ['an error', { status: 500, body: '{}' }],
    ['no JSON', { body: '<html>' }],
    ['too much', { body: JSON.stringify({ keys: [], padding: 'x'.repeat(70_000) }) }],
    ['a redirect', { status: 302, location: 'http://127.0.0.1:1/' }],
    ['no answer', { hang: true }],
  ]
  for (const [name, change] of cases) {
    Object.assign(
      answer,
      {
        status: 200,
        body: '{"keys":[]}',
        hang: false,
        location: '',
      },
      change,
    )
    const server = await serverOn(t, 'SQLite', {
      clients: [client('far', { jwksUri: url, jwksUriMayBePrivate: true })],
    })
    const before = performance.now()
    refused(
      t,
      await server.post('/token', {
        ...loginForm,
        ...asserted(await signed(server, { id: 'far' })),
      }),
      { status: 503, error: 'temporarily_unavailable' },
      name,
    )
    t.ok(performance.now() - before < SOON_MS, 'soon')
  }
  Object.assign(answer, {
    status: 200,
    hang: false,
    location: '',
    body: JSON.stringify({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: 'AAAA',
          y: 'AAAA',
          alg: 'ES256',
        },
      ],
    }),
  })
  const unreadable = await serverOn(t, 'SQLite', {
    clients: [client('far', { jwksUri: url, jwksUriMayBePrivate: true })],
  })
  refused(
    t,
    await unreadable.post('/token', {
      ...loginForm,
      ...asserted(await signed(unreadable, { id: 'far' })),
    }),
    { status: 401, error: 'invalid_client' },
    'a key that is none is skipped',
  )
  answer.body = '{"no":"keys"}'
  const server = await serverOn(t, 'SQLite', {
    clients: [client('far', { jwksUri: url, jwksUriMayBePrivate: true })],
  })
  refused(
    t,
    await server.post('/token', {
      ...loginForm,
      ...asserted(await signed(server, { id: 'far' })),
    }),
    { status: 503, error: 'temporarily_unavailable' },
    'a document that is no key set',
  )
})

t.test('private and reserved addresses are told from public ones', async t => {
  for (const address of ['8.8.8.8', '2606:4700::1111']) {
    t.ok(isPublicAddress(address), address)
  }
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    'localhost',
    '',
  ]) {
    t.notOk(isPublicAddress(address), address)
  }
  const guarded = createGuardedFetch({ allowPrivate: false })
  for (const url of [
    'http://127.0.0.1/',
    'http://[::1]/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://localhost/',
    'http://no-such-host.invalid/',
  ]) {
    await t.rejects(guarded(url), url)
  }
})
