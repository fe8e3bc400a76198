// Keys in a PKCS#11 token, with a driver that plays one (test/support/fake-pkcs11.js); pkcs11.tools.ts does
// the same with SoftHSM.
import { generateKeyPairSync } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { openSource } from '../../src/keys/external/open-key-source.ts'
import type { Pkcs11Options } from '../../src/keys/external/pkcs11.ts'
import { attempt, openToken } from '../../src/keys/external/pkcs11-token.ts'
import type { ExternalKey } from '../../src/keys/external/key-source.ts'
import type { AccessTokenClaims } from '../../src/tokens/access-token.ts'
import { createJwtSigner } from '../../src/tokens/sign-jwt.ts'
import { buildTestApp, PASSWORD } from '../support/app.ts'
import { driver, DRIVER, EC, ED, pemOf, RSA, tokenOf } from '../support/pkcs11.ts'
import { until } from '../support/until.ts'

const P384 = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }))
const ED448 = pemOf(generateKeyPairSync('ed448'))
const SECP256K1 = pemOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }))
const SHORT_RSA = pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }))
const X25519 = pemOf(generateKeyPairSync('x25519'))
const claims: AccessTokenClaims = {
  iss: 'https://id.example.com',
  sub: 'u',
  aud: 'a',
  client_id: 'c',
  iat: 1,
  exp: 2,
  jti: 'j',
  sid: 's',
  auth_time: 1,
}

t.test(
  'a token lists the keys that can sign here, and signs with each as a verifier expects it',
  async t => {
    const keys = [
      { label: '2026-11', pem: EC },
      { label: 'rsa', pem: RSA },
      { label: 'ed', pem: ED },
      { label: 'p384', pem: P384 },
      { label: 'x', pem: X25519 },
      { label: 'ed448', pem: ED448 },
      { label: 'secp256k1', pem: SECP256K1 },
      { label: 'short', pem: SHORT_RSA },
      { label: 'lonely', pem: EC, private: true },
    ]
    const { open } = tokenOf(t, keys)
    const source = await open()
    t.match(source.keys(), [
      {
        name: '2026-11',
        alg: 'ES256',
        publicJwk: { kty: 'EC', crv: 'P-256' },
        kid: /^[\w-]{43}$/,
      },
      { name: 'rsa', alg: 'RS256', publicJwk: { kty: 'RSA', e: 'AQAB' } },
      { name: 'ed', alg: 'EdDSA', publicJwk: { kty: 'OKP', crv: 'Ed25519' } },
    ])
    t.equal(source.keys().length, 3)
    t.equal(source.keys(), source.keys())
    for (const key of source.keys()) await verifies(t, key)
  },
)

t.test('an RSA key signs with the algorithm that is asked for', async t => {
  const { open } = tokenOf(t, [{ label: 'key', pem: RSA }])
  const [key] = (await open({ algorithms: ['ES256', 'PS256'] })).keys()
  if (key === undefined) throw new Error('no key')
  t.equal(key.alg, 'PS256')
  await verifies(t, key)
})

/** Signs a token with the key, and verifies it as a resource server does. */
async function verifies(
  t: Test,
  { kid, alg, publicJwk, signing }: ExternalKey,
): Promise<void> {
  const token = await createJwtSigner(() => ({ kid, alg, ...signing }))(claims, 'at+jwt')
  const verified = await jwtVerify(
    token,
    createLocalJWKSet({
      keys: [
        {
          ...publicJwk,
          kty: String(publicJwk['kty']),
          kid,
          alg,
        },
      ],
    }),
    { currentDate: new Date(1500) },
  )
  t.match(
    verified,
    { protectedHeader: { alg, typ: 'at+jwt', kid }, payload: claims },
    alg,
  )
}

