import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import t from 'tap'
import { makeKey, publicMembers, publicPem, thumbprint } from '../../src/keys/make.ts'
import { createSealer } from '../../src/keys/seal.ts'

// RFC 7638 §3.1
const RFC_KEY = {
  kty: 'RSA',
  n:
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1' +
    'L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4' +
    'QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO' +
    'pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF' +
    'Cur-kEgU8awapJzKnqDKgw',
  e: 'AQAB',
  alg: 'RS256',
  kid: '2011-04-29',
}

t.test('a key is called by its RFC 7638 thumbprint', async t => {
  t.equal(thumbprint(RFC_KEY), 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  // RFC 8037 appendix A.3
  const ed25519 = {
    kty: 'OKP',
    crv: 'Ed25519',
    x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  }
  t.equal(thumbprint(ed25519), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
})

const algorithms = [
  {
    alg: 'ES256',
    kty: 'EC',
    details: { namedCurve: 'prime256v1' },
    members: ['crv', 'kty', 'x', 'y'],
  },
  {
    alg: 'EdDSA',
    kty: 'OKP',
    details: {},
    members: ['crv', 'kty', 'x'],
  },
  {
    alg: 'RS256',
    kty: 'RSA',
    details: { modulusLength: 2048 },
    members: ['e', 'kty', 'n'],
  },
  {
    alg: 'PS256',
    kty: 'RSA',
    details: { modulusLength: 2048 },
    members: ['e', 'kty', 'n'],
  },
]

for (const { alg, kty, details, members } of algorithms) {
  t.test(`a key for ${alg} signs, and shows nothing private`, async t => {
    const { kid, publicJwk, privateKey, ...made } = await makeKey(alg)
    t.same(Object.keys(publicJwk), members)
    t.match({ ...publicJwk, ...made }, { kty, alg })
    t.equal(kid, await calculateJwkThumbprint(publicJwk))
    t.match(createPublicKey(publicPem(publicJwk)).asymmetricKeyDetails, details)
    t.match(privateKey, /^-----BEGIN PRIVATE KEY-----/)
    const digest = alg === 'EdDSA' ? null : 'sha256'
    const data = Buffer.from('data')
    t.ok(
      verify(
        digest,
        data,
        publicPem(publicJwk),
        sign(digest, data, createPrivateKey(privateKey)),
      ),
    )
    t.not((await makeKey(alg)).kid, kid)
  })
}

t.test('no keys are made for other algorithms', async t => {
  for (const alg of ['HS256', 'none', 'ES512', '']) {
    await t.rejects(makeKey(alg), TypeError)
  }
  t.throws(() => publicMembers({ kty: 'oct', k: 'c2VjcmV0' }), TypeError)
})

t.test('a private key is opened by any configured secret, and by no other', async t => {
  const [old, current, other] = [
    'b2xkIHNlY3JldA',
    'Y3VycmVudCBzZWNyZXQ',
    'b3RoZXIgc2VjcmV0',
  ].map(secret => secret.repeat(3))
  if (old === undefined || current === undefined || other === undefined) {
    throw new Error('three secrets')
  }
  const sealed = createSealer([old]).seal('kid', 'PRIVATE')
  t.match(sealed, /^v1\.[\w-]{11}\.[\w-]{16}\.[\w-]{10}\.[\w-]{22}$/)
  t.not(createSealer([old]).seal('kid', 'PRIVATE'), sealed, 'never twice the same bytes')
  t.equal(createSealer([old]).open('kid', sealed), 'PRIVATE')
  t.equal(createSealer([current, old]).open('kid', sealed), 'PRIVATE')
  t.throws(() => createSealer([current, other]).open('kid', sealed), {
    message:
      /^cannot open signing key kid: it is sealed under the secret with the fingerprint /,
  })
  t.throws(() => createSealer([]), TypeError)
})

t.test('a sealed key that was tampered with stays shut', async t => {
  const { seal, open } = createSealer(['c29tZSBzZWNyZXQ'.repeat(3)])
  const sealed = seal('kid', 'PRIVATE')
  const [version, number, iv, text, tag] = sealed.split('.')
  const tampered = {
    'of another version': ['v2', number, iv, text, tag],
    'of another secret': [
      version,
      `A${number?.slice(1)}`.replace(number ?? '', 'BBBBBBBBBBB'),
      iv,
      text,
      tag,
    ],
    'with another text': [
      version,
      number,
      iv,
      `A${text?.slice(1)}`.replace(text ?? '', 'BBBBBBBBBB'),
      tag,
    ],
    'with another nonce': [version, number, 'AAAAAAAAAAAAAAAA', text, tag],
    'with no nonce': [version, number, '', text, tag],
    'with another tag': [version, number, iv, text, 'AAAAAAAAAAAAAAAAAAAAAA'],
    'with a cut tag': [version, number, iv, text, tag?.slice(0, 8)],
    'without a tag': [version, number, iv, text],
    'without a text': [version, number, iv],
    'without anything': [version, number],
  }
  for (const [name, parts] of Object.entries(tampered)) {
    t.throws(() => open('kid', parts.join('.')), /cannot open signing key kid/, name)
  }
  t.throws(
    () => open('another', sealed),
    /cannot open signing key another/,
    'a key in the place of another',
  )
  t.equal(open('kid', sealed), 'PRIVATE')
})
