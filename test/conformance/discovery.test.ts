// What clients and verifiers fetch: userinfo (RFC 6750), metadata (RFC 8414), keys (RFC 7517, 7638), and the
// OpenAPI document.
import { createHash } from 'node:crypto'
import { Validator } from '@seriousme/openapi-schema-validator'
import { calculateJwkThumbprint } from 'jose'
import t from 'tap'
import { API_SECRET, ISSUER, MAIL } from '../support/app.ts'
import { basic, read, refused, serverOn, STORES } from './helpers.ts'

const BARE = /^Bearer realm="latchkey"$/
const INVALID =
  /^Bearer realm="latchkey", error="invalid_token", error_description="[\x20-\x21\x23-\x5B\x5D-\x7E]+"$/

for (const store of STORES) {
  t.test(`GET /userinfo on ${store}`, async t => {
    const server = await serverOn(t, store)
    const ask = (authorization?: string) =>
      server.app.inject({
        url: '/userinfo',
        headers: authorization === undefined ? {} : { authorization },
      })

    t.test('tells who the bearer is, as far as the scope reaches', async t => {
      const { access_token: token } = await server.login()
      const answer = await ask(`Bearer ${token}`)
      t.equal(answer.statusCode, 200)
      t.equal(answer.headers['cache-control'], 'no-store')
      t.match(answer.headers['content-type'], /^application\/json/)
      t.same(answer.json(), {
        sub: read(token).payload.sub,
        preferred_username: 'alice',
        roles: ['buyer'],
      })
      const { access_token: narrow } = await server.login({ scope: 'orders:read' })
      t.same((await ask(`Bearer ${narrow}`)).json(), {
        sub: read(token).payload.sub,
        roles: ['buyer'],
      })
      const { access_token: bare } = await server.login({ client_id: 'bare' })
      t.same((await ask(`Bearer ${bare}`)).json(), {
        sub: read(token).payload.sub,
        roles: ['buyer'],
      })
    })

    t.test(
      'RFC 6750 §2.1: the scheme in any case, spaces before and behind the token',
      async t => {
        const { access_token: token } = await server.login()
        for (const text of [
          `bearer ${token}`,
          `BEARER   ${token}`,
          `Bearer ${token}  `,
        ]) {
          t.equal((await ask(text)).statusCode, 200, text.slice(0, 12))
        }
        t.equal(
          (
            await server.app.inject({
              method: 'HEAD',
              url: '/userinfo',
              headers: { authorization: `Bearer ${token}` },
            })
          ).statusCode,
          200,
        )
      },
    )

    t.test(
      'RFC 6750 §3: who sends no bearer token is challenged without an error',
      async t => {
        for (const none of [
          undefined,
          '',
          basic('web', 'web-secret').authorization,
          'Bearerx abc',
        ]) {
          refused(t, await ask(none), {
            status: 401,
            error: 'invalid_token',
            challenge: BARE,
          })
        }
      },
    )

    t.test('RFC 6750 §3.1: what is no good as a token is an invalid_token', async t => {
      const { access_token: token } = await server.login()
      for (const bad of [
        'Bearer',
        'Bearer ',
        'Bearer a b',
        'Bearer \u00E9',
        `Bearer ${token},${token}`,
        `Bearer "${token}"`,
        'Bearer x',
        `Bearer ${token.slice(0, -1)}`,
        `Bearer ${token}=`,
      ]) {
        refused(t, await ask(bad), {
          status: 401,
          error: 'invalid_token',
          challenge: INVALID,
        })
      }
    })

    t.test(
      'OIDC Core §5.3.1, RFC 6750 §2.2: POST, the token in either place',
      async t => {
        const { access_token: token } = await server.login()
        const bearer = { authorization: `Bearer ${token}` }
        const post = (body: string, headers = {}) =>
          server.post('/userinfo', body, headers)
        const expected = (await ask(`Bearer ${token}`)).json()
        const good = [
          await server.app.inject({ method: 'POST', url: '/userinfo', headers: bearer }),
          await post('', bearer),
          await post('access_token=&x=y', bearer),
          await post(`x=y&access_token=${token}`),
        ]
        for (const answer of good) {
          t.equal(answer.statusCode, 200, answer.body)
          t.same(answer.json(), expected)
          t.equal(answer.headers['cache-control'], 'no-store')
        }
        const invalid = { status: 401, error: 'invalid_token', challenge: INVALID }
        const bare = { status: 401, error: 'invalid_token', challenge: BARE }
        refused(t, await post(''), bare)
        refused(t, await post('access_token='), bare)
        refused(
          t,
          await server.app.inject({
            method: 'POST',
            url: `/userinfo?access_token=${token}`,
          }),
          bare,
        )
        refused(t, await post('access_token=x'), invalid)
        refused(t, await post(`access_token=Bearer+${token}`), invalid)
        const malformed = { status: 400, error: 'invalid_request' }
        refused(t, await post(`access_token=${token}`, bearer), malformed)
        refused(t, await post(`access_token=${token}&access_token=${token}`), malformed)
        refused(
          t,
          await post(`{"access_token":"${token}"}`, {
            ...bearer,
            'content-type': 'application/json',
          }),
          { ...malformed, status: 415 },
        )
      },
    )

    t.test('RFC 6750 §2: neither the query nor a body of GET is read', async t => {
      const { access_token: token } = await server.login()
      refused(t, await server.app.inject(`/userinfo?access_token=${token}`), {
        status: 401,
        error: 'invalid_token',
        challenge: BARE,
      })
      refused(
        t,
        await server.app.inject({
          url: '/userinfo',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          payload: `access_token=${token}`,
        }),
        { status: 401, error: 'invalid_token', challenge: BARE },
      )
    })

    t.test('a token for another audience is taken, for what it holds', async t => {
      const { access_token: token } = await server.login({
        resource: MAIL,
        scope: 'orders:read',
      })
      t.equal(read(token).payload.aud, MAIL)
      t.same((await ask(`Bearer ${token}`)).json(), {
        sub: read(token).payload.sub,
        roles: ['buyer'],
      })
    })

    t.test('an expired token is no good', async t => {
      const { access_token: token } = await server.login()
      const expiresAt = read(token).payload.exp * 1000
      server.clock.set(expiresAt - 1)
      t.equal((await ask(`Bearer ${token}`)).statusCode, 200)
      server.clock.set(expiresAt)
      refused(t, await ask(`Bearer ${token}`), {
        status: 401,
        error: 'invalid_token',
        challenge: INVALID,
      })
    })
  })
}

