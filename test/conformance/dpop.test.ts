// RFC 9449: proofs, the tokens bound to their keys, nonces, replays. Proofs are made with jose.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign,
  type JsonWebKey,
  type KeyPairKeyObjectResult,
} from 'node:crypto'
import * as jose from 'jose'
import t from 'tap'
import { ISSUER, PASSWORD, type TestApp } from '../support/app.ts'
import { tampered } from '../support/tampered.ts'
import { readProof } from '../../src/tokens/dpop-proof.ts'
import { createNonces, NONCE_SPAN_MS } from '../../src/tokens/dpop-nonce.ts'
import { createHandClock } from '../support/clock.ts'
import { basic, compact, read, refused, serverOn, STORES } from './helpers.ts'

type Changes = {
  header?: object
  claims?: object
  key?: Key
  url?: string
  method?: string
  accessToken?: string
}
type Key = Awaited<ReturnType<typeof makeKey>>

async function makeKey(alg = 'ES256') {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  const jwk = await jose.exportJWK(publicKey)
  return {
    alg,
    privateKey,
    jwk,
    jkt: await jose.calculateJwkThumbprint(jwk),
  }
}

const TOKEN = `${ISSUER}/token`
const USERINFO = `${ISSUER}/userinfo`

/** A proof as a client of `server` would make it. */
async function proof(
  { clock }: Pick<TestApp, 'clock'>,
  {
    header = {},
    claims = {},
    key = keys.mine,
    url = TOKEN,
    method = 'POST',
    accessToken,
  }: Changes = {},
): Promise<string> {
  const ath =
    accessToken === undefined
      ? {}
      : { ath: createHash('sha256').update(accessToken).digest('base64url') }
  return new jose.SignJWT({
    jti: randomUUID(),
    htm: method,
    htu: url,
    iat: Math.floor(clock() / 1000),
    ...ath,
    ...claims,
  })
    .setProtectedHeader({
      alg: key.alg,
      typ: 'dpop+jwt',
      jwk: key.jwk,
      ...header,
    })
    .sign(key.privateKey)
}

const keys = { mine: await makeKey(), other: await makeKey() }
const loginForm = { grant_type: 'password', username: 'alice', password: PASSWORD }
const login = { ...loginForm, client_id: 'mobile' }

