// RFC 9068 and RFC 8725: the access token, and every known way to forge one, at introspection, userinfo and
// revocation. Most forgeries here are signed with the server's own key: what they lack is all that they lack.
import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
} from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { getListFromStatusListJWT } from '@sd-jwt/jwt-status-list'
import fastify from 'fastify'
import { createLocalJWKSet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { registerVerifier } from '../../src/http/callers/verify-access-token.ts'
import { MAX_TOKEN_LENGTH } from '../../src/tokens/access-token.ts'
import { createJwtSigner } from '../../src/tokens/sign-jwt.ts'
import { createSignedHere } from '../../src/tokens/signed-here.ts'
import { CLIENTS, ISSUER, MAIL, ORDERS, type TestApp } from '../support/app.ts'
import {
  base64url,
  compact,
  es256,
  read,
  refused,
  serverOn,
  signerOf,
} from './helpers.ts'

const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const
const AUDITOR = ['auditor', 'auditor-secret'] as const

/**
 * Whether the server takes a token; introspection and userinfo must agree, and revocation must never fail.
 */
async function isTaken(
  t: Test,
  { app, introspect }: TestApp,
  token: string,
): Promise<boolean> {
  const { active, ...told } = await introspect(token, ...AUDITOR)
  const { statusCode, headers } = await app.inject({
    url: '/userinfo',
    headers: { authorization: `Bearer ${token}` },
  })
  t.equal(statusCode, active === true ? 200 : 401)
  if (active !== true) {
    t.same(told, {}, 'nothing is told')
    t.match(headers['www-authenticate'], /^Bearer realm="latchkey"/)
  }
  return active === true
}

/**
 * What a forger needs: the claims of a living session, and a way to sign anything with the server's own key.
 */
async function forgery(t: Test) {
  const server = await serverOn(t, 'SQLite')
  const { kid, privateKey } = signerOf(server)
  const { access_token: real } = await server.login()
  const { payload } = read(real)
  const header = { alg: 'ES256', typ: 'at+jwt', kid }
  const sign = (changes: object = {}, claims: unknown = payload) =>
    compact({ ...header, ...changes }, claims, es256(privateKey))
  return {
    server,
    kid,
    privateKey,
    real,
    payload,
    header,
    sign,
    isTaken: (t: Test, token: string) => isTaken(t, server, token),
  }
}

t.test('RFC 9068 §2: what a token says', async t => {
  const { real, kid } = await forgery(t)
  const { header, payload } = read(real)
  t.same(header, { alg: 'ES256', typ: 'at+jwt', kid })
  const {
    iss,
    sub,
    aud,
    client_id: clientId,
    iat,
    exp,
    jti,
    sid,
    scope,
    auth_time: authTime,
    roles,
    status,
    ...rest
  } = payload
  t.same(
    {
      iss,
      aud,
      clientId,
      scope,
      roles,
    },
    {
      iss: ISSUER,
      aud: [ORDERS, MAIL],
      clientId: 'mobile',
      scope: 'profile orders:read orders:write',
      roles: ['buyer'],
    },
  )
  t.match(
    { sub, jti, sid },
    { sub: /^[0-9a-f-]{36}$/, jti: /^[0-9a-f-]{36}$/, sid: /^[\w-]{22}$/ },
  )
  t.same([Number.isInteger(iat), exp - iat, authTime], [true, 600, iat])
  t.match(status, { status_list: { idx: Number, uri: `${ISSUER}/status/` } })
  t.same(rest, {}, 'and nothing else')
})

for (const algorithm of ALGORITHMS) {
  t.test(
    `${algorithm}: signed, published, verified by others, introspected; its key serves no other algorithm`,
    async t => {
      const server = await serverOn(t, 'SQLite', { algorithm })
      const { access_token: token } = await server.login()
      const { header, payload } = read(token)
      t.equal(header.alg, algorithm)
      const jwks = (await server.app.inject('/.well-known/jwks.json')).json()
      t.same(
        jwks.keys.map((key: { alg: string }) => key.alg),
        [algorithm, algorithm],
      )
      const verified = await jwtVerify(token, createLocalJWKSet(jwks), {
        issuer: ISSUER,
        audience: ORDERS,
        typ: 'at+jwt',
        algorithms: [algorithm],
      })
      t.equal(verified.payload.sub, payload.sub)
      t.ok(await isTaken(t, server, token))
      const tampered = `${token.slice(0, -8)}${token.slice(-8) === 'AAAAAAAA' ? 'BBBBBBBB' : 'AAAAAAAA'}`
      t.notOk(await isTaken(t, server, tampered))

      // An RSA key fits both RSA algorithms: only its name in the ring tells which one it serves.
      if (algorithm !== 'RS256' && algorithm !== 'PS256') return
      const { privateKey, kid } = signerOf(server)
      const signers = {
        RS256: (input: Buffer) => signBytes('sha256', input, privateKey),
        PS256: (input: Buffer) =>
          signBytes('sha256', input, {
            key: privateKey,
            padding: constants.RSA_PKCS1_PSS_PADDING,
            saltLength: 32,
          }),
      }
      const other = algorithm === 'RS256' ? 'PS256' : 'RS256'
      const resigned = (alg: string, signer: 'RS256' | 'PS256') =>
        compact({ alg, typ: 'at+jwt', kid }, payload, signers[signer])
      t.ok(await isTaken(t, server, resigned(algorithm, algorithm)), 'the control')
      t.notOk(
        await isTaken(t, server, resigned(other, other)),
        `a good ${other} signature by the ${algorithm} key`,
      )
      t.notOk(await isTaken(t, server, resigned(algorithm, other)))
      t.notOk(await isTaken(t, server, resigned(other, algorithm)))
    },
  )
}

t.test('the header typ that an audience wants', async t => {
  const server = await serverOn(t, 'SQLite')
  server.live.typ[MAIL] = 'JWT'
  const typOf = async (resource?: string) => {
    const { access_token: token, refresh_token: refreshToken } = await server.login(
      resource === undefined ? {} : { resource },
    )
    t.ok(await isTaken(t, server, token))
    const refreshed = (await server.refresh(refreshToken)).json()
    t.equal(read(refreshed.access_token).header.typ, read(token).header.typ)
    return read(token).header.typ
  }
  t.equal(await typOf(MAIL), 'JWT')
  t.equal(await typOf(ORDERS), 'at+jwt')
  t.equal(await typOf(), 'JWT', 'one of two')
})

t.test('all that a verifier of one algorithm reads is of that algorithm', async t => {
  const server = await serverOn(t, 'SQLite')
  const { app, keys, live, clock, post } = server
  const algorithmIn = (jwt: string) => read(jwt).header.alg
  // The keys of an audience are published first, as all others are.
  live.algorithm[MAIL] = 'RS256'
  await keys.load()
  clock.advance(live.publishAhead + 60_000)
  await keys.load()
  clock.advance(live.publishAhead + 60_000)
  await keys.load()

  const askSigned = async (id: string, token: string) =>
    (
      await post(
        '/introspect',
        { token, client_id: id, client_secret: `${id.split('-')[0]}-secret` },
        { accept: 'application/token-introspection+jwt' },
      )
    ).body
  const rows: [resource: string | undefined, api: string, algorithm: string][] = [
    [MAIL, 'mail-api', 'RS256'],
    [ORDERS, 'orders-api', 'ES256'],
    [undefined, 'mail-api', 'RS256'],
  ]
  for (const [resource, api, algorithm] of rows) {
    const { access_token: token, refresh_token: refreshToken } = await server.login(
      resource === undefined ? {} : { resource },
    )
    await server.status.sync()
    const { uri } = read(token).payload.status.status_list
    const { body: list } = await app.inject(uri.slice(ISSUER.length))
    const { body: jwks } = await app.inject(`/.well-known/jwks.json?alg=${algorithm}`)
    const refreshed = (await server.refresh(refreshToken)).json().access_token
    t.same(
      {
        token: algorithmIn(token),
        refreshed: algorithmIn(refreshed),
        list: algorithmIn(list),
        introspection: algorithmIn(await askSigned(api, token)),
      },
      {
        token: algorithm,
        refreshed: algorithm,
        list: algorithm,
        introspection: algorithm,
      },
      `for ${resource ?? 'both'}`,
    )
    t.equal(read(list).payload.sub, uri, 'the list names itself as the token does')
    t.ok(await isTaken(t, server, token))
    for (const jwt of [token, list, await askSigned(api, token)]) {
      await t.resolves(
        jwtVerify(jwt, createLocalJWKSet(JSON.parse(jwks)), {
          currentDate: new Date(clock()),
        }),
        'by the keys of that algorithm alone',
      )
    }
  }

  const { access_token: token } = await server.login({ resource: MAIL })
  const { idx, uri } = read(token).payload.status.status_list
  await post('/revoke', { token, client_id: 'mobile' })
  await server.status.sync()
  const { body: list } = await app.inject(uri.slice(ISSUER.length))
  t.equal(getListFromStatusListJWT(list).getStatus(idx), 1, 'one bit, in every form')
  // Near the end of an hour there are two: tokens that live longer are in the next one's.
  const { status_lists: lists } = (await app.inject('/status?alg=RS256')).json()
  t.ok(lists.includes(uri))
  t.ok(lists.every((each: string) => each.endsWith('?alg=RS256')))
  t.equal((await app.inject('/status?alg=none')).statusCode, 400)
})

t.test('RFC 8725 §3.1, §3.2: headers', async t => {
  const { server, header, payload, privateKey, sign, isTaken } = await forgery(t)
  const next = server.keys.describe().find(key => key.state === 'published')
  t.ok(next, 'a second key is there to be confused with')
  const without = (name: string) =>
    compact(
      Object.fromEntries(Object.entries(header).filter(([key]) => key !== name)),
      payload,
      es256(privateKey),
    )

  t.test("the control: signed by the forger's hand, and good", async t => {
    t.ok(await isTaken(t, sign()))
  })
  t.test('typ JWT is one of ours, too', async t => {
    t.ok(await isTaken(t, sign({ typ: 'JWT' })))
  })

  const bad: Array<[string, string]> = [
    ...[
      'none',
      'None',
      'NONE',
      'nOnE',
      'none ',
      '',
      'HS256',
      'hs256',
      'HS384',
      'HS512',
      'RS256',
      'PS256',
      'EdDSA',
      'es256',
      'ES384',
      'ES256K',
      'ES256 ',
      'constructor',
      null,
      1,
      true,
      ['ES256'],
      {},
    ].map(
      alg =>
        [`alg ${JSON.stringify(alg)}`, sign({ alg })] satisfies [string, string] as [
          string,
          string,
        ],
    ),
    ...[
      '',
      'at+JWT',
      'jwt',
      'at+jwt ',
      'application/at+jwt',
      'dpop+jwt',
      'id+jwt',
      'logout+jwt',
      null,
      1,
      ['at+jwt'],
    ].map(typ => [`typ ${JSON.stringify(typ)}`, sign({ typ })] as [string, string]),
    ...[
      '',
      'unknown',
      '__proto__',
      'constructor',
      '../../../dev/null',
      '\0',
      `${header.kid} `,
      header.kid.toLowerCase(),
      next?.kid,
      null,
      1,
      [header.kid],
      {},
    ].map(kid => [`kid ${JSON.stringify(kid)}`, sign({ kid })] as [string, string]),
    ...[
      ['exp'],
      ['b64'],
      ['alg'],
      ['x'],
      [],
      [1],
      '',
      'exp',
      0,
      1,
      false,
      true,
      null,
      {},
    ].map(crit => [`crit ${JSON.stringify(crit)}`, sign({ crit })] as [string, string]),
    ['crit with b64 false', sign({ crit: ['b64'], b64: false })],
    ...['alg', 'typ', 'kid'].map(
      name => [`no ${name}`, without(name)] as [string, string],
    ),
    ...[null, [], [header], 'x', 1, true].map(
      root =>
        [
          `the header ${JSON.stringify(root)}`,
          compact(root === 'x' ? '"x"' : root, payload, es256(privateKey)),
        ] as [string, string],
    ),
    ['a header that is no JSON', compact('{"alg":"ES256"', payload, es256(privateKey))],
    [
      'a header with a byte order mark',
      compact(`\uFEFF${JSON.stringify(header)}`, payload, es256(privateKey)),
    ],
    [
      'alg none without signature',
      compact({ ...header, alg: 'none' }, payload, () => Buffer.alloc(0)),
    ],
    [
      'alg none, no kid, without signature',
      compact({ alg: 'none', typ: 'at+jwt' }, payload, () => Buffer.alloc(0)),
    ],
    ['no signature', compact(header, payload, () => Buffer.alloc(0))],
    ['a signature of zeros', compact(header, payload, () => Buffer.alloc(64))],
    [
      'a signature in DER',
      compact(header, payload, input => signBytes('sha256', input, privateKey)),
    ],
    [
      "a stranger's signature",
      compact(
        header,
        payload,
        es256(
          generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
            format: 'pem',
            type: 'pkcs8',
          }),
        ),
      ),
    ],
  ]
  for (const [name, token] of bad) {
    t.test(name, async t => {
      t.notOk(await isTaken(t, token))
    })
  }
})

