// RFC 7009 at POST /revoke and RFC 7662 at POST /introspect.
import { randomBytes } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { createRefreshTokenCodec } from '../../src/tokens/refresh-token.ts'
import { API_SECRET, ISSUER, MAIL, ORDERS, PASSWORD } from '../support/app.ts'
import { audited, basic, read, refused, serverOn, STORES } from './helpers.ts'

const DAY = 86_400_000
const BASIC = /^Basic realm="latchkey", charset="UTF-8"$/
const INACTIVE = '{"active":false}'
const api = { client_id: 'orders-api', client_secret: API_SECRET }
const mailApi = { client_id: 'mail-api', client_secret: 'mail-secret' }
const auditor = { client_id: 'auditor', client_secret: 'auditor-secret' }
const web = { client_id: 'web', client_secret: 'web-secret' }
const mobile = { client_id: 'mobile' }

for (const store of STORES) {
  t.test(`on ${store}`, async t => {
    const secrets = [randomBytes(32).toString('base64url')]
    const server = await serverOn(t, store, { secrets })
    const { login, refresh, post, clock, accounts, sessions } = server
    const revoke = (token: string, who: Record<string, string> = mobile) =>
      post('/revoke', { token, ...who })
    const introspect = (token: string, who: Record<string, string> = api) =>
      post('/introspect', { token, ...who })
    const userinfo = (token: string) =>
      server.app.inject({
        url: '/userinfo',
        headers: { authorization: `Bearer ${token}` },
      })

    /**
     * Exactly this, to the byte: nothing tells a token that is dead from one that never was (RFC 7662 §2.2).
     */
    const inactive = async (
      t: Test,
      token: string,
      who: Record<string, string> = api,
    ) => {
      const answer = await introspect(token, who)
      t.equal(answer.statusCode, 200, answer.body)
      t.equal(answer.body, INACTIVE)
      t.equal(answer.headers['cache-control'], 'no-store')
    }
    const active = async (t: Test, token: string, who: Record<string, string> = api) => {
      const answer = await introspect(token, who)
      t.equal(answer.json().active, true, answer.body)
      return answer.json()
    }
    const revoked = async (
      t: Test,
      token: string,
      who: Record<string, string> = mobile,
    ) => {
      const answer = await revoke(token, who)
      t.equal(answer.statusCode, 200, answer.body)
      t.equal(answer.body, '{}')
      t.equal(answer.headers['cache-control'], 'no-store')
    }
    /** Dead at introspection and at userinfo alike. */
    const dead = async (t: Test, token: string) => {
      await inactive(t, token, auditor)
      refused(t, await userinfo(token), {
        status: 401,
        error: 'invalid_token',
        challenge:
          /^Bearer realm="latchkey", error="invalid_token", error_description="[^"]+"$/,
      })
    }

    t.test(
      'RFC 7662 §2.2: a resource server is told of an access token meant for it',
      async t => {
        const { access_token: token } = await login({ scope: 'profile orders:read' })
        const answer = await introspect(token)
        t.match(answer.headers['content-type'], /^application\/json/)
        t.equal(answer.headers['cache-control'], 'no-store')
        const {
          iss,
          sub,
          aud,
          iat,
          exp,
          jti,
          sid,
          auth_time: authTime,
          status,
        } = read(token).payload
        t.same(answer.json(), {
          active: true,
          scope: 'profile orders:read',
          client_id: 'mobile',
          username: 'alice',
          token_type: 'Bearer',
          exp,
          iat,
          sub,
          aud,
          iss,
          jti,
          sid,
          auth_time: authTime,
          roles: ['buyer'],
          status,
        })
        t.equal(iss, ISSUER)
        t.same(aud, [ORDERS, MAIL])
        t.match(sub, /^[0-9a-f-]{36}$/, 'sub is a UUID and not the name')
      },
    )

    t.test('RFC 7662 §2.1: by Basic as well, and whatever the hint says', async t => {
      const { access_token: token, refresh_token: refreshToken } = await login()
      t.equal(
        (await post('/introspect', { token }, basic('orders-api', API_SECRET))).json()
          .active,
        true,
      )
      for (const hint of ['access_token', 'refresh_token', 'saml', '']) {
        t.equal(
          (await post('/introspect', { ...api, token, token_type_hint: hint })).json()
            .active,
          true,
        )
        t.equal(
          (await post('/revoke', { ...mobile, token: 'unknown', token_type_hint: hint }))
            .statusCode,
          200,
        )
      }
      t.equal(
        (
          await post('/introspect', {
            ...auditor,
            token: refreshToken,
            token_type_hint: 'access_token',
          })
        ).json().active,
        true,
      )
    })

    t.test(
      'a token for one audience only concerns that one, its client, and who may see any',
      async t => {
        const { access_token: token } = await login({ resource: ORDERS })
        t.equal((await active(t, token)).aud, ORDERS)
        await active(t, token, auditor)
        await active(t, token, web)
        await inactive(t, token, mailApi)
        const own = (
          await post(
            '/token',
            {
              grant_type: 'password',
              username: 'alice',
              password: PASSWORD,
              resource: MAIL,
            },
            basic('web', 'web-secret'),
          )
        ).json()
        t.equal(
          (await active(t, own.access_token, web)).client_id,
          'web',
          'issued to it, not meant for it',
        )
        await inactive(t, own.access_token, api)
      },
    )

    t.test(
      'a refresh token is told of to its own client and to who may see any',
      async t => {
        const { refresh_token: token, access_token: accessToken } = (
          await post(
            '/token',
            {
              grant_type: 'password',
              username: 'alice',
              password: PASSWORD,
              scope: 'profile',
            },
            basic('web', 'web-secret'),
          )
        ).json()
        const { sub, sid, auth_time: authTime } = read(accessToken).payload
        const told = {
          active: true,
          scope: 'profile',
          client_id: 'web',
          username: 'alice',
          exp: Math.floor((clock() + 14 * DAY) / 1000),
          sub,
          iss: ISSUER,
          sid,
          auth_time: authTime,
        }
        t.same(await active(t, token, web), told)
        t.same(await active(t, token, auditor), told)
        await inactive(t, token, api)
        const bare = await login({ client_id: 'bare' })
        t.notOk('scope' in (await active(t, bare.refresh_token, auditor)))
        t.notOk('scope' in (await active(t, bare.access_token, auditor)))
      },
    )

    t.test(
      'asking changes nothing: a superseded refresh token is inactive, and its session lives on',
      async t => {
        const first = await login()
        const second = (await refresh(first.refresh_token)).json()
        await active(t, first.refresh_token, auditor)
        await active(t, second.refresh_token, auditor)
        clock.advance(10_001)
        await inactive(t, first.refresh_token, auditor)
        await active(t, second.refresh_token, auditor)
        const third = (await refresh(second.refresh_token)).json()
        await inactive(t, first.refresh_token, auditor)
        t.equal((await refresh(third.refresh_token)).statusCode, 200)
      },
    )

    t.test('exactly {"active":false}', async t => {
      const codec = createRefreshTokenCodec({ issuer: ISSUER, secrets })
      const { access_token: token, refresh_token: refreshToken } = await login()
      const [header, payload, signature = ''] = token.split('.')
      const unknown: Array<[string, string]> = [
        ['text', 'unknown'],
        [
          'a token with another signature',
          `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
        ],
        ['a token without signature', `${header}.${payload}.`],
        ['a cut token', token.slice(0, -1)],
        ['a lengthened token', token + 'A'],
        ['a spaced token', ` ${token}`],
        ['a prefix of a refresh token', 'rt_'],
        ['a forged refresh token', refreshToken.slice(0, -4) + 'AAAA'],
        [
          'a refresh token of a family that never was',
          codec.encode({
            userTag: 'A'.repeat(22),
            familyId: randomBytes(16),
            generation: 1,
          }),
        ],
        ['a lone surrogate, as UTF-8 writes it', '\uFFFD'],
        ['a member of a prototype', 'constructor'],
      ]
      for (const [name, text] of unknown) {
        t.test(`for ${name}`, async t => {
          await inactive(t, text, auditor)
          await revoked(t, text)
        })
      }
      t.test('for an expired access token', async t => {
        const { access_token: token } = await login()
        await active(t, token)
        clock.advance(600_000)
        await inactive(t, token)
        await revoked(t, token)
      })
      t.test('for an expired refresh token', async t => {
        const { refresh_token: token } = await login()
        clock.advance(14 * DAY)
        await inactive(t, token, auditor)
        await revoked(t, token)
      })
    })

    t.test('RFC 7009 §2: a revoked access token is dead, and nothing else', async t => {
      const first = await login()
      const other = (await refresh(first.refresh_token)).json()
      await active(t, first.access_token)
      await revoked(t, first.access_token)
      await dead(t, first.access_token)
      await revoked(t, first.access_token)
      await active(t, other.access_token)
      t.equal((await refresh(other.refresh_token)).statusCode, 200)
      clock.advance(599_000)
      await dead(t, first.access_token)
      t.match(audited(server, /^token\.revoked$/).at(-1), {
        clientId: 'mobile',
        kind: 'access_token',
        sid: read(first.access_token).payload.sid,
      })
    })

    t.test(
      'RFC 7009 §2.1: a revoked refresh token ends its session and all access tokens of it',
      async t => {
        const first = await login()
        const second = (await refresh(first.refresh_token)).json()
        const another = await login()
        await revoked(t, second.refresh_token)
        await dead(t, first.access_token)
        await dead(t, second.access_token)
        await inactive(t, second.refresh_token, auditor)
        refused(t, await refresh(second.refresh_token), {
          status: 400,
          error: 'invalid_grant',
        })
        await active(t, another.access_token)
        await revoked(t, second.refresh_token)
        t.equal(
          audited(server, /^token\.revoked$/).filter(
            event => event['sid'] === read(first.access_token).payload.sid,
          ).length,
          1,
          'told once',
        )
      },
    )

    t.test('a superseded refresh token ends its session as well', async t => {
      const first = await login()
      const second = (await refresh(first.refresh_token)).json()
      clock.advance(60_000)
      await revoked(t, first.refresh_token)
      await dead(t, second.access_token)
    })

    t.test("RFC 7009 §2.1: another client's token is refused and lives on", async t => {
      const { access_token: token, refresh_token: refreshToken } = await login()
      for (const who of [web, api, auditor, { client_id: 'bare' }]) {
        refused(t, await revoke(token, who), { status: 400, error: 'invalid_grant' })
        refused(t, await revoke(refreshToken, who), {
          status: 400,
          error: 'invalid_grant',
        })
      }
      await active(t, token)
      t.equal((await refresh(refreshToken)).statusCode, 200)
      t.match(audited(server, /^revocation\.refused$/).at(-1), {
        clientId: 'bare',
        reason: 'client_mismatch',
      })
    })

    t.test('the ends of a session as introspection and userinfo see them', async t => {
      const name = 'erin'
      await accounts.add({
        name,
        password: PASSWORD,
        scopes: null,
        roles: [],
      })
      const live = async () => (await login({ username: name })).access_token
      const token = await live()
      t.same((await active(t, token)).username, name)
      t.same((await userinfo(token)).json().preferred_username, name)

      await accounts.disable(name)
      await dead(t, token)
      await accounts.enable(name)
      await dead(t, token)
      const ends: Array<[string, () => unknown]> = [
        ['a new password', () => accounts.setPassword(name, 'another good password')],
        ['all sessions ended', () => sessions.endAll(name, 'cli:root')],
        ['the account removed', () => accounts.remove(name)],
      ]
      for (const [what, act] of ends) {
        await t.test(what, async t => {
          const token = await login({
            username: name,
            ...(what === 'a new password' ? {} : { password: 'another good password' }),
          })
          await active(t, token.access_token)
          await act()
          await dead(t, token.access_token)
          await inactive(t, token.refresh_token, auditor)
        })
      }
    })

    t.test(
      'RFC 7662 §2.1: a client that was told to may introspect with a token of its own',
      async t => {
        const asked = (bearer: string, about: Record<string, string>) =>
          post('/introspect', about, { authorization: `Bearer ${bearer}` })
        const service = await login({
          client_id: 'service',
          client_secret: 'service-secret',
        })
        const { access_token: token } = await login()
        t.match(
          (await asked(service.access_token, { token })).json(),
          { active: true, client_id: 'mobile' },
          'meant for one of its audiences',
        )
        t.equal((await asked(service.access_token, { token: 'unknown' })).body, INACTIVE)
        refused(
          t,
          await asked(service.access_token, { token, client_secret: 'service-secret' }),
          { status: 400, error: 'invalid_request' },
        )
        const challenge = /^Bearer realm="latchkey", error="invalid_token"/
        const other = await login({ client_id: 'web', client_secret: 'web-secret' })
        for (const bad of [
          other.access_token,
          token,
          service.refresh_token,
          'abc',
          '!',
        ]) {
          refused(t, await asked(bad, { token }), {
            status: 401,
            error: 'invalid_token',
            challenge,
          })
        }
        await revoked(t, service.access_token, {
          client_id: 'service',
          client_secret: 'service-secret',
        })
        refused(t, await asked(service.access_token, { token }), {
          status: 401,
          error: 'invalid_token',
          challenge,
        })
      },
    )

    t.test('RFC 9701: a signed answer for who asks for one', async t => {
      const { access_token: token } = await login()
      const signed = async (accept: string, text = token) => {
        const answer = await post('/introspect', { token: text, ...api }, { accept })
        t.equal(answer.statusCode, 200)
        t.equal(answer.headers['cache-control'], 'no-store')
        return answer
      }
      for (const accept of [
        'application/token-introspection+jwt',
        'application/json;q=0.5, Application/Token-Introspection+JWT ; q=1',
        'application/token-introspection+jwt, */*',
        'text/html;a="x,y";q=0.9, application/token-introspection+jwt;q=0.2, application/json;q=0.1',
      ]) {
        const answer = await signed(accept)
        t.equal(answer.headers['content-type'], 'application/token-introspection+jwt')
        const { payload, protectedHeader } = await jwtVerify(
          answer.body,
          createLocalJWKSet((await server.app.inject('/.well-known/jwks.json')).json()),
          {
            issuer: ISSUER,
            audience: 'orders-api',
            typ: 'token-introspection+jwt',
            currentDate: new Date(clock()),
          },
        )
        t.equal(protectedHeader.alg, 'ES256')
        t.same(Object.keys(payload).sort(), ['aud', 'iat', 'iss', 'token_introspection'])
        t.same(payload['token_introspection'], (await introspect(token)).json())
        refused(
          t,
          await userinfo(answer.body),
          { status: 401, error: 'invalid_token', challenge: /invalid_token/ },
          'it is no access token',
        )
      }
      t.same(
        read((await signed('application/token-introspection+jwt', 'unknown')).body)
          .payload.token_introspection,
        { active: false },
      )
      for (const accept of [
        '*/*',
        'application/*',
        'application/json',
        'application/token-introspection+jwts',
        'application/token-introspection+jwt;q=0',
        'application/token-introspection+jwt;q=0, */*',
        'application/token-introspection+jwt;q=0.1, application/json',
        'application/json, application/token-introspection+jwt',
        'application/token-introspection+jwt;q=0.5, application/*;q=0.8',
        'text/html;a="application/token-introspection+jwt,application/token-introspection+jwt"',
        'application/token-introspection+jwt;constructor=x',
        'application/token-introspection+jwt;__proto__=x;q=x',
        ';,="',
      ]) {
        t.match(
          (await signed(accept)).headers['content-type'],
          /^application\/json/,
          accept,
        )
      }
    })

    t.test("a change of what a user may hold doesn't end sessions", async t => {
      const { access_token: token } = await login()
      await accounts.setAccess('alice', { scopes: ['profile'], roles: ['seller'] })
      t.teardown(() => accounts.setAccess('alice', { scopes: null, roles: ['buyer'] }))
      t.same((await active(t, token)).roles, ['buyer'], 'the token says what it said')
      t.same(
        (await userinfo(token)).json().roles,
        ['seller'],
        'userinfo says what holds now',
      )
    })
  })
}

t.test('refusals at both endpoints', async t => {
  const { post } = await serverOn(t, 'SQLite')
  const token = { token: 'unknown' }
  const C401 = { status: 401, error: 'invalid_client' }
  const R400 = { status: 400, error: 'invalid_request' }
  for (const url of ['/introspect', '/revoke']) {
    const rows: Array<{
      name: string
      body: Record<string, string> | string
      headers?: Record<string, string>
      status: number
      error: string
      challenge?: RegExp
    }> = [
      {
        name: 'nobody asks',
        body: token,
        ...C401,
        challenge: BASIC,
      },
      { name: 'an unknown client', body: { ...token, client_id: 'nobody' }, ...C401 },
      {
        name: 'a wrong secret in the body',
        body: { ...token, ...api, client_secret: 'wrong' },
        ...C401,
      },
      {
        name: 'a wrong secret by Basic',
        body: token,
        headers: basic('orders-api', 'wrong'),
        ...C401,
        challenge: BASIC,
      },
      {
        name: 'a confidential client without its secret',
        body: { ...token, client_id: 'orders-api' },
        ...C401,
      },
      {
        name: 'another scheme',
        body: token,
        headers: { authorization: 'Negotiate abc' },
        ...C401,
        challenge: BASIC,
      },
      {
        name: 'both ways at once',
        body: { ...token, ...api },
        headers: basic('orders-api', API_SECRET),
        ...R400,
      },
      {
        name: 'two ids',
        body: { ...token, client_id: 'web' },
        headers: basic('orders-api', API_SECRET),
        ...R400,
      },
      { name: 'no token', body: api, ...R400 },
      { name: 'an empty token', body: { ...api, token: '' }, ...R400 },
      {
        name: 'two tokens',
        body: 'client_id=orders-api&client_secret=' + API_SECRET + '&token=a&token=b',
        ...R400,
      },
      {
        name: 'two hints',
        body:
          'client_id=orders-api&client_secret=' +
          API_SECRET +
          '&token=a&token_type_hint=a&token_type_hint=a',
        ...R400,
      },
      {
        name: 'a token in the query',
        body: '',
        headers: basic('orders-api', API_SECRET),
        ...R400,
      },
    ]
    for (const { name, body, headers = {}, ...expected } of rows) {
      t.test(`${url}: ${name}`, async t => {
        refused(
          t,
          await post(name.endsWith('query') ? `${url}?token=a` : url, body, headers),
          expected,
        )
      })
    }
  }

  t.test(
    'RFC 7662 §2.1: a public client may not introspect, not even its own tokens',
    async t => {
      for (const headers of [{}, basic('mobile', '')]) {
        refused(
          t,
          await post('/introspect', { token: 'x', client_id: 'mobile' }, headers),
          { ...C401, challenge: BASIC },
        )
      }
    },
  )
})