for (const store of STORES) {
  t.test(`DPoP on ${store}`, async t => {
    const server = await serverOn(t, store)
    const post = async (params: Record<string, string>, changes?: Changes) =>
      server.post('/token', params, { dpop: await proof(server, changes) })
    const refresh = (token: string, more = {}) => ({
      grant_type: 'refresh_token',
      client_id: 'mobile',
      refresh_token: token,
      ...more,
    })

    t.test('§5: tokens are bound to the key that was proven', async t => {
      const answer = await post(login)
      t.equal(answer.statusCode, 200, answer.body)
      t.equal(answer.json().token_type, 'DPoP')
      t.same(read(answer.json().access_token).payload.cnf, { jkt: keys.mine.jkt })
      t.match(await server.introspect(answer.json().access_token), {
        active: true,
        token_type: 'DPoP',
        cnf: { jkt: keys.mine.jkt },
      })
      t.match(
        await server.introspect(answer.json().refresh_token, 'auditor', 'auditor-secret'),
        { active: true, cnf: { jkt: keys.mine.jkt } },
      )
    })

    t.test(
      "§5: a public client's refresh token is bound: without its key it is worthless, and stays its owner's",
      async t => {
        const { refresh_token: token } = (await post(login)).json()
        refused(t, await server.post('/token', refresh(token)), {
          status: 400,
          error: 'invalid_grant',
        })
        refused(t, await post(refresh(token), { key: keys.other }), {
          status: 400,
          error: 'invalid_grant',
        })
        const answer = await post(refresh(token))
        t.equal(answer.statusCode, 200, 'its owner goes on')
        t.same(read(answer.json().access_token).payload.cnf, { jkt: keys.mine.jkt })
        t.equal((await post(refresh(answer.json().refresh_token))).statusCode, 200)
      },
    )

    t.test(
      "§5: a confidential client's refresh token is bound to the client, its access tokens to the " +
        'key of the day',
      async t => {
        const web = basic('web', 'web-secret')
        const send = async (params: Record<string, string>, key: Key) =>
          server.post('/token', params, { ...web, dpop: await proof(server, { key }) })
        const first = await send(loginForm, keys.mine)
        const second = await send(
          { grant_type: 'refresh_token', refresh_token: first.json().refresh_token },
          keys.other,
        )
        t.same(read(second.json().access_token).payload.cnf, { jkt: keys.other.jkt })
        const third = await server.post(
          '/token',
          { grant_type: 'refresh_token', refresh_token: second.json().refresh_token },
          web,
        )
        t.equal(third.json().token_type, 'Bearer')
        t.notOk('cnf' in read(third.json().access_token).payload)
      },
    )

    t.test('a client may be made to bind its tokens', async t => {
      refused(t, await server.post('/token', { ...loginForm, client_id: 'bound' }), {
        status: 400,
        error: 'invalid_dpop_proof',
      })
      t.equal((await post({ ...loginForm, client_id: 'bound' })).statusCode, 200)
    })

    t.test('§7.1: a client introspects with a bound token of its own', async t => {
      const credentials = { client_id: 'service', client_secret: 'service-secret' }
      const { access_token: own } = (await post({ ...loginForm, ...credentials })).json()
      const { access_token: token } = await server.login()
      const asked = async (url: string) =>
        server.post(
          '/introspect',
          { token },
          {
            authorization: `DPoP ${own}`,
            dpop: await proof(server, { url, accessToken: own }),
          },
        )
      t.match((await asked(`${ISSUER}/introspect`)).json(), { active: true })
      refused(t, await asked(TOKEN), {
        status: 401,
        error: 'invalid_dpop_proof',
        challenge: /^DPoP realm="latchkey", error="invalid_dpop_proof"/,
      })
    })

    t.test(
      '§7.1: a bound token needs its key at a resource, and never passes as Bearer',
      async t => {
        const { access_token: token } = (await post(login)).json()
        const ask = async (scheme: string, changes?: Changes | 'none') =>
          server.app.inject({
            url: '/userinfo',
            headers: {
              authorization: `${scheme} ${token}`,
              ...(changes !== 'none' && {
                dpop: await proof(server, {
                  method: 'GET',
                  url: USERINFO,
                  accessToken: token,
                  ...changes,
                }),
              }),
            },
          })
        const good = await ask('DPoP')
        t.equal(good.statusCode, 200, good.body)
        t.equal(good.json().preferred_username, 'alice')
        t.equal(
          (await ask('dpop', { url: `${USERINFO}?query#fragment` })).statusCode,
          200,
          "§4.3: query and fragment don't count",
        )
        const challenge = (error: string) =>
          new RegExp(`^DPoP realm="latchkey", error="${error}"`)
        const rows: [
          name: string,
          scheme: string,
          changes: Changes | 'none',
          error: string,
        ][] = [
          ['as Bearer', 'Bearer', 'none', 'invalid_token'],
          ['as Bearer with a proof', 'Bearer', {}, 'invalid_token'],
          ['without proof', 'DPoP', 'none', 'invalid_dpop_proof'],
          ['with another key', 'DPoP', { key: keys.other }, 'invalid_token'],
          ['for another token', 'DPoP', { accessToken: 'other' }, 'invalid_dpop_proof'],
          ['for no token', 'DPoP', { claims: { ath: undefined } }, 'invalid_dpop_proof'],
          ['for another method', 'DPoP', { method: 'POST' }, 'invalid_dpop_proof'],
          ['for another URL', 'DPoP', { url: TOKEN }, 'invalid_dpop_proof'],
        ]
        for (const [name, scheme, changes, error] of rows) {
          refused(
            t,
            await ask(scheme, changes),
            { status: 401, error, challenge: challenge(error) },
            name,
          )
        }
        const unbound = (await server.login()).access_token
        refused(
          t,
          await server.app.inject({
            url: '/userinfo',
            headers: {
              authorization: `DPoP ${unbound}`,
              dpop: await proof(server, {
                method: 'GET',
                url: USERINFO,
                accessToken: unbound,
              }),
            },
          }),
          { status: 401, error: 'invalid_token', challenge: challenge('invalid_token') },
          'a token that is bound to nothing',
        )
      },
    )

    t.test(
      '§4.3: the proof names the method of the request, whichever it is',
      async t => {
        const { access_token: token } = (await post(login)).json()
        const methods = ['GET', 'HEAD', 'POST'] as const
        for (const method of methods) {
          for (const proven of methods) {
            const answer = await server.app.inject({
              method,
              url: '/userinfo',
              headers: {
                authorization: `DPoP ${token}`,
                dpop: await proof(server, {
                  method: proven,
                  url: USERINFO,
                  accessToken: token,
                }),
              },
            })
            const expected = method === proven ? 200 : 401
            t.equal(answer.statusCode, expected, `${method}, a proof for ${proven}`)
          }
        }
        const inBody = await server.post('/userinfo', { access_token: token })
        refused(t, inBody, {
          status: 401,
          error: 'invalid_token',
          challenge: /^DPoP realm="latchkey", error="invalid_token"/,
        })
      },
    )

    t.test('§11.1: a proof is used once, also by two at once', async t => {
      const once = await proof(server)
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => server.post('/token', login, { dpop: once })),
      )
      t.same(
        answers.map(({ statusCode }) => statusCode).sort(),
        [200, 400, 400, 400, 400],
      )
      for (const answer of answers.filter(({ statusCode }) => statusCode === 400)) {
        refused(t, answer, { status: 400, error: 'invalid_dpop_proof' })
      }
      const jti = randomUUID()
      t.equal((await post(login, { claims: { jti } })).statusCode, 200)
      t.equal(
        (await post(login, { claims: { jti }, key: keys.other })).statusCode,
        200,
        'another key has ids of its own',
      )
    })

    t.test(
      'a proof that is no good costs nothing: the refresh token is as good as before',
      async t => {
        const { refresh_token: token } = (await post(login)).json()
        refused(t, await post(refresh(token), { url: USERINFO }), {
          status: 400,
          error: 'invalid_dpop_proof',
        })
        const { refresh_token: next } = (await post(refresh(token))).json()
        t.equal((await post(refresh(next))).statusCode, 200)
      },
    )
  })
}

