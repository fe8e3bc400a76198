// HTTP itself: methods, paths, content types and bodies that no good client sends, security headers, CORS,
// addresses and their limit.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { METHODS } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import fc from 'fast-check'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { API_SECRET, buildTestApp, PASSWORD } from '../support/app.ts'
import { startRedis } from '../support/redis.ts'
import { basic, FORM, refused, serverOn, STORES } from './helpers.ts'

const R400 = { status: 400, error: 'invalid_request' }
const R415 = { status: 415, error: 'invalid_request' }
const ENDPOINTS = ['/token', '/introspect', '/revoke'] as const
const login = {
  grant_type: 'password',
  client_id: 'mobile',
  username: 'alice',
  password: PASSWORD,
}
const KIB = 1024

t.test('paths and methods', async t => {
  const { app } = await serverOn(t, 'SQLite')
  const rows: Array<{
    name: string
    request: InjectOptions
    status: number
    error: string
    allow?: string
  }> = [
    {
      name: 'an unknown path',
      request: { url: '/none' },
      status: 404,
      error: 'not_found',
    },
    {
      name: 'a slash too many',
      request: { url: '/userinfo/' },
      status: 404,
      error: 'not_found',
    },
    {
      name: 'two slashes',
      request: { url: '//userinfo' },
      status: 404,
      error: 'not_found',
    },
    {
      name: 'a member of a prototype',
      request: { url: '/__proto__' },
      status: 404,
      error: 'not_found',
    },
    {
      name: "a way out of the page's folder",
      request: { url: '/docs/static/..%2f..%2f..%2fpackage.json' },
      status: 404,
      error: 'not_found',
    },
    {
      name: 'a file that the page does not have',
      request: { url: '/docs/static/none.js' },
      status: 404,
      error: 'not_found',
    },
    {
      name: 'a file name that no disk takes',
      request: { url: `/docs/static/${'a'.repeat(1000)}` },
      status: 403,
      error: 'invalid_request',
    },
    {
      name: 'an unknown path with a body',
      request: {
        method: 'POST',
        url: '/none',
        headers: { 'content-type': 'application/json' },
        payload: '{',
      },
      status: 404,
      error: 'not_found',
    },
    { name: 'a path with a broken percent-encoding', request: { url: '/%zz' }, ...R400 },
    { name: 'a path with an overlong encoding', request: { url: '/%C0%AF' }, ...R400 },
    {
      name: 'GET /token',
      request: { url: '/token' },
      status: 405,
      error: 'invalid_request',
      allow: 'POST',
    },
    {
      name: 'GET /token with credentials in the query',
      request: {
        url: '/token?grant_type=password&client_id=mobile&username=alice&password=x',
      },
      status: 405,
      error: 'invalid_request',
      allow: 'POST',
    },
    {
      name: 'PUT /token with a body',
      request: {
        method: 'PUT',
        url: '/token',
        headers: { 'content-type': 'application/json' },
        payload: '{',
      },
      status: 405,
      error: 'invalid_request',
      allow: 'POST',
    },
    {
      name: 'DELETE /introspect',
      request: { method: 'DELETE', url: '/introspect' },
      status: 405,
      error: 'invalid_request',
      allow: 'POST',
    },
    {
      name: 'GET /revoke',
      request: { url: '/revoke' },
      status: 405,
      error: 'invalid_request',
      allow: 'POST',
    },
    {
      name: 'POST to the keys',
      request: { method: 'POST', url: '/.well-known/jwks.json', payload: {} },
      status: 405,
      error: 'invalid_request',
      allow: 'GET, HEAD, OPTIONS',
    },
    {
      name: 'PATCH /userinfo',
      request: { method: 'PATCH', url: '/userinfo' },
      status: 405,
      error: 'invalid_request',
      allow: 'GET, HEAD, POST',
    },
    {
      name: 'POST to a status list',
      request: { method: 'POST', url: '/status/1' },
      status: 405,
      error: 'invalid_request',
      allow: 'GET, HEAD, OPTIONS',
    },
    {
      name: "POST to a file of the page's",
      request: { method: 'POST', url: '/docs/static/index.css' },
      status: 405,
      error: 'invalid_request',
      allow: 'GET, HEAD',
    },
    {
      name: 'an empty name of a status list',
      request: { method: 'POST', url: '/status//x' },
      status: 404,
      error: 'not_found',
    },
    {
      name: 'OPTIONS without CORS',
      request: { method: 'OPTIONS', url: '/token' },
      status: 405,
      error: 'invalid_request',
      allow: 'POST',
    },
    {
      name: 'TRACE',
      request: { method: 'TRACE', url: '/token' } as unknown as InjectOptions,
      status: 405,
      error: 'invalid_request',
      allow: 'POST',
    },
  ]
  for (const { name, request, allow, ...expected } of rows) {
    t.test(name, async t => {
      const answer = await app.inject(request)
      refused(t, answer, expected)
      t.equal(answer.headers['allow'], allow)
      t.equal(answer.headers['x-content-type-options'], 'nosniff')
    })
  }
})