const PRIVATE_MEMBERS = [
  'd',
  'p',
  'q',
  'dp',
  'dq',
  'qi',
  'oth',
  'k',
  'sealed',
  'privateKey',
]

/** Every name and every text in a value, however deep. */
function walk(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [name, ...walk(inner)])
}

t.test('RFC 7517: the key set', async t => {
  const server = await serverOn(t, 'SQLite')
  server.clock.advance(5_000)
  const answer = await server.app.inject('/.well-known/jwks.json')
  const { keys } = answer.json()

  t.test('holds the active key and the next, for anybody to keep a while', async t => {
    t.equal(answer.statusCode, 200)
    t.match(answer.headers['content-type'], /^application\/json/)
    t.equal(answer.headers['cache-control'], 'public, max-age=300')
    t.equal(answer.headers['access-control-allow-origin'], '*')
    t.equal(keys.length, 2)
    const { header } = read((await server.login()).access_token)
    t.ok(keys.some((key: { kid: string }) => key.kid === header.kid))
  })

  t.test('has no private member anywhere', async t => {
    const found = walk(answer.json())
    t.ok(found.includes('kty') && found.includes('x'), 'the walk sees members')
    t.same(
      found.filter(name => PRIVATE_MEMBERS.includes(name)),
      [],
    )
    t.notMatch(answer.body, /PRIVATE/)
  })

  t.test(
    'RFC 7638: each kid is the thumbprint of its key; use and alg are told',
    async t => {
      for (const { kid, use, alg, kty, crv, x, y, ...rest } of keys) {
        t.equal(
          kid,
          await calculateJwkThumbprint({
            kty,
            crv,
            x,
            y,
          }),
        )
        t.equal(
          kid,
          createHash('sha256')
            .update(
              JSON.stringify({
                crv,
                kty,
                x,
                y,
              }),
            )
            .digest('base64url'),
          'members in their order, no blanks',
        )
        t.same(
          {
            use,
            alg,
            kty,
            crv,
          },
          {
            use: 'sig',
            alg: 'ES256',
            kty: 'EC',
            crv: 'P-256',
          },
        )
        t.same(rest, {})
      }
    },
  )

  t.test('a turn of the ring shows at once', async t => {
    const before = keys.map((key: { kid: string }) => key.kid)
    server.clock.advance(120_000)
    const turned = await server.keys.rotate({ atOnce: true })
    const after = (await server.app.inject('/.well-known/jwks.json'))
      .json()
      .keys.map((key: { kid: string }) => key.kid)
    t.equal(turned.kind, 'done')
    t.equal(after.length, 3)
    t.same(
      before.filter((kid: string) => !after.includes(kid)),
      [],
      'what signed before stays',
    )
  })
})