t.test('§4.3: every spelling of the URL by RFC 3986 §6.2.2 is taken', async t => {
  const server = await serverOn(t, 'SQLite', {
    issuer: 'https://b\u00FCcher.example/a~b',
  })
  for (const url of [
    'https://xn--bcher-kva.example/a~b/token',
    'https://XN--bcher-kva.example:443/a%7Eb/x/../token?y#z',
    'https://xn--bcher-kva.example/a%7eb/%74oken',
  ]) {
    const { statusCode } = await server.post('/token', login, {
      dpop: await proof(server, { url }),
    })
    t.equal(statusCode, 200, url)
  }
})

t.test('§4.3: a host that is a number is no address', async t => {
  const server = await serverOn(t, 'SQLite', { issuer: 'http://127.0.0.1' })
  const ask = async (url: string) =>
    server.post('/token', login, { dpop: await proof(server, { url }) })
  t.equal((await ask('http://127.0.0.1/token')).statusCode, 200)
  const other = { status: 400, error: 'invalid_dpop_proof' }
  refused(t, await ask('http://2130706433/token'), other)
  refused(t, await ask('http://0x7f.1/token'), other)
})

t.test('§4.3: what is no proof for this request is refused', async t => {
  const server = await serverOn(t, 'SQLite')
  const now = Math.floor(server.clock() / 1000)
  const privateJwk = await jose.exportJWK(keys.mine.privateKey)
  const rows: [name: string, changes: Changes][] = [
    ['another method', { method: 'GET' }],
    ['the method in lower case', { method: 'post' }],
    ['another path', { url: `${ISSUER}/revoke` }],
    ['another host', { url: 'https://evil.example/token' }],
    ['plain http', { url: TOKEN.replace('https', 'http') }],
    ['no URL', { url: 'token' }],
    ['backslashes', { url: TOKEN.replaceAll('/', '\\') }],
    ['a tab in the URL', { url: TOKEN.replace('token', 'to\tken') }],
    ['a space before the URL', { url: ` ${TOKEN}` }],
    ['user info', { url: TOKEN.replace('https://', 'https://user@') }],
    ['the header type of another JWT', { header: { typ: 'JWT' } }],
    ['no type', { header: { typ: undefined } }],
    ['no key', { header: { jwk: undefined } }],
    ['a private key', { header: { jwk: privateJwk } }],
    ['a symmetric key', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }],
    ['another key than the one that signed', { header: { jwk: keys.other.jwk } }],
    [
      'a key that is no point of its curve',
      { header: { jwk: { ...keys.mine.jwk, y: keys.mine.jwk.x } } },
    ],
    ['a key of another curve', { header: { jwk: (await makeKey('ES384')).jwk } }],
    ['an algorithm that we do not know', { key: await makeKey('ES512') }],
    ['a key without its members', { header: { jwk: { kty: 'EC' } } }],
    ['an RSA key for ES256', { header: { jwk: (await makeKey('RS256')).jwk } }],
    ['a critical extension', { header: { crit: ['b64'], b64: true } }],
    ['no jti', { claims: { jti: undefined } }],
    ['an empty jti', { claims: { jti: '' } }],
    ['a long jti', { claims: { jti: 'x'.repeat(257) } }],
    ['a number as jti', { claims: { jti: 1 } }],
    ['no iat', { claims: { iat: undefined } }],
    ['a text as iat', { claims: { iat: String(now) } }],
    ['an old iat', { claims: { iat: now - 61 } }],
    ['an iat to come', { claims: { iat: now + 62 } }],
    ['an endless iat', { claims: { iat: 1e308 } }],
    ['no htm', { claims: { htm: undefined } }],
    ['no htu', { claims: { htu: undefined } }],
    ['a list as nonce', { claims: { nonce: ['a'] } }],
  ]
  for (const [name, changes] of rows) {
    refused(
      t,
      await server.post('/token', login, { dpop: await proof(server, changes) }),
      { status: 400, error: 'invalid_dpop_proof' },
      name,
    )
  }
  const good = await proof(server)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const none = Buffer.from(
    JSON.stringify({ typ: 'dpop+jwt', alg: 'none', jwk: keys.mine.jwk }),
  ).toString('base64url')
  const texts: [name: string, text: string][] = [
    ...strangeKeys(server),
    ['two proofs', `${good}, ${await proof(server)}`],
    ['no JWT', 'proof'],
    ['an empty header', ''],
    ['no signature', `${header}.${payload}.`],
    ['alg none', `${none}.${payload}.`],
    ['alg none, signed', `${none}.${payload}.${signature}`],
    ['another signature', tampered(good)],
    ['a list as header', `W10.${payload}.${signature}`],
    ['a list as payload', `${header}.W10.${signature}`],
    ['null', `bnVsbA.bnVsbA.${signature}`],
    ['too long', await proof(server, { claims: { padding: 'x'.repeat(5000) } })],
  ]
  for (const [name, text] of texts) {
    refused(
      t,
      await server.post('/token', login, { dpop: text }),
      { status: 400, error: 'invalid_dpop_proof' },
      name,
    )
  }
  for (const alg of ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256']) {
    const key = await makeKey(alg)
    const answer = await server.post('/token', login, {
      dpop: await proof(server, { key }),
    })
    t.equal(answer.statusCode, 200, `${alg}: ${answer.body}`)
    t.equal(read(answer.json().access_token).payload.cnf.jkt, key.jkt)
  }
  t.same(
    (await server.app.inject('/.well-known/oauth-authorization-server')).json()
      .dpop_signing_alg_values_supported,
    ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
  )
})