t.test('405 names in Allow exactly what the path takes, at every path', async t => {
  const methods = METHODS.filter(method => method !== 'CONNECT')
  const taken = async (app: FastifyInstance, url: string) => {
    const answers = await Promise.all(
      methods.map(method => app.inject({ method, url } as unknown as InjectOptions)),
    )
    const isRefused = (answer: LightMyRequestResponse) => answer.statusCode === 405
    return {
      takes: methods.filter((_, index) => answers[index]?.statusCode !== 405).sort(),
      allows: answers.filter(isRefused).map(({ headers }) => headers['allow']),
    }
  }
  for (const cors of [[], ['https://app.example.com']]) {
    const issuer = 'https://id.example.com/auth'
    const server = await serverOn(t, 'SQLite', { cors, issuer })
    const paths = [
      ...ENDPOINTS,
      '/userinfo',
      '/verify',
      '/verify/a/b',
      '/status',
      '/status/none',
      '/.well-known/jwks.json',
      '/.well-known/openid-configuration',
      '/.well-known/oauth-authorization-server',
      '/openapi.json',
      '/docs',
      '/docs/',
      '/docs/static/index.css',
      '/docs/json',
    ]
    for (const url of paths.flatMap(path => [path, `/auth${path}?x=/status`])) {
      const { takes, allows } = await taken(server.app, url)
      t.not(allows.length, 0)
      t.same([...new Set(allows)], [takes.join(', ')], `${url} with ${cors}`)
    }
    const management = server.management
    for (const url of ['/livez', '/readyz', '/metrics']) {
      t.same([...new Set((await taken(management, url)).allows)], ['GET, HEAD'], url)
    }
  }
})

t.test('where the path or the method is wrong, nothing is said of the body', async t => {
  const server = await serverOn(t, 'SQLite')
  const bodies: Array<{ headers: Record<string, string>; payload?: string }> = [
    { headers: {} },
    { headers: { 'content-type': ';' }, payload: 'x' },
    { headers: { 'content-type': 'application/json' }, payload: '{' },
    { headers: { 'content-length': '0' } },
    { headers: FORM, payload: 'a'.repeat(17 * KIB) },
  ]
  for (const [app, known] of [
    [server.app, '/.well-known/jwks.json'],
    [server.management, '/livez'],
  ] as const) {
    for (const method of ['QUERY', 'POST', 'PUT', 'PROPFIND']) {
      for (const body of bodies) {
        const ask = (url: string) =>
          app.inject({ method, url, ...body } as unknown as InjectOptions)
        refused(t, await ask('/none'), { status: 404, error: 'not_found' }, method)
        refused(t, await ask(known), { status: 405, error: 'invalid_request' }, method)
      }
    }
  }
})

t.test('a path is never taken for a pattern', async t => {
  const server = await serverOn(t, 'SQLite')
  const management = server.management
  const paths = [
    '/:x(',
    '/:x(.*)',
    '/:a(((',
    '/:a(?=b',
    '/::token',
    '/:',
    '/*token',
    '/*/revoke',
    '*/revoke',
    '/**',
    '/token*',
    '/:x?/y',
    '/:x(^a{65536}$)',
    '/(((token',
    '/[token',
    // Behind a slash, the test's own client would take it for a host, and ask for `/`.
    '/x\\token',
    '/:a-:b-:c(',
    '/status/:id',
  ]
  const characters = fc.string({
    unit: fc.constantFrom(...':*()[]{}?+^$|\\./-_~;,@!ax'),
    maxLength: 40,
  })
  const isRefused = async (method: 'GET' | 'POST' | 'PUT', url: string) => {
    for (const app of [server.app, management]) {
      const { statusCode } = await app.inject({ method, url })
      if (![400, 404, 405, 415].includes(statusCode)) return false
    }
    return true
  }
  for (const path of paths) {
    for (const method of ['GET', 'POST'] as const) {
      t.ok(await isRefused(method, path), `${method} ${path}`)
    }
  }
  await fc.assert(
    fc.asyncProperty(characters, async path => isRefused('PUT', `/z${path}`)),
    { numRuns: 500 },
  )
  t.notOk(server.lines.some(line => JSON.parse(line).level >= 50))

  t.test('and a long one costs no more than a short one', async t => {
    const cost = async (url: string) => {
      await server.app.inject({ url })
      const times: number[] = []
      for (let i = 0; i < 20; i++) {
        const began = performance.now()
        await server.app.inject({ url })
        times.push(performance.now() - began)
      }
      // Others run here, too: the least is the cost.
      return Math.min(...times)
    }
    const long = await cost(`/:x(${'a|'.repeat(7 * KIB)}a)`)
    t.ok(long < 5 * (await cost(`/${'a'.repeat(14 * KIB)}`)) + 2, `${long} ms`)
  })
})

