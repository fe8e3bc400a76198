// The one table of algorithms: which keys are whose, and which public keys of others are taken.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type JsonWebKey,
} from 'node:crypto'
import * as jose from 'jose'
import t from 'tap'
import {
  ALGORITHM_NAMES,
  algorithmNamed,
  algorithmsFor,
  ED25519,
  isKeyFor,
  isPair,
  isSignedBy,
  JOSE_NAMES,
  P256 as P256_CURVE,
  PROBE,
  requireAlgorithm,
} from '../../src/oauth/algorithms.ts'
import { faultOf, usableKeys } from '../../src/oauth/public-jwk.ts'
import { withEvenPrime } from '../support/damaged-keys.ts'

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const rsa = (modulusLength: number, publicExponent?: number) =>
  generateKeyPairSync('rsa', {
    modulusLength,
    ...(publicExponent !== undefined && { publicExponent }),
  })
const jwkOf = (pair: ReturnType<typeof ec>) => pair.publicKey.export({ format: 'jwk' })

const P256 = ec('P-256')
const RSA = rsa(2048)
const ED = generateKeyPairSync('ed25519')

/** A modulus and an exponent of these bits that belong to nobody. */
const numbers = (bits: number, exponentBits: number) => ({
  kty: 'RSA',
  n: odd(bits),
  e: odd(exponentBits),
})
function odd(bits: number): string {
  const bytes = randomBytes(Math.ceil(bits / 8))
  const first = (bytes[0] ?? 0) & ((1 << (((bits - 1) % 8) + 1)) - 1)
  bytes[0] = first | (1 << ((bits - 1) % 8))
  const last = bytes.length - 1
  bytes[last] = (bytes[last] ?? 0) | 1
  return bytes.toString('base64url')
}

t.test('the curves are what OpenSSL has under their names', async t => {
  const { publicKey } = P256
  const { x = '', y = '', ...p256 } = publicKey.export({ format: 'jwk' })
  t.match(
    publicKey.export({ format: 'der', type: 'spki' }).toString('hex'),
    P256_CURVE.oid,
  )
  t.match(P256_CURVE, p256)
  const { x: edX = '', ...ed } = ED.publicKey.export({ format: 'jwk' })
  t.match(ED25519, ed)
  const bytes = [x, y, edX].map(text => Buffer.from(text, 'base64url').length)
  const { coordinateBytes } = P256_CURVE
  t.same(bytes, [coordinateBytes, coordinateBytes, ED25519.coordinateBytes])
})

t.test('an RSA signature without its leading zeros is none', async t => {
  for (const name of ['PS256', 'RS256']) {
    const algorithm = requireAlgorithm(name)
    const { publicKey: key, privateKey } = await algorithm.makePair()
    let [data, signature] = [Buffer.alloc(0), Buffer.from([1])]
    for (let tries = 0; signature[0] !== 0; tries++) {
      data = Buffer.from(`data ${tries}`)
      signature = sign(algorithm.digest, data, { key: privateKey, ...algorithm.format })
    }
    t.ok(isSignedBy(algorithm, key, { data, signature }), name)
    t.notOk(isSignedBy(algorithm, key, { data, signature: signature.subarray(1) }))
  }
})