t.test('§8: where nonces are wanted, a proof must carry one of ours', async t => {
  const server = await serverOn(t, 'SQLite')
  server.live.nonce = true
  const send = async (claims: object = {}) =>
    server.post('/token', login, { dpop: await proof(server, { claims }) })
  const challenged = await send()
  refused(t, challenged, { status: 400, error: 'use_dpop_nonce' })
  const nonce = String(challenged.headers['dpop-nonce'])
  const good = await send({ nonce })
  t.equal(good.statusCode, 200, good.body)
  t.equal(good.headers['dpop-nonce'], nonce, 'the one of now comes with every answer')
  server.clock.advance(NONCE_SPAN_MS)
  const later = await send({ nonce })
  t.equal(later.statusCode, 200, 'good for a span after its own')
  t.not(later.headers['dpop-nonce'], nonce)
  server.clock.advance(NONCE_SPAN_MS)
  for (const bad of [
    nonce,
    '',
    'x',
    `${nonce}=`,
    randomBytes(20).toString('base64url'),
  ]) {
    refused(t, await send({ nonce: bad }), { status: 400, error: 'use_dpop_nonce' }, bad)
  }
  const { access_token: token } = (
    await send({ nonce: String(later.headers['dpop-nonce']) })
  ).json()
  const asked = await server.app.inject({
    url: '/userinfo',
    headers: {
      authorization: `DPoP ${token}`,
      dpop: await proof(server, { method: 'GET', url: USERINFO, accessToken: token }),
    },
  })
  refused(t, asked, {
    status: 401,
    error: 'use_dpop_nonce',
    challenge: /^DPoP realm="latchkey", error="use_dpop_nonce", algs="ES256 /,
  })
  t.ok(asked.headers['dpop-nonce'])
  t.equal(
    (await server.post('/token', login)).statusCode,
    200,
    'who brings no proof needs no nonce',
  )
})