t.test('every answer carries the security headers', async t => {
  const { app, post } = await serverOn(t, 'SQLite')
  const answers = await Promise.all([
    post('/token', login),
    post('/token', { ...login, password: 'x' }),
    post('/introspect', {}),
    post('/revoke', { ...login, token: 'x' }),
    post('/token', 'a'.repeat(17 * KIB)),
    post('/token', '', { 'content-type': 'text/xml' }),
    ...[
      '/userinfo',
      '/.well-known/jwks.json',
      '/.well-known/openid-configuration',
      '/openapi.json',
      '/docs',
      '/none',
      '/token',
    ].map(url => app.inject(url)),
  ])
  t.same(
    answers.map(answer => answer.statusCode),
    [200, 400, 401, 200, 413, 415, 401, 200, 200, 200, 200, 404, 405],
  )
  for (const {
    headers,
    raw: { req },
  } of answers) {
    const name = `${req.method} ${req.url}`
    t.equal(headers['x-content-type-options'], 'nosniff', name)
    t.equal(headers['x-frame-options'], 'DENY', name)
    t.equal(headers['referrer-policy'], 'no-referrer', name)
    t.match(headers['strict-transport-security'], /^max-age=31536000/, name)
    t.match(
      headers['content-security-policy'],
      /^default-src 'none';.*frame-ancestors 'none'/,
      name,
    )
    t.equal(headers['x-powered-by'], undefined, name)
    t.equal(headers['server'], undefined, name)
    t.equal(headers['set-cookie'], undefined, name)
  }
})

t.test('the content type', async t => {
  const { post, app } = await serverOn(t, 'SQLite')
  const type = 'application/x-www-form-urlencoded'
  // Each is judged as the form that it says to be: by the endpoint, and not as something else.
  const forms = [
    type,
    type.toUpperCase(),
    `${type};charset=UTF-8`,
    `${type}; charset="utf-8"`,
    `${type}\t; charset=utf-8`,
    ` ${type}`,
    `\t${type}`,
    `${type} `,
    `${type}\t`,
    `${type};`,
    `${type}; a="b`,
    `${type}; boundary=x`,
    `${type};charset=utf-7`,
  ]
  const others = [
    '',
    ' ',
    'undefined',
    ';',
    '/',
    'application',
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'text/xml',
    'multipart/form-data; boundary=x',
    `${type} garbage`,
    `${type}, application/json`,
    `${type}x`,
    `x${type}`,
    'application /x-www-form-urlencoded',
    'application/ x-www-form-urlencoded',
    'application/*',
    '*/*',
    '__proto__',
    'constructor/prototype',
    `application/json;${type}`,
    `${type}/json`,
  ]
  for (const url of ENDPOINTS) {
    const body = new URLSearchParams({
      ...login,
      token: 'x',
      client_id: 'orders-api',
      client_secret: API_SECRET,
    }).toString()
    const expected = (await post(url, body)).body
    for (const text of forms) {
      t.equal(
        (await post(url, body, { 'content-type': text })).body,
        expected,
        `${url} takes ${JSON.stringify(text)}`,
      )
    }
    for (const text of others) {
      t.test(`${url} refuses ${JSON.stringify(text)}`, async t => {
        refused(t, await post(url, body, { 'content-type': text }), R415)
      })
    }
    t.test(`${url} refuses a body without a type, and no body at all`, async t => {
      refused(
        t,
        await app.inject({ method: 'POST', url, payload: Buffer.from(body) }),
        R415,
      )
      refused(t, await app.inject({ method: 'POST', url }), R400)
    })
  }
})