t.test('RFC 8725 §2.1: our public key is no secret to sign with', async t => {
  for (const algorithm of ALGORITHMS) {
    t.test(algorithm, async t => {
      const server = await serverOn(t, 'SQLite', { algorithm })
      const { kid } = server.keys.signingKey()
      const { payload } = read((await server.login()).access_token)
      const pem = server.keys.verificationKey(kid)?.publicKey ?? ''
      const answer = await server.app.inject('/.well-known/jwks.json')
      const jwk = answer.json().keys.find((key: { kid: string }) => key.kid === kid)
      const key = createPublicKey(pem)
      const secrets: Array<[string, string | Buffer]> = [
        ['PEM', pem],
        ['PEM, trimmed', pem.trim()],
        ['PEM with CRLF', pem.replaceAll('\n', '\r\n')],
        ['PEM with a leading space', ` ${pem}`],
        ['PEM with a leading line feed', `\n${pem}`],
        ['PEM with a byte order mark', `\uFEFF${pem}`],
        ['PEM without armour', pem.replace(/-----[^-]+-----|\n/g, '')],
        ['DER', key.export({ format: 'der', type: 'spki' })],
        ['JWK', JSON.stringify(jwk)],
        ['JWK with a leading space', ` ${JSON.stringify(jwk)}`],
        ['JWK with a byte order mark', `\uFEFF${JSON.stringify(jwk)}`],
        ['JWK, the bare members', JSON.stringify(key.export({ format: 'jwk' }))],
        ['JWKS', answer.body],
        ['JWKS with a leading space', ` ${answer.body}`],
        ['JWKS with a byte order mark', `\uFEFF${answer.body}`],
        ['x or n', Buffer.from(jwk.x ?? jwk.n, 'base64url')],
        ['kid', kid],
        ['nothing', ''],
        ['null', 'null'],
        ['undefined', 'undefined'],
        ['[object Object]', '[object Object]'],
        ['a NUL byte', '\0'],
      ]
      const forged = secrets.flatMap(([name, secret]) =>
        [
          ['HS256', 'sha256'],
          ['HS384', 'sha384'],
          ['HS512', 'sha512'],
        ].flatMap(([alg = '', hash = '']) =>
          [kid, 'unknown', undefined, ''].map(named => ({
            name: `${alg} with ${name} and kid ${named === kid ? 'ours' : named}`,
            token: compact(
              { alg, typ: 'at+jwt', ...(named !== undefined && { kid: named }) },
              payload,
              input => createHmac(hash, secret).update(input).digest(),
            ),
          })),
        ),
      )
      // And under the name of the algorithm that the key has: a library that looks at the key's shape would
      // take it.
      const renamed = secrets.map(([name, secret]) => ({
        name: `${algorithm} in name, an HMAC with ${name}`,
        token: compact({ alg: algorithm, typ: 'at+jwt', kid }, payload, input =>
          createHmac('sha256', secret).update(input).digest(),
        ),
      }))
      const answers = await Promise.all(
        [...forged, ...renamed].map(async ({ name, token }) => ({
          name,
          ...(await server.introspect(token, ...AUDITOR)),
        })),
      )
      t.equal(answers.length, 22 * 13)
      t.same(
        answers.filter(
          told =>
            Object.keys(told).length !== 2 ||
            !('active' in told) ||
            told.active !== false,
        ),
        [],
      )
    })
  }
})