t.test("nonces of servers that share a secret are one another's", async t => {
  const clock = createHandClock()
  const [old, young] = ['o'.repeat(43), 'y'.repeat(43)]
  const before = createNonces({ secrets: [old], clock })
  t.ok(
    createNonces({ secrets: [young, old], clock }).isGood(before.current()),
    'a new secret came first',
  )
  t.notOk(createNonces({ secrets: [young], clock }).isGood(before.current()))
  t.throws(() => createNonces({ secrets: [], clock }), TypeError)
})

t.test('a store that fails is no verdict on a proof', async t => {
  const server = await serverOn(t, 'SQLite')
  await server.store.close()
  refused(t, await server.post('/token', login, { dpop: await proof(server) }), {
    status: 503,
    error: 'temporarily_unavailable',
  })
})

t.test('10,000 mutilated proofs: none is taken, none is a fault of ours', async t => {
  const good = await proof({ clock: createHandClock() })
  t.ok(readProof(good))
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.'
  let taken = 0
  for (let round = 0; round < 10_000; round++) {
    const at = Math.floor(Math.random() * good.length)
    const letter = alphabet.charAt(Math.floor(Math.random() * alphabet.length))
    if (letter === good.charAt(at)) continue
    const cut =
      round % 3 === 0
        ? good.slice(0, at) + good.slice(at + 1)
        : good.slice(0, at) + letter + good.slice(at + (round % 3 === 1 ? 1 : 0))
    if (readProof(cut) !== undefined) taken += 1
  }
  t.equal(taken, 0)
})

/** jose refuses to sign with so short a key. */
/** An RSA pair that is right in itself, with an exponent as long as its modulus. */
function withLongExponent(): KeyPairKeyObjectResult {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 })
  const { n, p, q, qi } = privateKey.export({ format: 'jwk' })
  const number = (text = '') =>
    BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`)
  const text = (value: bigint) => {
    const hex = value.toString(16)
    return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString(
      'base64url',
    )
  }
  const [p1, q1] = [number(p) - 1n, number(q) - 1n]
  // What is public and what is private may change places: 65537 is the private exponent here.
  const e = inverse(65537n, p1 * q1)
  const jwk = {
    kty: 'RSA',
    n,
    e: text(e),
    d: text(65537n),
    p,
    q,
    dp: 'AQAB',
    dq: 'AQAB',
    qi,
  }
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
  return { privateKey: key, publicKey: createPublicKey(key) }
}

function inverse(a: bigint, modulus: bigint): bigint {
  let [low, high, x, y] = [a % modulus, modulus, 1n, 0n]
  while (low > 1n) {
    const quotient = high / low
    ;[low, high, x, y] = [high % low, low, y - quotient * x, x]
  }
  return ((x % modulus) + modulus) % modulus
}

/** Proofs whose signature is right, by keys that are out of bounds: each would pass but for its key. */
function strangeKeys({ clock }: Pick<TestApp, 'clock'>): [name: string, text: string][] {
  const rows: [name: string, alg: string, pair: KeyPairKeyObjectResult][] = [
    [
      'too short an RSA key',
      'RS256',
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
    ],
    ['too long an exponent', 'RS256', withLongExponent()],
    [
      'secp256k1 under ES256',
      'ES256',
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
    ],
    ['Ed448 under EdDSA', 'EdDSA', generateKeyPairSync('ed448')],
    ['Ed448 under its own name', 'Ed448', generateKeyPairSync('ed448')],
  ]
  return rows.map(([name, alg, { publicKey, privateKey }]) => {
    const digest = alg.startsWith('Ed') ? null : 'sha256'
    const claims = {
      jti: randomUUID(),
      htm: 'POST',
      htu: TOKEN,
      iat: Math.floor(clock() / 1000),
    }
    return [
      name,
      compact(
        { typ: 'dpop+jwt', alg, jwk: publicKey.export({ format: 'jwk' }) },
        claims,
        input => sign(digest, input, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
      ),
    ]
  })
}