t.test('bodies that no good client sends', async t => {
  const server = await serverOn(t, 'SQLite')
  const { app } = server
  const send = (url: string, payload: string | Buffer) =>
    app.inject({
      method: 'POST',
      url,
      headers: { ...FORM, ...basic('orders-api', API_SECRET) },
      payload: Buffer.from(payload),
    })
  const at = 'grant_type=password&token='
  const rows: Array<{ name: string; body: string | Buffer; status?: number }> = [
    ...[
      'null',
      'true',
      'false',
      '0',
      '-1',
      '1e400',
      '""',
      '"x"',
      '[]',
      '{}',
      '[null]',
      'undefined',
      'NaN',
      ' ',
      '&',
      '=',
      '&&&===&&&',
    ].map(body => ({ name: `the root value ${JSON.stringify(body)}`, body })),
    { name: 'a NUL byte', body: at + 'a\0b' },
    { name: 'an encoded NUL byte', body: at + 'a%00b' },
    { name: 'a NUL byte in a name', body: 'tok\0en=x' },
    { name: 'a NUL byte alone', body: '\0' },
    { name: 'a line feed', body: at + 'a%0d%0aSet-Cookie:x' },
    { name: 'a lone surrogate, encoded', body: at + '%ED%A0%80' },
    {
      name: 'a lone surrogate, raw',
      body: Buffer.concat([Buffer.from(at), Buffer.from([0xed, 0xb0, 0x80])]),
    },
    { name: 'a lone surrogate as %u', body: at + '%uD800' },
    {
      name: 'bytes that are not UTF-8',
      body: Buffer.from([0x74, 0x6f, 0x6b, 0x65, 0x6e, 0x3d, 0xff, 0xfe]),
    },
    { name: 'UTF-16', body: Buffer.from('﻿token=x', 'utf16le') },
    { name: 'a broken percent-encoding', body: at + '%zz' },
    { name: 'a cut percent-encoding', body: at + '%e2%82' },
    { name: 'a percent sign', body: at + '%' },
    { name: 'a broken percent-encoding in a name', body: 'tok%en=x' },
    { name: 'an overlong slash', body: at + '%c0%af' },
    { name: 'a code point beyond Unicode', body: at + '%f4%90%80%80' },
    { name: 'a name twice', body: at + 'x&token=y' },
    { name: 'a name twice, once encoded', body: at + 'x&%74oken=y' },
    { name: '1 MiB', body: at + 'a'.repeat(KIB * KIB), status: 413 },
    { name: '1 MiB of names', body: 'a&'.repeat((KIB * KIB) / 2), status: 413 },
    {
      name: 'a byte beyond 16 KiB',
      body: at + 'a'.repeat(16 * KIB + 1 - at.length),
      status: 413,
    },
  ]
  for (const url of ENDPOINTS) {
    for (const { name, body, status = 400 } of rows) {
      t.test(`${url}: ${name}`, async t => {
        const answer = await send(url, body)
        refused(t, answer, { status, error: 'invalid_request' })
        if (status === 413) {
          t.equal(answer.headers['connection'], 'close', "the rest isn't read")
        }
      })
    }

    t.test(`${url}: names that are special to JavaScript do no harm`, async t => {
      const names = [
        '__proto__',
        'constructor',
        'prototype',
        'toString',
        'hasOwnProperty',
        '__defineGetter__',
        'then',
        'toJSON',
        '__proto__[client_id]',
        '__proto__.token',
        'constructor.prototype.active',
      ]
      const answers = await Promise.all(
        names.map(name =>
          send(url, `token=x&grant_type=x&${encodeURIComponent(name)}=polluted`),
        ),
      )
      const plain = await send(url, 'token=x&grant_type=x')
      for (const answer of answers) t.equal(answer.body, plain.body)
      t.equal(
        Object.hasOwn(Object.prototype, 'client_id') ||
          'active' in {} ||
          'polluted' in {},
        false,
      )
    })

    t.test(`${url}: 16 KiB are read to the last byte`, async t => {
      const answer = await send(url, at + 'a'.repeat(16 * KIB - at.length - 1) + '&')
      t.ok(
        answer.statusCode === 200 || answer.json().error === 'unauthorized_client',
        answer.body,
      )
      refused(t, await send(url, at + 'a'.repeat(16 * KIB - at.length - 3) + '%zz'), R400)
    })
  }

  t.test(
    'whatever bytes come, the answer is an OAuth object and never a fault of ours',
    async t => {
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array)),
        fc
          .array(
            fc.tuple(
              fc.constantFrom(
                'grant_type',
                'token',
                'client_id',
                'client_secret',
                'username',
                'password',
                'refresh_token',
                'scope',
                'resource',
                '__proto__',
                '',
              ),
              fc.string({ unit: 'binary', maxLength: 30 }),
            ),
            { maxLength: 8 },
          )
          .map(pairs =>
            Buffer.from(pairs.map(([name, value]) => `${name}=${value}`).join('&')),
          ),
      )
      const authorization = fc.option(
        fc.oneof(
          fc
            .string({ maxLength: 30 })
            .map(text => `Basic ${Buffer.from(text).toString('base64')}`),
          fc.base64String().map(text => `Basic ${text}`),
          fc.constantFrom('Basic', 'Bearer x', 'basic  ='),
        ),
        { nil: undefined },
      )
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...ENDPOINTS),
          bytes,
          authorization,
          async (url, payload, header) => {
            const answer = await app.inject({
              method: 'POST',
              url,
              headers: {
                ...FORM,
                ...(header !== undefined && { authorization: header }),
              },
              payload,
            })
            return (
              answer.statusCode < 500 &&
              typeof answer.json() === 'object' &&
              (answer.statusCode === 200 || typeof answer.json().error === 'string') &&
              answer.headers['cache-control'] === 'no-store'
            )
          },
        ),
        { numRuns: 300 },
      )
      t.notOk(server.lines.some(line => line.includes('a fault of ours')))
    },
  )
})