t.test('RFC 8414: metadata', async t => {
  t.test('names what there is', async t => {
    const { app } = await serverOn(t, 'SQLite')
    const answer = await app.inject('/.well-known/oauth-authorization-server')
    t.equal(answer.statusCode, 200)
    t.match(answer.headers['content-type'], /^application\/json/)
    t.equal(answer.headers['cache-control'], 'public, max-age=3600')
    t.match(answer.json(), {
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/token`,
      jwks_uri: `${ISSUER}/.well-known/jwks.json`,
      introspection_endpoint: `${ISSUER}/introspect`,
      revocation_endpoint: `${ISSUER}/revoke`,
      userinfo_endpoint: `${ISSUER}/userinfo`,
      service_documentation: `${ISSUER}/docs`,
      grant_types_supported: ['password', 'refresh_token', 'client_credentials'],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
        'none',
      ],
      revocation_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
        'none',
      ],
      introspection_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
      ],
      introspection_signing_alg_values_supported: ['ES256'],
      authorization_endpoint: `${ISSUER}/authorize`,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      scopes_supported: ['orders:read', 'orders:write', 'profile'],
    })
  })

  t.test('§3.2: no member without a value but the one that is required', async t => {
    const { app } = await serverOn(t, 'SQLite', { docs: false })
    const document = (await app.inject('/.well-known/oauth-authorization-server')).json()
    for (const [name, value] of Object.entries(document)) {
      t.ok(
        name === 'response_types_supported' ||
          (Array.isArray(value) ? value.length > 0 : typeof value === 'string'),
        name,
      )
    }
    t.notOk('service_documentation' in document)
    refused(t, await app.inject('/docs'), { status: 404, error: 'not_found' })
    refused(t, await app.inject('/openapi.json'), { status: 404, error: 'not_found' })
  })

  t.test(
    'OIDC Discovery §3: verifiers are given every algorithm of the ring',
    async t => {
      const { app, keys, live, clock } = await serverOn(t, 'SQLite')
      live.algorithm['https://old.example.com'] = 'RS256'
      await keys.rotate({ atOnce: true })
      clock.advance(120_000)
      const url = '/.well-known/openid-configuration'
      const { id_token_signing_alg_values_supported: algorithms } = (
        await app.inject(url)
      ).json()
      t.same([...algorithms].sort(), ['ES256', 'RS256'])
    },
  )

  t.test(
    'RFC 6749 §4.1.2.1: the authorization endpoint says that it is none',
    async t => {
      const { app } = await serverOn(t, 'SQLite', { issuer: 'https://example.com/auth' })
      const query =
        'response_type=code&client_id=mobile&redirect_uri=https%3A%2F%2Fevil.example'
      for (const path of ['/authorize', '/auth/authorize']) {
        for (const request of [
          { url: `${path}?${query}` },
          { url: path },
          { url: path, method: 'POST', payload: query },
          { url: path, method: 'POST', payload: { response_type: 'code' } },
        ] as const) {
          const answer = await app.inject(request)
          refused(t, answer, { status: 400, error: 'unsupported_response_type' })
          t.notOk('location' in answer.headers)
        }
      }
    },
  )

  t.test('a browser at the authorization endpoint is told in plain words', async t => {
    const { app } = await serverOn(t, 'SQLite', { issuer: 'https://example.com/auth' })
    const chromium =
      'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'
    const at = (url: string, accept: string) => app.inject({ url, headers: { accept } })
    for (const path of ['/authorize', '/auth/authorize']) {
      const answer = await at(`${path}?response_type=code&state=<script>`, chromium)
      t.equal(answer.statusCode, 400)
      t.equal(answer.headers['content-type'], 'text/html; charset=utf-8')
      t.equal(answer.headers['cache-control'], 'no-store')
      t.match(answer.headers['content-security-policy'], /^default-src 'none'/)
      t.match(answer.body, /Nobody can log in on this page/)
      t.notMatch(answer.body, /<script|state/)
      const [, link = ''] = /href="([^"]+)"/.exec(answer.body) ?? []
      const target = new URL(link, `https://example.com${path}`).pathname
      t.equal((await app.inject(target)).statusCode, 200, target)
    }
    for (const accept of [
      'application/json',
      '*/*',
      'text/html;q=0.5, */*',
      'image/png',
    ]) {
      const answer = await at('/authorize', accept)
      refused(t, answer, { status: 400, error: 'unsupported_response_type' }, accept)
    }
    const other = await at('/nowhere', chromium)
    refused(t, other, { status: 404, error: 'not_found' })
  })

  const forms: Array<{ issuer: string; urls: string[] }> = [
    {
      issuer: 'https://id.example.com',
      urls: [
        '/.well-known/oauth-authorization-server',
        '/.well-known/openid-configuration',
      ],
    },
    {
      issuer: 'https://id.example.com/',
      urls: [
        '/.well-known/oauth-authorization-server',
        '/.well-known/openid-configuration',
      ],
    },
    ...['https://example.com/auth', 'https://example.com/auth/'].map(issuer => ({
      issuer,
      urls: ['oauth-authorization-server', 'openid-configuration'].flatMap(name => [
        `/.well-known/${name}`,
        `/.well-known/${name}/auth`,
        `/auth/.well-known/${name}`,
      ]),
    })),
    {
      issuer: 'https://example.com/realms/one',
      urls: [
        '/.well-known/oauth-authorization-server/realms/one',
        '/realms/one/.well-known/openid-configuration',
      ],
    },
  ]
  for (const { issuer, urls } of forms) {
    t.test(
      `§3.1: the document of ${issuer} at every form of its URL, and all that it names behind it`,
      async t => {
        const { app, login } = await serverOn(t, 'SQLite', { issuer })
        const documents = await Promise.all(urls.map(url => app.inject(url)))
        for (const answer of documents) {
          t.equal(answer.statusCode, 200)
          t.equal(answer.json().issuer, issuer, 'to the letter')
          t.same(answer.json(), documents[0]?.json())
        }
        const document = documents[0]?.json()
        const pathOf = (url: string) => new URL(url).pathname
        t.equal((await app.inject(pathOf(document.jwks_uri))).json().keys.length, 2)
        t.equal((await app.inject('/.well-known/jwks.json')).json().keys.length, 2)
        t.equal(
          (await app.inject(pathOf(document.service_documentation))).statusCode,
          200,
        )
        const form = {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        } as const
        const { access_token: token } = await login()
        t.equal(read(token).payload.iss, issuer)
        t.equal(
          (
            await app.inject({
              ...form,
              url: pathOf(document.token_endpoint),
              payload: 'grant_type=password&client_id=mobile&username=nobody&password=x',
            })
          ).json().error,
          'invalid_grant',
        )
        t.equal(
          (
            await app.inject({
              ...form,
              url: pathOf(document.introspection_endpoint),
              payload: `client_id=orders-api&client_secret=${API_SECRET}&token=${token}`,
            })
          ).json().active,
          true,
        )
        t.equal(
          (
            await app.inject({
              url: pathOf(document.userinfo_endpoint),
              headers: { authorization: `Bearer ${token}` },
            })
          ).statusCode,
          200,
        )
        t.equal(
          (
            await app.inject({
              ...form,
              url: pathOf(document.revocation_endpoint),
              payload: `client_id=mobile&token=${token}`,
            })
          ).statusCode,
          200,
        )
        refused(t, await app.inject({ url: pathOf(document.token_endpoint) }), {
          status: 405,
          error: 'invalid_request',
        })
      },
    )
  }

  t.test('the scopes are those of the clients of now', async t => {
    const { app, clients } = await serverOn(t, 'SQLite')
    clients.replace([])
    t.same(
      (await app.inject('/.well-known/oauth-authorization-server')).json()
        .scopes_supported,
      [],
    )
  })
})

t.test('a Host header reaches neither tokens nor metadata', async t => {
  for (const trustedProxies of [[], ['127.0.0.0/8']]) {
    const server = await serverOn(t, 'SQLite', { trustedProxies })
    const headers = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'gopher',
      forwarded: 'host=evil.example;proto=gopher',
    }
    const login = await server.post(
      '/token',
      {
        grant_type: 'password',
        client_id: 'bare',
        username: 'alice',
        password: 'correct horse battery staple',
      },
      headers,
    )
    const { payload } = read(login.json().access_token)
    t.same([payload.iss, payload.aud], [ISSUER, ISSUER])
    for (const url of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
      '/.well-known/jwks.json',
      '/openapi.json',
      '/docs',
      '/docs/',
      '/docs/static/swagger-initializer.js',
      '/docs/static/index.html',
      '/none',
    ]) {
      const answer = await server.app.inject({ url, headers })
      t.notMatch(answer.body + JSON.stringify(answer.headers), /evil|gopher/, url)
    }
    const introspected = await server.app.inject({
      method: 'POST',
      url: '/introspect',
      headers: {
        ...headers,
        ...basic('auditor', 'auditor-secret'),
        'content-type': 'application/x-www-form-urlencoded',
      },
      payload: `token=${login.json().refresh_token}`,
    })
    t.equal(introspected.json().iss, ISSUER)
  }
})