t.test('RFC 8725 §3.10: jku, x5u, jwk and x5c are not looked at', async t => {
  const { kid, payload, header, sign, isTaken } = await forgery(t)
  let fetched = 0
  const evil = createServer((_request, response) => {
    fetched++
    response.end(JSON.stringify({ keys: [jwk] }))
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    evil.close()
  })
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = {
    ...pair.publicKey.export({ format: 'jwk' }),
    kid,
    alg: 'ES256',
    use: 'sig',
  }
  await once(evil, 'listening')
  const url = `http://127.0.0.1:${(evil.address() as AddressInfo).port}/jwks.json`
  const lures = {
    jku: url,
    x5u: url,
    jwk,
    x5c: [pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')],
    x5t: 'x',
  }
  const stolen = es256(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
  for (const [name, value] of [
    ...Object.entries(lures),
    ['all of them', lures] as const,
  ]) {
    const lure = name === 'all of them' ? lures : { [name]: value }
    for (const named of [kid, jwk.kid, 'theirs', undefined]) {
      t.notOk(
        await isTaken(t, compact({ ...header, ...lure, kid: named }, payload, stolen)),
        `${name}, signed by the stranger`,
      )
    }
    t.ok(await isTaken(t, sign(lure)), `${name} beside our own signature changes nothing`)
  }
  t.equal(fetched, 0)
})

t.test('RFC 7515 §3, §5.2: forms', async t => {
  const { server, real, header, payload, privateKey, sign, isTaken } = await forgery(t)
  const [head = '', body = '', signature = ''] = real.split('.')
  const parts = [head, body, signature]
  const BASE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  /** The same bytes with other stray bits in the last character. */
  const stray = (part: string) =>
    part.length % 4 === 0
      ? undefined
      : part.slice(0, -1) + BASE[BASE.indexOf(part.at(-1) ?? '') ^ 1]
  const overStrayBits = () => {
    const strayBody =
      stray(base64url(JSON.stringify({ ...payload, pad: '' }))) ??
      stray(base64url(JSON.stringify({ ...payload, pad: 'x' }))) ??
      ''
    const input = `${head}.${strayBody}`
    return `${input}.${base64url(es256(privateKey)(Buffer.from(input)))}`
  }
  const json = { payload: body, protected: head, signature }
  const bad: Array<[string, string]> = [
    ['one part', head],
    ['two parts', `${head}.${body}`],
    ['four parts', `${real}.`],
    ['five parts', `${real}.${body}.${signature}`],
    ['no header', `.${body}.${signature}`],
    ['no payload', `${head}..${signature}`],
    ['dots', '..'],
    ['JSON serialisation, flattened', JSON.stringify(json)],
    [
      'JSON serialisation, general',
      JSON.stringify({ payload: body, signatures: [{ protected: head, signature }] }),
    ],
    [
      'JSON serialisation, the header unprotected',
      JSON.stringify({ payload: body, header, signature }),
    ],
    ['a detached payload', `${head}..${signature}`],
    [
      'padding',
      `${parts.map(part => part.padEnd(Math.ceil(part.length / 4) * 4, '=')).join('.')}=`,
    ],
    ['padding at the signature', `${real}==`],
    [
      'the alphabet of plain base64',
      `${head}.${body}.${signature.replaceAll('-', '+').replaceAll('_', '/')}+`,
    ],
    ['a blank in it', `${head}. ${body}.${signature}`],
    ['a line feed at its end', `${real}\t`],
    ['a quotation mark', `"${real}"`],
    ['stray bits behind the signature', `${head}.${body}.${stray(signature)}`],
    ['a signed payload with stray bits', overStrayBits()],
    ['a longer signature', `${real}AAAA`],
    ['a shorter signature', real.slice(0, -4)],
    [
      "another token's signature",
      `${head}.${body}.${sign({}, { ...payload, jti: 'other' }).split('.')[2]}`,
    ],
    ['a refresh token', (await server.login()).refresh_token],
    ['homoglyphs', real.replace('e', '\u0435')],
  ]
  for (const [name, token] of bad) {
    t.test(name, async t => {
      t.equal(
        (await server.introspect(token, ...AUDITOR))['active'],
        name === 'a refresh token',
      )
    })
  }
  for (const payload of [
    'null',
    '[]',
    '[{}]',
    '"x"',
    '1',
    'true',
    '',
    '{',
    '{}',
    '\uFEFF{}',
    '['.repeat(3000),
    `{"a":${'{"a":'.repeat(900)}1${'}'.repeat(901)}`,
  ]) {
    t.test(`the payload ${payload.slice(0, 12)}`, async t => {
      t.notOk(await isTaken(t, sign({}, payload)))
    })
  }
  t.test('a payload that is not UTF-8', async t => {
    const bytes = Buffer.concat([
      Buffer.from(JSON.stringify(payload).slice(0, -1)),
      Buffer.from(',"x":"'),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from('"}'),
    ])
    const input = `${head}.${bytes.toString('base64url')}`
    t.ok(
      [true, false].includes(
        await isTaken(t, `${input}.${base64url(es256(privateKey)(Buffer.from(input)))}`),
      ),
      'an answer, and no fault',
    )
  })
  t.test('8 KiB are read, one character more is not', async t => {
    const of = (length: number) => sign({}, { ...payload, pad: 'a'.repeat(length) })
    let length = 5_000
    while (of(length + 1).length <= MAX_TOKEN_LENGTH) length++
    t.ok(await isTaken(t, of(length)))
    t.equal((await server.introspect(of(length + 3), ...AUDITOR))['active'], false)
    t.equal(
      (await server.introspect('a'.repeat(MAX_TOKEN_LENGTH + 1), ...AUDITOR))['active'],
      false,
    )
  })
})

t.test('RFC 9068 §4, RFC 8725 §3.8, §3.9: claims', async t => {
  const { server, payload, sign, isTaken } = await forgery(t)
  const now = () => Math.floor(server.clock() / 1000)
  const raw = (name: string, text: string) =>
    JSON.stringify({ ...payload, [name]: '@' }).replace('"@"', text)
  const good: Array<[string, object]> = [
    ['as they were', {}],
    ['exp in a second', { exp: now() + 1 }],
    ['exp as far as a number reaches', { exp: Number.MAX_SAFE_INTEGER }],
    ['nbf now', { nbf: now() }],
    ['one audience', { aud: MAIL }],
    ['the issuer as audience', { aud: ISSUER }],
    ['a strange audience beside ours', { aud: ['https://evil.example', ORDERS] }],
    ["a claim that we don't know", { admin: true }],
  ]
  for (const [name, changes] of good) {
    t.test(`taken: ${name}`, async t => {
      t.ok(await isTaken(t, sign({}, { ...payload, ...changes })))
    })
  }
  const bad: Array<[string, unknown]> = [
    ...['iss', 'sub', 'aud', 'client_id', 'iat', 'exp', 'jti', 'sid', 'auth_time'].map(
      name => [`no ${name}`, { ...payload, [name]: undefined }] as [string, unknown],
    ),
    ...[
      'iss',
      'sub',
      'aud',
      'client_id',
      'iat',
      'exp',
      'jti',
      'sid',
      'auth_time',
    ].flatMap(name =>
      [null, {}, true, name === 'aud' ? '' : []].map(
        value =>
          [`${name} ${JSON.stringify(value)}`, { ...payload, [name]: value }] as [
            string,
            unknown,
          ],
      ),
    ),
    ...[
      '"9999999999"',
      '1e400',
      '-1e400',
      '1e308',
      '-1',
      '0',
      '-0',
      '9007199254740993',
      `${now()}.5`,
      `${now() + 60}.5`,
      `"${now() + 60}"`,
    ].map(text => [`exp ${text}`, raw('exp', text)] as [string, unknown]),
    ['exp now', { ...payload, exp: now() }],
    ...['1e400', '-1e400', '-1', '"1"', '1e308', '9007199254740993'].flatMap(
      text =>
        [
          [`nbf ${text}`, raw('nbf', text)],
          [`iat ${text}`, raw('iat', text)],
        ] as Array<[string, unknown]>,
    ),
    ['nbf in a second', { ...payload, nbf: now() + 1 }],
    ...[
      `${ISSUER}/`,
      ISSUER.toUpperCase(),
      'https://evil.example',
      '',
      [ISSUER],
      `${ISSUER}\0`,
    ].map(
      iss => [`iss ${JSON.stringify(iss)}`, { ...payload, iss }] as [string, unknown],
    ),
    ...[
      'https://evil.example',
      `${ORDERS}/`,
      ORDERS.toUpperCase(),
      [],
      [''],
      ['https://evil.example'],
      [1],
      [[ORDERS]],
      { 0: ORDERS },
      '__proto__',
      'constructor',
    ].map(
      aud => [`aud ${JSON.stringify(aud)}`, { ...payload, aud }] as [string, unknown],
    ),
    ...['sid', 'sub'].flatMap(name =>
      ['', 'unknown', 1, '__proto__', 'a'.repeat(3000)].map(
        value =>
          [
            `${name} ${JSON.stringify(value).slice(0, 20)}`,
            { ...payload, [name]: value },
          ] as [string, unknown],
      ),
    ),
    ...[1, [], ['profile'], null].map(
      scope =>
        [`scope ${JSON.stringify(scope)}`, { ...payload, scope }] as [string, unknown],
    ),
    ...['admin', [1], {}].map(
      roles =>
        [`roles ${JSON.stringify(roles)}`, { ...payload, roles }] as [string, unknown],
    ),
    ['the claims in a prototype', `{"__proto__":${JSON.stringify(payload)}}`],
    [
      'claims twice, the last dead',
      JSON.stringify(payload)
        .replace('{', '{"exp":9999999999,')
        .replace(/}$/, ',"exp":1}'),
    ],
  ]
  for (const [name, claims] of bad) {
    t.test(`refused: ${name}`, async t => {
      const token = sign({}, claims)
      t.notOk(await isTaken(t, token))
      const revoked = await server.post('/revoke', { client_id: 'mobile', token })
      t.ok(
        revoked.statusCode === 200 || revoked.json().error === 'invalid_grant',
        revoked.body,
      )
    })
  }
  t.test('and the server goes on', async t => {
    t.ok(await isTaken(t, (await server.login()).access_token))
  })
})

t.test('the verification cache', async t => {
  const again = async (t: Test, server: TestApp, token: string) => {
    for (let i = 0; i < 3; i++) {
      t.ok(await isTaken(t, server, token), 'fresh, then from the cache')
    }
  }

  t.test("a retired key's tokens die at once, cached or not", async t => {
    const server = await serverOn(t, 'SQLite')
    const { access_token: token } = await server.login()
    await again(t, server, token)
    const { kid } = read(token).header
    t.equal((await server.keys.retire(kid)).kind, 'done')
    t.notOk(await isTaken(t, server, token))
    const { access_token: next } = await server.login()
    t.not(read(next).header.kid, kid)
    await again(t, server, next)
  })

  t.test('a turn of the ring leaves them alive, until the key is removed', async t => {
    const server = await serverOn(t, 'SQLite')
    const { access_token: token } = await server.login()
    server.clock.advance(120_000)
    await server.keys.rotate({ atOnce: true })
    await again(t, server, token)
    t.not(read((await server.login()).access_token).header.kid, read(token).header.kid)
  })

  t.test('times, audiences and revocation are judged after the cache', async t => {
    const server = await serverOn(t, 'SQLite')
    const [first, second, third] = [
      await server.login(),
      await server.login(),
      await server.login({ resource: MAIL }),
    ].map(({ access_token: token }) => token)
    if (first === undefined || second === undefined || third === undefined) {
      throw new Error('no tokens')
    }
    for (const token of [first, second, third]) await again(t, server, token)
    await server.post('/revoke', { client_id: 'mobile', token: first })
    t.notOk(await isTaken(t, server, first))
    server.clients.replace(
      CLIENTS.map(client => ({
        ...client,
        audience: client.audience.filter(audience => audience !== MAIL),
      })),
    )
    t.notOk(await isTaken(t, server, third), 'no client knows this audience any more')
    server.clients.replace(CLIENTS)
    t.ok(await isTaken(t, server, third))
    const expiresAt = read(second).payload.exp * 1000
    server.clock.set(expiresAt - 1)
    t.ok(await isTaken(t, server, second))
    server.clock.set(expiresAt)
    t.notOk(await isTaken(t, server, second))
    server.clock.set(expiresAt - 1)
    t.ok(await isTaken(t, server, second), "and by the server's clock alone")
  })

  t.test('a server whose clock is years off judges by its own', async t => {
    const server = await serverOn(t, 'SQLite')
    for (const year of [2001, 2090]) {
      server.clock.set(Date.UTC(year, 0))
      const { access_token: token } = await server.login()
      await again(t, server, token)
      server.clock.advance(601_000)
      t.notOk(await isTaken(t, server, token))
    }
  })

  t.test('neither a refusal nor a success colours what looks alike', async t => {
    const server = await serverOn(t, 'SQLite')
    const { access_token: token } = await server.login()
    const other = (await server.login()).access_token
    const [head, body, signature] = token.split('.')
    const forged = `${head}.${body}.${other.split('.')[2]}`
    for (let i = 0; i < 3; i++) {
      t.notOk(await isTaken(t, server, forged))
      t.ok(await isTaken(t, server, token))
      t.notOk(await isTaken(t, server, `${head}.${other.split('.')[1]}.${signature}`))
    }
  })

  // The full form, a million tokens, takes minutes: LATCHKEY_TOKENS=1000000.
  const amount = Number(process.env['LATCHKEY_TOKENS'] ?? 10_000)
  t.test(`${amount} tokens without a mix-up`, { timeout: 3_600_000 }, async t => {
    const { keys, clock } = await serverOn(t, 'SQLite')
    const app = fastify()
    t.teardown(() => app.close())
    const signedHere = createSignedHere()
    const verify = await registerVerifier(app, {
      issuer: ISSUER,
      keys,
      knowsAudience: audience => audience === ORDERS,
      wasSignedHere: signedHere.has,
      clock,
    })
    const sign = createJwtSigner(
      () => keys.signingKey(),
      () => {},
      // Every other one, so that both ways to see one for the first time are taken.
      token => token.length % 2 === 0 && signedHere.add(token),
    )
    const iat = Math.floor(clock() / 1000)
    const make = async (i: number) =>
      sign(
        {
          iss: ISSUER,
          sub: `user-${i}`,
          aud: ORDERS,
          client_id: 'mobile',
          iat,
          exp: iat + 3600,
          jti: `jti-${i}`,
          sid: `sid-${i % 1000}`,
          auth_time: iat,
        },
        'at+jwt',
      )
    let [fresh, repeated, forgeries, wrong] = [0, 0, 0, 0]
    app.get('/', async () => {
      // As far back as it goes: some are found again, and in the full form some were dropped.
      const recent: string[] = []
      for (let i = 0; i < amount; i++) {
        const token = await make(i)
        const found = verify.named(token)
        fresh++
        if (
          found.kind === 'refused' ||
          found.claims.jti !== `jti-${i}` ||
          found.claims.sub !== `user-${i}` ||
          found.ref.jti !== `jti-${i}`
        ) {
          wrong++
        }
        recent[i % 2000] = token
        const past = Math.max(0, i - Math.floor(Math.random() * 2000))
        const old = recent[past % 2000] ?? ''
        const foundAgain = verify.named(old)
        repeated++
        if (foundAgain.kind === 'refused' || foundAgain.claims.jti !== `jti-${past}`) {
          wrong++
        }
        if (i % 8 !== 0 || past === i) continue
        const [head, body] = token.split('.')
        if (verify.named(`${head}.${body}.${old.split('.')[2]}`).kind === 'ok') {
          wrong++
        }
        forgeries++
      }
      return {}
    })
    const before = performance.now()
    t.equal((await app.inject('/')).statusCode, 200)
    t.same({ fresh, repeated, wrong }, { fresh: amount, repeated: amount, wrong: 0 })
    t.ok(forgeries > amount / 10)
    t.comment(
      `${fresh} fresh, ${repeated} repeated, ${forgeries} forged in ` +
        `${Math.round((performance.now() - before) / 1000)} s`,
    )
  })
})

t.test(
  'a fault while a key is looked for is a fault, and no verdict on the token',
  async t => {
    const { real, server } = await forgery(t)
    const app = fastify()
    t.teardown(() => app.close())
    const verify = await registerVerifier(app, {
      issuer: ISSUER,
      keys: {
        verificationKey() {
          throw new Error('the key ring is not loaded')
        },
      },
      knowsAudience: () => true,
      wasSignedHere: () => false,
      clock: server.clock,
    })
    app.get('/carried', async request => verify.carried(request))
    app.get('/named', async () => verify.named(real))
    for (const url of ['/carried', '/named']) {
      const headers = { authorization: `Bearer ${real}` }
      t.equal((await app.inject({ url, headers })).statusCode, 500, url)
    }
  },
)

t.test('a key whose algorithm is none of ours signs nothing', async t => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const sign = createJwtSigner(() => ({
    kid: 'x',
    alg: 'ES384',
    privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }))
  t.throws(
    () =>
      sign(
        {
          iss: ISSUER,
          sub: 'u',
          aud: ORDERS,
          client_id: 'c',
          iat: 1,
          exp: 2,
          jti: 'j',
          sid: 's',
          auth_time: 1,
        },
        'at+jwt',
      ),
    TypeError,
  )
})

t.test("an access token is no refresh token, nor a client's secret", async t => {
  const server = await serverOn(t, 'SQLite')
  const { access_token: token } = await server.login()
  refused(t, await server.refresh(token), { status: 400, error: 'invalid_grant' })
  refused(
    t,
    await server.post('/introspect', {
      token,
      client_id: 'orders-api',
      client_secret: token,
    }),
    { status: 401, error: 'invalid_client' },
  )
})