t.test('on the wire', async t => {
  const { app } = await serverOn(t, 'SQLite')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const say = async (text: string) => {
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket
      .setEncoding('utf8')
      .on('data', more => {
        heard += more
      })
      .on('error', () => {})
    socket.write(text)
    await once(socket, 'close')
    const [head = '', body = ''] = heard.split('\r\n\r\n')
    return {
      status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]),
      head: head.toLowerCase(),
      body,
    }
  }
  const post =
    'POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ' +
    'application/x-www-form-urlencoded\r\n'
  const rows: Array<[string, string, number]> = [
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['a method that is none', 'FETCH /token HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['no Host', 'GET /userinfo HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    [
      'two Host lines',
      'GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n',
      400,
    ],
    ['the same Host twice', 'GET /token HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n', 400],
    ['a Host that is none', 'GET /token HTTP/1.1\r\nHost: x/token\r\n\r\n', 400],
    [
      'a transfer coding that is not known here',
      `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      501,
    ],
    [
      'the same at a document',
      'GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      501,
    ],
    [
      'an expectation with a body',
      `${post}Expect: x\r\nContent-Length: 3\r\n\r\na=b`,
      417,
    ],
    [
      'a content coding',
      `${post}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\na=b`,
      415,
    ],
    [
      'a content coding of two',
      `${post}Content-Encoding: identity, gzip\r\nContent-Length: 3\r\n\r\na=b`,
      415,
    ],
    [
      'no content coding',
      `${post}Content-Encoding: identity\r\nContent-Length: 3\r\n\r\na=b`,
      401,
    ],
    [
      'chunks in capitals',
      `${post}Transfer-Encoding: Chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n`,
      401,
    ],
    ['100-continue', `${post}Expect: 100-continue\r\nContent-Length: 3\r\n\r\na=b`, 100],
    [
      'a NUL in a header',
      'GET /userinfo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\0b\r\n\r\n',
      400,
    ],
    [
      'a header over two lines',
      'GET /userinfo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\r\n a\r\nConnection: close\r\n\r\n',
      400,
    ],
    ['two lengths', `${post}Content-Length: 3\r\nContent-Length: 4\r\n\r\na=bc`, 400],
    [
      'a length and chunks',
      `${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [
      'a chunk that is none',
      `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\na=b\r\n0\r\n\r\n`,
      400,
    ],
    [
      'a URL beyond 16 KiB',
      `GET /token?${'a'.repeat(17 * KIB)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      431,
    ],
    [
      'headers beyond 16 KiB',
      `GET /token HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(4 * KIB)}\r\n`,
      431,
    ],
    [
      'an expectation that is none of ours',
      `${post}Expect: cookies\r\nContent-Length: 0\r\n\r\n`,
      417,
    ],
    [
      'a body of chunks that grows beyond 16 KiB',
      `${post}Transfer-Encoding: chunked\r\n\r\n5000\r\n${'a'.repeat(0x5000)}\r\n0\r\n\r\n`,
      413,
    ],
  ]
  for (const [name, text, status] of rows) {
    t.test(name, async t => {
      const answer = await say(text)
      t.equal(answer.status, status, answer.head)
      if (status === 100) return
      t.match(answer.head, /content-type: application\/json/)
      t.match(answer.head, /cache-control: no-store/)
      t.match(answer.head, /connection: close/)
      const error = status === 401 ? 'invalid_client' : 'invalid_request'
      t.equal(JSON.parse(answer.body).error, error)
    })
  }

  t.test('HTTP/1.0 knows no Host', async t => {
    t.equal((await say('GET /.well-known/jwks.json HTTP/1.0\r\n\r\n')).status, 200)
  })

  t.test('a connection that is reset says nothing and costs nothing', async t => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST /token HTTP/1.1\r\nHost: x\r\n')
    socket.resetAndDestroy()
    t.equal(
      (
        await say(
          'GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
        )
      ).status,
      200,
    )
  })

  t.test('a wish for another protocol is no reason to hang', async t => {
    const upgrade = await say(
      'GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: ' +
        'websocket\r\n\r\n',
    )
    t.equal(upgrade.status, 200)
    t.ok(
      Number.isNaN(
        (await say('CONNECT id.example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n')).status,
      ),
      'a tunnel is closed without a word',
    )
  })
})

t.test('CORS', async t => {
  const ask = async (t: Test, cors: string[]) => {
    const { app } = await serverOn(t, 'SQLite', { cors })
    return (url: string, origin: string, more: InjectOptions = {}) =>
      app.inject({ url, ...more, headers: { origin, ...more.headers } })
  }
  const preflight = {
    method: 'OPTIONS',
    headers: {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    },
  } as const
  const ours = 'https://app.example.com'

  t.test('keys and metadata are for every page', async t => {
    for (const cors of [[], [ours], ['*']]) {
      const get = await ask(t, cors)
      for (const url of [
        '/.well-known/jwks.json',
        '/.well-known/oauth-authorization-server',
        '/.well-known/openid-configuration?x=1',
      ]) {
        const answer = await get(url, 'https://evil.example')
        t.equal(answer.statusCode, 200)
        t.equal(answer.headers['access-control-allow-origin'], '*')
        t.equal(answer.headers['access-control-allow-credentials'], undefined)
      }
      const asked = await get('/.well-known/jwks.json', 'https://evil.example', {
        ...preflight,
        headers: { 'access-control-request-method': 'GET' },
      })
      t.equal(asked.statusCode, 204)
    }
  })

  t.test('the endpoints are for the configured origins only', async t => {
    const get = await ask(t, [ours])
    for (const url of ['/token', '/introspect', '/revoke', '/userinfo', '/none']) {
      for (const evil of [
        'https://evil.example',
        'null',
        'https://app.example.com.evil.example',
        'http://app.example.com',
        'https://app.example.com:8443',
        '',
      ]) {
        t.equal((await get(url, evil)).headers['access-control-allow-origin'], undefined)
        t.equal(
          (await get(url, evil, preflight)).headers['access-control-allow-origin'],
          undefined,
        )
      }
      const asked = await get(url, ours, preflight)
      t.equal(asked.statusCode, 204)
      t.equal(asked.headers['access-control-allow-origin'], ours)
      t.equal(asked.headers['access-control-allow-headers'], 'authorization')
      const methods = asked.headers['access-control-allow-methods']
      t.equal(methods, 'GET, HEAD, POST, PUT, PATCH, DELETE', 'those of /account, too')
      t.equal(asked.headers['access-control-max-age'], '600')
      const answer = await get(url, ours)
      t.equal(answer.headers['access-control-allow-origin'], ours, 'also on an error')
      t.match(answer.headers['vary'], /origin/i)
      t.match(
        answer.headers['access-control-expose-headers'],
        /www-authenticate, retry-after, ratelimit-limit/,
      )
    }
  })

  t.test('an app in a web view and an extension have origins, too', async t => {
    const origins = [
      'capacitor://localhost',
      'tauri://localhost',
      'chrome-extension://abc',
    ]
    const get = await ask(t, origins)
    for (const origin of origins) {
      const { headers } = await get('/token', origin, preflight)
      t.equal(headers['access-control-allow-origin'], origin)
    }
  })

  t.test('a query does not open an endpoint', async t => {
    for (const cors of [[], [ours]]) {
      const get = await ask(t, cors)
      for (const url of [
        '/token?x=/.well-known/',
        '/userinfo?/.well-known/jwks.json',
        '/token?/.well-known/#/.well-known/',
      ]) {
        t.equal(
          (await get(url, 'https://evil.example')).headers['access-control-allow-origin'],
          undefined,
        )
        t.equal(
          (await get(url, 'https://evil.example', preflight)).headers[
            'access-control-allow-origin'
          ],
          undefined,
        )
      }
    }
  })

  t.test('/verify is for proxies and never for a page', async t => {
    for (const cors of [[], [ours], ['*']]) {
      const get = await ask(t, cors)
      for (const url of [
        '/verify',
        '/verify/',
        '/verify/status',
        '/verify/status/1',
        '/verify/.well-known/jwks.json',
        '/verify/x/.well-known/y',
      ]) {
        for (const more of [{}, preflight]) {
          const { statusCode, headers } = await get(url, ours, more)
          t.equal(statusCode, 400, 'asked like any other request')
          t.strictSame(
            Object.keys(headers).filter(name => name.startsWith('access-control-')),
            [],
            `${url} with ${cors}`,
          )
        }
      }
    }
  })

  t.test('what ends like a document is none', async t => {
    const get = await ask(t, [ours])
    for (const url of ['/x/status', '/x/.well-known/y', '/userinfo/status/1']) {
      const { headers } = await get(url, 'https://evil.example', preflight)
      t.equal(headers['access-control-allow-origin'], undefined, url)
    }
    t.equal(
      (await get('/status/1', 'https://evil.example')).headers[
        'access-control-allow-origin'
      ],
      '*',
    )
  })

  t.test(
    'without configured origins there is no CORS at the endpoints, and with * it is for all',
    async t => {
      const closed = await ask(t, [])
      refused(t, await closed('/token', ours, preflight), {
        status: 405,
        error: 'invalid_request',
      })
      const open = await ask(t, ['*'])
      t.equal(
        (await open('/token', ours, preflight)).headers['access-control-allow-origin'],
        '*',
      )
      t.equal(
        (await open('/token', ours, { method: 'OPTIONS' })).statusCode,
        204,
        'OPTIONS that is no preflight',
      )
    },
  )
})

for (const store of STORES) {
  t.test(`the limit per address on ${store}`, async t => {
    const redis = store === 'Redis' ? await startRedis() : undefined
    const where = {
      secrets: [randomBytes(32).toString('base64url')],
      ...(redis !== undefined && { storeUrl: redis.url }),
    }
    const server = await buildTestApp({
      ...where,
      trustedProxies: ['10.0.0.0/8', '2001:db8:ffff::/48'],
    })
    t.teardown(async () => {
      await server.close()
      await redis?.stop()
    })
    const { app, live } = server
    const send = (
      remoteAddress: string,
      body: Record<string, string> = login,
      headers: Record<string, string> = {},
      url = '/token',
    ) =>
      app.inject({
        method: 'POST',
        url,
        remoteAddress,
        headers: { ...FORM, ...headers },
        payload: new URLSearchParams(body).toString(),
      })
    const left = async (...request: Parameters<typeof send>) =>
      (await send(...request)).headers['ratelimit-remaining']
    live.max = 5
    let host = 0
    /** An address that no other test has. */
    const fresh = () => `192.0.2.${++host}`

    t.test('successful answers and refusals carry RateLimit headers', async t => {
      const address = fresh()
      const first = await send(address)
      t.equal(first.statusCode, 200)
      t.match(first.headers, { 'ratelimit-limit': '5', 'ratelimit-remaining': '4' })
      t.ok(
        Number(first.headers['ratelimit-reset']) > 50 &&
          Number(first.headers['ratelimit-reset']) <= 60,
      )
      const second = await send(address, { ...login, password: 'wrong' })
      t.equal(second.statusCode, 400)
      t.match(second.headers, { 'ratelimit-limit': '5', 'ratelimit-remaining': '3' })
      t.equal(
        (await send(address, { client_id: 'nobody' })).headers['ratelimit-remaining'],
        '2',
      )
    })

    t.test(
      'one request too many: 429 slow_down with Retry-After, before credentials are looked at',
      async t => {
        const address = fresh()
        for (let i = 0; i < 5; i++) {
          t.equal((await send(address, { ...login, password: 'wrong' })).statusCode, 400)
        }
        const seen = server.lines.length
        for (const body of [login, { ...login, password: 'wrong' }]) {
          const answer = await send(address, body)
          refused(t, answer, { status: 429, error: 'slow_down' })
          t.match(answer.headers, { 'ratelimit-limit': '5', 'ratelimit-remaining': '0' })
          t.equal(answer.headers['retry-after'], answer.headers['ratelimit-reset'])
          t.ok(Number(answer.headers['retry-after']) >= 1)
        }
        t.notMatch(server.lines.slice(seen).join(''), /login\./)
        t.equal((await send(fresh())).statusCode, 200, 'another address goes on')
      },
    )

    t.test('the limit and the window are those of now', async t => {
      const address = fresh()
      for (let i = 0; i < 6; i++) await send(address)
      t.equal((await send(address)).statusCode, 429)
      live.max = 100
      t.match((await send(address)).headers, {
        'ratelimit-limit': '100',
        'ratelimit-remaining': '92',
      })
      live.max = 5
      if (redis === undefined) {
        live.window = 1
        t.equal(await left(address), '4', 'a window that is over begins anew')
        live.window = 60_000
      }
    })

    t.test(
      'introspection and revocation count strangers, together with the token endpoint',
      async t => {
        const address = fresh()
        const api = { client_id: 'orders-api', client_secret: API_SECRET, token: 'x' }
        for (const url of ['/introspect', '/revoke']) {
          t.equal(
            await left(address, api, {}, url),
            undefined,
            "a client that proved who it is isn't counted",
          )
          t.equal(
            await left(address, { token: 'x' }, basic('orders-api', API_SECRET), url),
            undefined,
          )
        }
        t.equal(
          await left(address, { ...api, client_secret: 'guess' }, {}, '/introspect'),
          '4',
        )
        t.equal(await left(address, { token: 'x' }, {}, '/introspect'), '3')
        t.equal(
          await left(address, { token: 'x', client_id: 'mobile' }, {}, '/revoke'),
          '2',
          'a public client is a stranger',
        )
        t.equal(await left(address), '1')
        t.equal(
          await left(address, { token: 'x' }, { authorization: 'Basic ***' }, '/revoke'),
          '0',
        )
        for (const url of ['/token', '/introspect', '/revoke']) {
          refused(t, await send(address, { ...api, client_secret: 'guess' }, {}, url), {
            status: 429,
            error: 'slow_down',
          })
        }
        t.equal(
          (await send(address, api, {}, '/introspect')).statusCode,
          200,
          'the resource server behind the same address goes on',
        )
        for (const url of ['/userinfo', '/.well-known/jwks.json']) {
          t.notOk(
            'ratelimit-limit' in
              (await app.inject({ url, remoteAddress: address })).headers,
          )
        }
      },
    )

    t.test(
      'of IPv6 the network counts, and IPv4 is one address however it is written',
      async t => {
        t.equal(await left('2001:db8:1:2::1'), '4')
        t.equal(await left('2001:db8:1:2:ffff::99'), '3', 'a /64 is one household')
        t.equal(await left('2001:db8:1:3::1'), '4')
        t.equal(await left('198.51.100.1'), '4')
        t.equal(await left('::ffff:198.51.100.1'), '3')
        t.equal(await left('fe80::1%eth0'), '4', 'a zone does no harm')
      },
    )

    t.test(
      'X-Forwarded-For is believed from trusted proxies only, and only as far as they go',
      async t => {
        const [victim, other] = [fresh(), fresh()]
        t.equal(await left(victim), '4')
        t.equal(
          await left(other, login, { 'x-forwarded-for': victim }),
          '4',
          'not from a stranger',
        )
        t.equal(await left('10.1.2.3', login, { 'x-forwarded-for': victim }), '3')
        t.equal(
          await left('10.1.2.3', login, { 'x-forwarded-for': `203.0.113.9, ${victim}` }),
          '2',
          'what the client wrote in front is not looked at',
        )
        t.equal(
          await left('10.1.2.3', login, { 'x-forwarded-for': `${victim}, 10.9.9.9` }),
          '1',
          'a second proxy of ours',
        )
        t.equal(
          await left('2001:db8:ffff::1', login, { 'x-forwarded-for': victim }),
          '0',
          'a proxy by IPv6',
        )
        t.equal(
          await left('11.1.2.3', login, { 'x-forwarded-for': victim }),
          '4',
          'one bit beyond the range',
        )
      },
    )

    t.test(
      'a port behind the address, as some proxies append it, is no new address',
      async t => {
        const address = fresh()
        t.equal(
          await left('10.1.2.3', login, { 'x-forwarded-for': `${address}:50001` }),
          '4',
        )
        t.equal(
          await left('10.1.2.3', login, { 'x-forwarded-for': `${address}:50002` }),
          '3',
        )
        t.equal(
          await left('10.1.2.3', login, { 'x-forwarded-for': '[2001:db8:5::1]:50001' }),
          '4',
        )
        t.equal(
          await left('10.1.2.3', login, { 'x-forwarded-for': '[2001:db8:5::1]:50002' }),
          '3',
        )
        t.equal(
          (await send('10.1.2.3', login, { 'x-forwarded-for': 'unknown' })).statusCode,
          200,
        )
      },
    )

    t.test(
      'Latchkey-Forwarded-For is heard from a client that may forward, and from nobody else',
      async t => {
        const user = fresh()
        const { client_id: _, ...user1 } = login
        const forwarded = { 'latchkey-forwarded-for': user }
        const [backend, stranger] = [fresh(), fresh()]
        t.equal(
          await left(backend, user1, { ...basic('web', 'web-secret'), ...forwarded }),
          '4',
        )
        t.equal(
          await left(
            backend,
            { ...user1, client_id: 'web', client_secret: 'web-secret' },
            forwarded,
          ),
          '3',
        )
        t.equal(
          await left(backend, user1, basic('web', 'web-secret')),
          '4',
          'without the header its own address counts',
        )
        t.equal(await left(stranger, login, forwarded), '4', 'a public client')
        t.equal(
          await left(stranger, user1, { ...basic('web', 'guess'), ...forwarded }),
          '3',
          'a wrong secret',
        )
        t.equal(
          await left(stranger, user1, {
            ...basic('orders-api', API_SECRET),
            ...forwarded,
          }),
          '2',
          'a client that may not',
        )
        t.equal(
          await left(stranger, user1, {
            ...basic('web', 'web-secret'),
            'latchkey-forwarded-for': 'many',
          }),
          '1',
          'what is no address',
        )
        t.equal(
          await left(stranger, user1, {
            ...basic('web', 'web-secret'),
            'latchkey-forwarded-for': `${user}, ${user}`,
          }),
          '0',
          'more than one',
        )
        t.equal(
          await left(backend, user1, {
            ...basic('web', 'web-secret'),
            'latchkey-forwarded-for': 'fe80::9%a:b',
          }),
          '3',
          'a zone does no harm',
        )
      },
    )

    if (redis !== undefined) {
      t.test('two servers share the counts', async t => {
        const second = await buildTestApp(where)
        t.teardown(() => second.close())
        second.live.max = 5
        const address = fresh()
        await send(address)
        const answer = await second.app.inject({
          method: 'POST',
          url: '/token',
          remoteAddress: address,
          headers: FORM,
          payload: '',
        })
        t.equal(answer.headers['ratelimit-remaining'], '3')
      })
    }
  })
}