t.test(
  'each algorithm makes keys, signs and verifies, under each of its names',
  async t => {
    t.same(JOSE_NAMES, ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'])
    t.same(ALGORITHM_NAMES, ['ES256', 'EdDSA', 'PS256', 'RS256'])
    for (const name of JOSE_NAMES) {
      const algorithm = requireAlgorithm(name)
      const { publicKey, privateKey } = await algorithm.makePair()
      t.ok(isKeyFor(algorithm, publicKey) && isKeyFor(algorithm, privateKey))
      t.ok(isPair(algorithm, privateKey, publicKey))
      t.notOk(isPair(algorithm, privateKey, (await algorithm.makePair()).publicKey))
      const signed = await new jose.CompactSign(Buffer.from('data'))
        .setProtectedHeader({ alg: name })
        .sign(privateKey)
      const end = signed.lastIndexOf('.')
      const data = Buffer.from(signed.slice(0, end))
      const signature = Buffer.from(signed.slice(end + 1), 'base64url')
      t.ok(isSignedBy(algorithm, publicKey, { data, signature }), name)
      t.notOk(
        isSignedBy(algorithm, publicKey, { data, signature: signature.subarray(1) }),
      )
      t.notOk(isSignedBy(algorithm, publicKey, { data, signature: Buffer.alloc(0) }))
    }
    t.equal(algorithmNamed('Ed25519'), algorithmNamed('EdDSA'))
    for (const name of [
      'none',
      'HS256',
      'ES256K',
      'ES384',
      'Ed448',
      'eddsa',
      '',
      1,
      undefined,
    ]) {
      t.equal(algorithmNamed(name), undefined, String(name))
      t.throws(() => requireAlgorithm(name), TypeError)
    }
  },
)

t.test(
  'a private key that signs something else, or not at all, is no half of a pair',
  async t => {
    const other = rsa(2048).privateKey.export({ format: 'jwk' })
    const { n = '' } = jwkOf(RSA)
    const key = { ...other, n }
    const broken = createPrivateKey({ key, format: 'jwk' })
    t.notOk(isPair(requireAlgorithm('RS256'), broken, RSA.publicKey))
    t.notOk(isPair(requireAlgorithm('RS256'), P256.privateKey, RSA.publicKey))
    const damaged = createPrivateKey({
      key: withEvenPrime(RSA.privateKey),
      format: 'jwk',
    })
    t.throws(() => sign('sha256', PROBE, damaged), 'OpenSSL refuses to sign with it')
    for (const name of ['RS256', 'PS256']) {
      t.notOk(isPair(requireAlgorithm(name), damaged, RSA.publicKey), name)
    }
  },
)

t.test('a curve, a size and an exponent are pinned to their algorithm', async t => {
  const rows: [name: string, jwk: JsonWebKey, algorithms: string[]][] = [
    ['P-256', jwkOf(P256), ['ES256']],
    ['secp256k1', jwkOf(ec('secp256k1')), []],
    ['P-384', jwkOf(ec('P-384')), []],
    ['P-521', jwkOf(ec('P-521')), []],
    ['Ed25519', jwkOf(ED), ['EdDSA']],
    ['Ed448', jwkOf(generateKeyPairSync('ed448')), []],
    ['X25519', jwkOf(generateKeyPairSync('x25519')), []],
    ['RSA of 2048 bits', jwkOf(RSA), ['PS256', 'RS256']],
    ['RSA with 3', jwkOf(rsa(2048, 3)), ['PS256', 'RS256']],
    ['RSA of 512 bits', numbers(512, 17), []],
    ['RSA of 2047 bits', numbers(2047, 17), []],
    ['RSA of 4096 bits', numbers(4096, 17), ['PS256', 'RS256']],
    ['RSA of 4104 bits', numbers(4104, 17), []],
    ['an exponent of 32 bits', numbers(2048, 32), ['PS256', 'RS256']],
    ['an exponent of 33 bits', numbers(2048, 33), []],
    ['an exponent as long as the modulus', numbers(3072, 3072), []],
    ['the exponent 1', { ...numbers(2048, 17), e: 'AQ' }, []],
    ['the exponent 2', { ...numbers(2048, 17), e: 'Ag' }, []],
    ['the exponent 4', { ...numbers(2048, 17), e: 'BA' }, []],
  ]
  for (const [name, jwk, algorithms] of rows) {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    t.same(
      algorithmsFor(key).map(({ name }) => name),
      algorithms,
      name,
    )
  }
})

t.test('a public key of others has to work and to prove something', async t => {
  const { p = '', q = '' } = RSA.privateKey.export({ format: 'jwk' })
  const bounds =
    'RSA of 2048 to 4096 bits with an odd exponent from 3 to 32 bits; this one has'
  const rows: [name: string, jwk: JsonWebKey, fault?: object][] = [
    ['P-256', { ...jwkOf(P256), use: 'sig', alg: 'ES256', kid: 'a' }],
    ['Ed25519', { ...jwkOf(ED), key_ops: ['sign', 'verify'] }],
    ['Ed25519 by its new name', { ...jwkOf(ED), alg: 'Ed25519' }],
    ['Ed25519 by its old name', { ...jwkOf(ED), alg: 'EdDSA' }],
    ['RSA', { ...jwkOf(RSA), alg: 'PS256' }],
    [
      'a private key',
      P256.privateKey.export({ format: 'jwk' }),
      { expected: /holds d of its private half/ },
    ],
    [
      'primes without d',
      { ...jwkOf(RSA), p, q },
      { expected: /holds p, q of its private half/ },
    ],
    ['a secret', { kty: 'oct', k: 'AAAA' }, { expected: /holds k of its private half/ }],
    [
      'no point',
      { kty: 'EC', crv: 'P-256', x: 'a', y: 'b' },
      { expected: /that can be read/ },
    ],
    [
      'a point of another curve',
      { ...jwkOf(P256), crv: 'secp256k1' },
      { expected: /that can be read/ },
    ],
    ['P-384', jwkOf(ec('P-384')), { member: 'crv', expected: /P-256 or Ed25519/ }],
    ['secp256k1', jwkOf(ec('secp256k1')), { member: 'crv' }],
    ['X25519', jwkOf(generateKeyPairSync('x25519')), { member: 'crv' }],
    [
      'RSA of 1024 bits',
      numbers(1024, 17),
      { expected: `${bounds} 1024 bits, and an exponent of 17` },
    ],
    [
      'the exponent 1',
      { ...numbers(2048, 17), e: 'AQ' },
      { expected: `${bounds} 2048 bits, and an exponent of 1` },
    ],
    [
      'for encryption',
      { ...jwkOf(P256), use: 'enc' },
      { member: 'use', expected: 'sig, or no such key' },
    ],
    ['no operation', { ...jwkOf(P256), key_ops: ['encrypt'] }, { member: 'key_ops' }],
    [
      'operations that are no list',
      { ...jwkOf(P256), key_ops: 'verify' },
      { member: 'key_ops' },
    ],
    [
      'a number as kid',
      { ...jwkOf(P256), kid: 1 },
      { member: 'kid', expected: 'a text' },
    ],
    [
      'another algorithm',
      { ...jwkOf(P256), alg: 'HS256' },
      { member: 'alg', expected: /^one of ES256, / },
    ],
    ['an algorithm of another type', { ...jwkOf(P256), alg: 'RS256' }, { member: 'alg' }],
  ]
  for (const [name, jwk, fault] of rows) {
    const found = faultOf(jwk)
    if (fault === undefined) t.equal(found, undefined, name)
    else t.match(found, fault, name)
    if (p !== undefined) {
      t.notMatch(JSON.stringify(found ?? {}), p, 'nothing of it is repeated')
    }
  }
  const ed = jwkOf(ED)
  t.same(
    usableKeys([
      { ...ed, alg: 'Ed25519' },
      { ...jwkOf(RSA), alg: 'RS256' },
      jwkOf(P256),
      null,
      'x',
      {},
      { kty: 1 },
    ]),
    [ed, { ...jwkOf(RSA), alg: 'RS256' }, jwkOf(P256)],
  )
})
