// Keys in a PKCS#11 token, with a driver that plays one (test/support/fake-pkcs11.js); pkcs11.tools.ts does
// the same with SoftHSM.
import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLocalJWKSet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { openSource } from '../../src/keys/open-source.ts'
import { openPkcs11, type Pkcs11Options } from '../../src/keys/pkcs11.ts'
import { attempt, openToken, type Driver } from '../../src/keys/pkcs11-token.ts'
import {
  SignerUnavailable,
  type ExternalKey,
  type KeySource,
} from '../../src/keys/source.ts'
import type { AccessTokenClaims } from '../../src/tokens/access-token.ts'
import { createJwtSigner } from '../../src/tokens/sign-jwt.ts'
import { buildTestApp, PASSWORD } from '../support/app.ts'
import { until } from '../support/until.ts'

const { default: driver }: { default: Driver } = await import(
  '../support/fake-pkcs11.js' as string
)
const DRIVER = new URL('../support/fake-pkcs11.js', import.meta.url).pathname
const pemOf = ({ privateKey }: KeyPairKeyObjectResult) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const EC = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
const RSA = pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
const ED = pemOf(generateKeyPairSync('ed25519'))
const P384 = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }))
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

interface FakeKey {
  readonly label: string
  readonly pem: string
  readonly private?: boolean
  readonly does?: string
}

/** A token with these keys, and how to open it. */
function tokenOf(t: Test, keys: readonly FakeKey[]) {
  const module = join(t.testdir({}), 'token.json')
  const write = (keys: readonly FakeKey[]) => {
    writeFileSync(module, JSON.stringify({ token: 'latchkey', pin: '1234', keys }))
  }
  write(keys)
  const open = async (more: Partial<Pkcs11Options> = {}): Promise<KeySource> => {
    const source = await openPkcs11({
      driver: DRIVER,
      module,
      token: 'latchkey',
      pin: '1234',
      algorithms: ['ES256'],
      ...more,
    })
    t.teardown(() => source.close())
    return source
  }
  return { module, write, open }
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
      /out of turn/,
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
  'a token that fails is opened anew; what it was asked meanwhile fails as a signer, not as a verdict',
  async t => {
    const { write, open } = tokenOf(t, [{ label: 'key', pem: EC, does: 'refuse' }])
    const faults: unknown[] = []
    const source = await open({ signMs: 300, intervalMs: 1_000 })
    source.watch(error => faults.push(error))
    const [key] = source.keys()
    const sign = async () =>
      key !== undefined && 'sign' in key.signing
        ? key.signing.sign(Buffer.from('data'))
        : Buffer.alloc(0)
    const causes: [does: string | undefined, cause: RegExp][] = [
      ['refuse', /CKR_FUNCTION_FAILED/],
      ['crash', /ended with 3|no such key/],
      ['hang', /no signature within 300 ms/],
    ]
    for (const [does, cause] of causes) {
      write([{ label: 'key', pem: EC, ...(does !== undefined && { does }) }])
      await until(async () => {
        const error = await sign().then(
          () => undefined,
          (error: unknown) => error,
        )
        return error instanceof SignerUnavailable && cause.test(String(error.cause))
      })
    }
    write([{ label: 'key', pem: EC }])
    await until(() =>
      sign().then(
        () => true,
        () => false,
      ),
    )
    t.equal(source.keys()[0], key, 'the same key all the time')
    write([{ label: 'key', pem: EC, does: 'crash' }])
    await until(() =>
      sign().then(
        () => false,
        () => true,
      ),
    )
    writeFileSync(tokenOf(t, []).module, 'x')
  },
)

t.test(
  'a token that fails while nobody watches it fails as a signer, and goes on being tried',
  async t => {
    const { open, module } = tokenOf(t, [{ label: 'key', pem: EC, does: 'refuse' }])
    const source = await open()
    writeFileSync(module, 'no token')
    const [key] = source.keys()
    await t.rejects(
      async () =>
        key !== undefined &&
        'sign' in key.signing &&
        key.signing.sign(Buffer.from('data')),
      SignerUnavailable,
    )
    await source.close()
  },
)

t.test('new keys of a watched token are seen', async t => {
  const { write, open, module } = tokenOf(t, [{ label: 'a', pem: EC }])
  const source = await open({ intervalMs: 50, signMs: 50 })
  const faults: unknown[] = []
  source.watch(error => faults.push(error))
  const before = source.keys()
  write([
    { label: 'a', pem: EC },
    { label: 'b', pem: ED },
  ])
  await until(async () => source.keys().length === 2)
  t.not(source.keys(), before)
  writeFileSync(module, 'no token')
  await until(async () => faults.length > 0)
  t.match(faults[0], { message: 'keys.pkcs11: the token cannot be opened' })
  t.equal(source.keys().length, 2)
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