t.test("a token that can't be opened stops the start and tells no PIN", async t => {
  const { open, module } = tokenOf(t, [])
  const rows: [name: string, options: Partial<Pkcs11Options>, cause: RegExp][] = [
    ['another token', { token: 'other' }, /no token other/],
    ['a wrong PIN', { pin: '9876' }, /CKR_PIN_INCORRECT/],
    ['no library', { module: '/nowhere.so' }, /ENOENT/],
    ['no driver', { driver: '/nowhere.js' }, /Cannot find module/],
    [
      'a driver that takes too long',
      {
        driver:
          'data:text/javascript,await new Promise(() => setInterval(() => {}, 1000))',
        openMs: 300,
      },
      /aborted/,
    ],
    [
      'a driver that crashes',
      { driver: 'data:text/javascript,process.exit(4)' },
      /ended with 4/,
    ],
    [
      'a driver that speaks for itself',
      { driver: 'data:text/javascript,process.send({ id: 1 })' },
      /lists no keys/,
    ],
  ]
  for (const [name, options, cause] of rows) {
    const error = await open(options).then(
      () => undefined,
      (error: unknown) => error,
    )
    t.match(
      error,
      { message: 'keys.pkcs11: the token cannot be opened', cause: { message: cause } },
      name,
    )
    t.notMatch(String(error) + String(Object(error).cause), '9876')
  }
  const source = await openSource(
    {
      pkcs11: {
        driver: DRIVER,
        module,
        token: 'latchkey',
        pin: '1234',
      },
    },
    {
      algorithm: 'ES256',
      rotateEveryMs: 1,
      publishAheadMs: 1,
      accessTtlMs: 1,
    },
  )
  t.same(source?.keys(), [])
  await source?.close()
})

t.test(
  'a ring signs with the token; the token endpoint says 503 when it is away',
  async t => {
    const { write, open } = tokenOf(t, [{ label: 'key', pem: EC }])
    const source = await open({ signMs: 1_000 })
    const server = await buildTestApp({ source })
    t.teardown(() => server.close())
    const answer = await server.login()
    t.match(await server.introspect(answer.access_token), { active: true })
    t.match(server.keys.describe(), [{ state: 'signing', isElsewhere: true }])
    t.notMatch(JSON.stringify(await server.store.keys.load()), /sealed":"/)
    await source.close()
    const away = await server.post('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: 'alice',
      password: PASSWORD,
    })
    t.match(away, { statusCode: 503, headers: { 'retry-after': /\d/ } })
    t.equal(away.json().error, 'temporarily_unavailable')
    t.match(server.lines.join(), 'the signer is unavailable')
    const again = await server.refresh(answer.refresh_token)
    t.equal(again.statusCode, 503, 'and ends no session')
    write([{ label: 'key', pem: EC }])
    await until(
      async () => (await server.refresh(answer.refresh_token)).statusCode === 200,
    )
  },
)

t.test("a token names what it can't do", async t => {
  const { module } = tokenOf(t, [
    { label: 'ec', pem: EC },
    { label: 'ed', pem: ED },
    { label: 'rsa', pem: RSA },
    { label: 'x', pem: X25519 },
    { label: 'lonely', pem: EC, private: true },
  ])
  const options = {
    module,
    token: 'latchkey',
    pin: '1234',
    algorithms: ['ES256'],
  }
  const { keys, sign } = openToken(driver, options)
  t.same(
    keys.map(({ name, alg }) => [name, alg]),
    [
      ['ec', 'ES256'],
      ['ed', 'EdDSA'],
      ['rsa', 'RS256'],
    ],
  )
  for (const index of keys.keys()) t.ok(sign(index, Buffer.from('data')).length >= 64)
  t.throws(() => sign(9, Buffer.from('data')), { name: 'TypeError', message: 'no key 9' })
  t.match(
    attempt(() => sign(9, Buffer.from('data'))),
    { fault: /no key 9/ },
  )
  t.match(
    attempt(() => Buffer.from('s')),
    { signature: Buffer.from('s') },
  )
  t.throws(() => openToken(driver, { ...options, token: 'other' }), /no token other/)
  // A library that doesn't tell labels.
  class Silent extends driver.PKCS11 {
    override C_GetAttributeValue(
      ...args: Parameters<InstanceType<typeof driver.PKCS11>['C_GetAttributeValue']>
    ) {
      return args[2][0]?.type === 3 ? [] : super.C_GetAttributeValue(...args)
    }
  }
  t.same(
    openToken({ PKCS11: Silent }, options).keys.map(({ name }) => name),
    ['', '', ''],
  )
})

t.test('an empty token stops the start', async t => {
  const { open } = tokenOf(t, [])
  await t.rejects(buildTestApp({ source: await open() }), /no key to sign with/)
})