t.test('OpenAPI 3.1', async t => {
  for (const issuer of [ISSUER, 'https://example.com/auth']) {
    t.test(`the document of ${issuer}`, async t => {
      const { app } = await serverOn(t, 'SQLite', { issuer })
      const answer = await app.inject('/openapi.json')
      const document = answer.json()
      const path = new URL(issuer).pathname.replace(/\/$/, '')

      t.equal(answer.statusCode, 200)
      t.match(answer.headers['content-type'], /^application\/json/)
      const { valid, errors } = await new Validator().validate(document)
      t.ok(valid, JSON.stringify(errors))
      t.match(document.openapi, /^3\.1\./)
      t.notMatch(answer.body, 'Default Response')
      const operations: any[] = Object.values(document.paths).flatMap(item =>
        Object.values(item as object),
      )
      for (const { operationId: id, security, requestBody, responses } of operations) {
        t.type(security, Array, `${id} says which credentials it takes`)
        const bodies: any[] = [requestBody, ...Object.values(responses)].flatMap(part =>
          Object.values(part?.content ?? {}),
        )
        for (const body of bodies) {
          t.ok('example' in body || 'examples' in body || id === 'userinfoByPost', id)
        }
        for (const [status, response] of Object.entries<any>(responses)) {
          if (Number(status) < 400) continue
          const { schema } = response.content['application/json']
          t.same(schema, { $ref: '#/components/schemas/OAuthError' }, `${id} ${status}`)
        }
      }
      t.same(document.components.schemas.TokenRequest.required, ['grant_type'])
      t.same(document.components.schemas.IntrospectionRequest.required, ['token'])
      t.same(document.components.schemas.RevocationRequest.required, ['token'])
      const named = (url: string) =>
        document.paths[url].get.parameters.map(
          ({ name, required }: { name: string; required: boolean }) =>
            `${name} ${required}`,
        )
      t.same(named('/verify'), [
        'Latchkey-Audience true',
        'Latchkey-Required-Scope false',
      ])
      t.same(named('/status/{list}'), ['alg false', 'time false', 'list true'])
      t.equal(
        document.paths['/userinfo'].post.requestBody.required,
        false,
        'the token may stand in the header',
      )
      t.equal(document.paths['/token'].post.requestBody.required, true)

      // A tree: what is deeper continues the path above.
      const above: string[] = []
      const lines = [
        ...app
          .printRoutes({ commonPrefix: false })
          .matchAll(/^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?$/gm),
      ]
      const routes = lines.flatMap(([, indent = '', part = '', methods]) => {
        const depth = indent.length / 4
        const url = (above[depth - 1] ?? '') + part.replace(/:(\w+)$/, '{$1}')
        above[depth] = url
        return methods === undefined
          ? []
          : methods.split(', ').map(method => ({ method: method.toLowerCase(), url }))
      })
      const told = Object.entries(document.paths).flatMap(([url, item]) =>
        Object.keys(item as object).map(method => `${method} ${url}`),
      )
      // To /verify every method is the same question.
      const isAgain = ({ method, url }: { method: string; url: string }) =>
        method === 'head' ||
        method === 'options' ||
        (url.startsWith('/verify') && `${method} ${url}` !== 'get /verify')
      const served = routes.filter(
        route =>
          !isAgain(route) &&
          !route.url.startsWith('/docs') &&
          route.url !== '/' &&
          route.url !== '/authorize' &&
          (path === '' || !route.url.includes(path)),
      )
      t.same(
        told.sort(),
        served.map(({ method, url }) => `${method} ${url}`).sort(),
        'every route but the pages for people',
      )
      t.ok(told.length >= 10)

      const ids = Object.values(document.paths).flatMap(item =>
        Object.values(item as Record<string, { operationId: string }>).map(
          ({ operationId }) => operationId,
        ),
      )
      t.equal(new Set(ids).size, told.length, 'each has an id of its own')
      t.same(Object.keys(document.paths['/token'].post.requestBody.content), [
        'application/x-www-form-urlencoded',
      ])
      const { password } = document.components.securitySchemes.user.flows
      t.equal(password.tokenUrl, `${path}/token`)
      t.equal(
        (await app.inject(password.tokenUrl)).headers['allow'],
        'POST',
        'and there it is',
      )
    })
  }

  t.test("the page may run its own scripts, and nobody else's", async t => {
    const { app } = await serverOn(t, 'SQLite')
    for (const url of ['/docs', '/docs/', '/docs/static/swagger-ui-bundle.js']) {
      const answer = await app.inject(url)
      t.equal(answer.statusCode, 200)
      const policy = String(answer.headers['content-security-policy'])
      t.match(policy, /default-src 'none'/)
      t.match(policy, /script-src 'self';/)
      t.match(policy, /connect-src 'self';/)
      t.match(policy, /frame-ancestors 'none'/)
    }
    const { app: below } = await serverOn(t, 'SQLite', {
      issuer: 'https://example.com/auth',
    })
    for (const url of ['/docs', '/auth/docs']) {
      t.match(
        (await below.inject(url)).body,
        'src="/auth/docs/static/swagger-ui-bundle.js"',
        "its scripts are below the issuer's path",
      )
    }
    t.notMatch(
      (await app.inject('/docs/static/swagger-initializer.js')).body,
      /https?:\/\/(?!stackoverflow)[a-z]/,
      'nothing is fetched from elsewhere',
    )
  })
})
