// IETF Token Status List (draft-ietf-oauth-status-list-21): the claim, the lists that it names, and what
// becomes of revoked tokens.
import { createHash } from 'node:crypto'
import { gunzipSync, inflateSync } from 'node:zlib'
import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import t from 'tap'
import { proves } from '../support/interop.ts'
import { ISSUER, PASSWORD, type TestApp } from '../support/app.ts'
import { until } from '../support/until.ts'
import { serverOn, STORES } from './helpers.ts'

const HOUR = 3600
const MINUTE = 60_000

interface Claim {
  readonly idx: number
  readonly uri: string
}

function claimOf(token: string): Claim {
  const { status } = decodeJwt<{ status: { status_list: Claim } }>(token)
  return status.status_list
}

function get({ app }: TestApp, uri: string, headers: Record<string, string> = {}) {
  return app.inject({ url: uri.slice(ISSUER.length), headers })
}

/** The bit, read as a resource server reads it, once the server has looked at the store. */
async function bitOf(server: TestApp, token: string): Promise<number> {
  await server.status.sync()
  const { idx, uri } = claimOf(token)
  const { body } = await get(server, uri)
  const {
    status_list: { bits, lst },
  } = decodeJwt<{ status_list: { bits: number; lst: string } }>(body)
  const bytes = inflateSync(Buffer.from(lst, 'base64url'))
  const ours = (Number(bytes[idx >> 3]) >> (idx & 7)) & 1
  t.equal(bits, 1)
  t.equal(getListFromStatusListJWT(body).getStatus(idx), ours, 'the library agrees')
  return ours
}

for (const store of STORES) {
  t.test(`on ${store}`, async t => {
    const server = await serverOn(t, store)
    const { login, refresh, post, accounts, sessions, clock } = server
    const revoke = (token: string) => post('/revoke', { token, client_id: 'mobile' })

    await t.test(
      'each access token has an index of its own, in a list that ends with the hour in which it ' +
        'expires (§6.2)',
      async t => {
        const first = await login()
        const tokens = [first.access_token, (await login()).access_token]
        for (const body of [
          (await refresh(first.refresh_token)).json(),
          (await refresh(first.refresh_token)).json(),
        ]) {
          tokens.push(body.access_token)
        }
        const claims = tokens.map(claimOf)
        t.equal(
          new Set(claims.map(({ idx }) => idx)).size,
          4,
          'a replayed answer has a new token, and an index of its own',
        )
        for (const [index, { idx, uri }] of claims.entries()) {
          t.ok(Number.isInteger(idx) && idx >= 0 && idx < 2 ** 20)
          const { exp = 0 } = decodeJwt(tokens[index] ?? '')
          t.match(
            uri,
            new RegExp(`^${ISSUER}/status/${Math.floor(exp / HOUR)}-[a-z0-9]+$`),
          )
        }
        t.same(getStatusListFromJWT(tokens[0] ?? ''), claims[0], 'the library reads it')
      },
    )

    await t.test('the list is a JWT of the ring (§5.1, §8.2)', async t => {
      const { access_token: token } = await login()
      const { uri } = claimOf(token)
      const answer = await get(server, uri)
      t.equal(answer.statusCode, 200)
      t.match(answer.headers, {
        'content-type': 'application/statuslist+jwt',
        'cache-control': 'public, max-age=10, stale-if-error=900',
        'access-control-allow-origin': '*',
        vary: /accept-encoding/i,
        etag: /^"[\w-]{22}"$/,
      })
      const jwks = createLocalJWKSet(
        (await server.app.inject('/.well-known/jwks.json')).json(),
      )
      const { payload, protectedHeader } = await jwtVerify<{ ttl: number }>(
        answer.body,
        jwks,
        {
          typ: 'statuslist+jwt',
          issuer: ISSUER,
          subject: uri,
          currentDate: new Date(clock()),
          requiredClaims: ['iat', 'exp'],
        },
      )
      t.equal(protectedHeader.alg, 'ES256')
      t.equal(payload.ttl, 10)
      t.equal(payload.exp, Number(payload.iat) + 900)
      t.notMatch(
        decodeProtectedHeader(answer.body).typ,
        'at+jwt',
        'and passes for no access token',
      )
      t.same(await server.introspect(answer.body), { active: false })
    })

    await t.test('ending a family sets the bits of all its living tokens', async t => {
      const { access_token: first, refresh_token: token } = await login()
      const { access_token: second, refresh_token: next } = (await refresh(token)).json()
      const { access_token: other } = await login()
      t.same([await bitOf(server, first), await bitOf(server, second)], [0, 0])
      for (let times = 0; times < 2; times++) {
        t.equal((await revoke(next)).statusCode, 200)
      }
      t.same(
        [
          await bitOf(server, first),
          await bitOf(server, second),
          await bitOf(server, other),
        ],
        [1, 1, 0],
      )
    })

    await t.test('revoking an access token sets its bit alone', async t => {
      proves(t, '@sd-jwt/jwt-status-list', 'status list')
      const { access_token: first, refresh_token: token } = await login()
      const { access_token: second } = (await refresh(token)).json()
      t.equal((await revoke(first)).statusCode, 200)
      t.same([await bitOf(server, first), await bitOf(server, second)], [1, 0])
    })

    await t.test('a reused refresh token does', async t => {
      const { access_token: first, refresh_token: token } = await login()
      for (let held = token, times = 0; times < 2; times++) {
        held = (await refresh(held)).json().refresh_token
      }
      t.equal((await refresh(token)).json().error, 'invalid_grant')
      await until(async () => (await bitOf(server, first)) === 1)
    })

    for (const [name, end] of [
      ['disabling the user', () => accounts.disable('bob')],
      ['a new password', () => accounts.setPassword('bob', PASSWORD)],
      ['ending all sessions', () => sessions.endAll('bob', 'cli:root')],
      ['removing the user', () => accounts.remove('bob')],
    ] as const) {
      await t.test(name, async t => {
        await accounts.add({
          name: 'bob',
          password: PASSWORD,
          scopes: null,
          roles: [],
        })
        await accounts.enable('bob')
        const { access_token: token } = await login({ username: 'bob' })
        const { access_token: other } = await login()
        await end()
        t.same([await bitOf(server, token), await bitOf(server, other)], [1, 0])
      })
    }

    await t.test(
      'a token whose bit this server has read is dead, also for a store that has forgotten why',
      async t => {
        const [{ access_token: token }, { access_token: other }] = [
          await login(),
          await login(),
        ]
        const { idx, uri } = claimOf(token)
        const userinfo = async () =>
          (
            await server.app.inject({
              url: '/userinfo',
              headers: { authorization: `Bearer ${token}` },
            })
          ).statusCode
        // The bit alone: what another server's revocation looks like once the store has gone back in time.
        await server.store.statusLists.revoke(
          new Map([[uri.slice(uri.lastIndexOf('/') + 1), [idx]]]),
        )
        t.same(
          [(await server.introspect(token))['active'], await userinfo()],
          [true, 200],
          'not read yet',
        )
        await server.status.sync()
        t.same(
          [await server.introspect(token), await userinfo()],
          [{ active: false }, 401],
        )
        t.equal((await server.introspect(other))['active'], true)
      },
    )

    await t.test('the list of lists (§9.3) and the metadata that names it', async t => {
      const { uri } = claimOf((await login()).access_token)
      await server.status.sync()
      const metadata = (
        await server.app.inject('/.well-known/oauth-authorization-server')
      ).json()
      t.equal(metadata.status_list_aggregation_endpoint, `${ISSUER}/status`)
      const answer = await server.app.inject('/status')
      t.match(answer.headers, {
        'access-control-allow-origin': '*',
        'cache-control': 'public, max-age=10, stale-if-error=900',
      })
      t.ok(answer.json().status_lists.includes(uri))
    })

    await t.test('a list that another server has just begun is found', async t => {
      const { list } = await server.store.statusLists.lease(
        Math.floor(clock() / 1000 / HOUR) + 3,
      )
      t.equal((await get(server, `${ISSUER}/status/${list}`)).statusCode, 200)
    })

    await t.test('a list goes with its tokens', async t => {
      const { uri } = claimOf((await login()).access_token)
      t.equal((await get(server, uri)).statusCode, 200)
      clock.advance(80 * MINUTE)
      const gone = await get(server, uri)
      t.equal(gone.statusCode, 404)
      t.same(gone.json().error, 'not_found')
      t.match(gone.headers, {
        'content-type': /json/,
        'cache-control': 'no-store',
        'access-control-allow-origin': '*',
      })
      await server.status.sync()
      t.notOk((await server.app.inject('/status')).json().status_lists.includes(uri))
    })

    await t.test('what is no list is 404', async t => {
      for (const name of [
        '1',
        'x',
        '1-a',
        '99999999-a',
        '-1-a',
        '%00',
        '..%2ftoken',
        'a'.repeat(90),
        '500000-A',
      ]) {
        const answer = await get(server, `${ISSUER}/status/${name}`)
        t.equal(answer.statusCode, 404, name)
        t.equal(answer.json().error, 'not_found')
      }
    })
  })
}

t.test('copies', async t => {
  const server = await serverOn(t, 'SQLite')
  const { access_token: token, refresh_token: refreshToken } = await server.login()
  const { uri } = claimOf(token)
  const plain = await get(server, uri)
  const etag = String(plain.headers['etag'])

  await t.test('gzip, where it is accepted, under another tag', async t => {
    for (const accepted of [
      'gzip',
      'br, gzip;q=0.5',
      '*',
      'GZIP',
      'deflate,gzip ; q=1.0',
      'gzip;q=0.001',
      'identity;q=0.5, gzip;q=0.6',
    ]) {
      const zipped = await get(server, uri, { 'accept-encoding': accepted })
      t.match(
        zipped.headers,
        { 'content-encoding': 'gzip', etag: `${etag.slice(0, -1)}.gz"` },
        accepted,
      )
      t.equal(gunzipSync(zipped.rawPayload).toString(), plain.body)
    }
    for (const accepted of [
      '',
      'identity',
      'br',
      'gzip;q=0',
      'gzip; q=0.000',
      'gzip;q=0, *',
      'gzip;q=0.2, identity;q=0.3',
      'xgzip',
      'br;a=",gzip,"',
      'gzip;q=x',
    ]) {
      const answer = await get(server, uri, { 'accept-encoding': accepted })
      t.equal(answer.headers['content-encoding'], undefined, accepted)
      t.equal(answer.body, plain.body)
    }
  })

  await t.test('304 for a copy that is still good, by each of its tags', async t => {
    for (const headers of [
      { 'if-none-match': etag },
      { 'if-none-match': `"x", W/${etag}` },
      { 'if-none-match': '*' },
      { 'if-none-match': `${etag.slice(0, -1)}.gz"`, 'accept-encoding': 'gzip' },
    ]) {
      const answer = await get(server, uri, headers)
      t.equal(answer.statusCode, 304)
      t.equal(answer.body, '')
      t.match(answer.headers, {
        etag: /"/,
        'cache-control': 'public, max-age=10, stale-if-error=900',
      })
    }
    t.equal(
      (await get(server, uri, { 'if-none-match': etag, 'accept-encoding': 'gzip' }))
        .statusCode,
      200,
      'of the other representation',
    )
  })

  await t.test('the same until something changes, or it gets old', async t => {
    server.clock.advance(MINUTE)
    await server.status.sync()
    t.equal((await get(server, uri)).body, plain.body)
    await server.post('/revoke', { token: refreshToken, client_id: 'mobile' })
    t.equal(
      (await get(server, uri)).body,
      plain.body,
      'changes are taken in twice a second',
    )
    await server.status.sync()
    const changed = (await get(server, uri)).body
    t.not(changed, plain.body)
    server.clock.advance(5 * MINUTE)
    await server.status.sync()
    const renewed = await get(server, uri)
    t.ok(Number(decodeJwt(renewed.body).exp) > Number(decodeJwt(changed).exp))
    t.equal(
      createHash('sha256').update(renewed.body).digest('base64url').slice(0, 22),
      String(renewed.headers['etag']).slice(1, -1),
      'the tag is that of the bytes',
    )
  })

  await t.test('signed anew once the key has turned, or was retired', async t => {
    const before = decodeProtectedHeader((await get(server, uri)).body).kid
    await server.keys.rotate({ atOnce: true })
    t.not(decodeProtectedHeader((await get(server, uri)).body).kid, before)
  })

  await t.test('the state at another time is not to be had (§8.4)', async t => {
    const answer = await get(server, `${uri}?time=1686925000`)
    t.equal(answer.statusCode, 501)
    t.equal(answer.json().error, 'not_implemented')
  })
})

t.test(
  "while the store is away lists are served until they can't be vouched for",
  async t => {
    const server = await serverOn(t, 'SQLite')
    const { uri } = claimOf((await server.login()).access_token)
    t.equal((await get(server, uri)).statusCode, 200)
    await server.store.close()
    await t.rejects(server.status.sync(), { name: 'StoreUnavailable' })
    server.clock.advance(14 * MINUTE)
    const last = await get(server, uri)
    t.equal(last.statusCode, 200)
    t.ok(Number(decodeJwt(last.body).exp) * 1000 > server.clock())
    server.clock.advance(MINUTE)
    const stale = await get(server, uri)
    t.equal(stale.statusCode, 503)
    t.match(stale.headers, { 'retry-after': '1' })
    t.equal(
      (await get(server, `${ISSUER}/status/99999999-a`)).statusCode,
      503,
      'and nobody can say whether another one is there',
    )
  },
)

t.test(
  'status.enabled: false leaves the claim out, and the lists are served on',
  async t => {
    const server = await serverOn(t, 'SQLite', { statusEnabled: false })
    const { access_token: token, refresh_token: refreshToken } = await server.login()
    t.equal(decodeJwt(token)['status'], undefined)
    t.equal(
      decodeJwt((await server.refresh(refreshToken)).json().access_token)['status'],
      undefined,
    )
    t.equal(
      (await server.post('/revoke', { token, client_id: 'mobile' })).statusCode,
      200,
    )
    const { list } = await server.store.statusLists.lease(
      Math.floor(server.clock() / 1000 / HOUR),
    )
    t.equal((await get(server, `${ISSUER}/status/${list}`)).statusCode, 200)
  },
)

t.test("below an issuer's path, and for pages of every origin", async t => {
  const server = await serverOn(t, 'SQLite', {
    issuer: 'https://id.example.com/tenant',
    cors: ['https://app.example.com'],
  })
  const { uri } = claimOf((await server.login()).access_token)
  t.match(uri, /^https:\/\/id\.example\.com\/tenant\/status\//)
  for (const url of [uri.slice(ISSUER.length), uri.slice(`${ISSUER}/tenant`.length)]) {
    const answer = await server.app.inject({
      url,
      headers: { origin: 'https://anywhere.example' },
    })
    t.equal(answer.statusCode, 200, url)
    t.equal(answer.headers['access-control-allow-origin'], '*')
  }
  const elsewhere = await server.app.inject({
    url: '/token?/status/',
    method: 'OPTIONS',
    headers: { origin: 'https://anywhere.example' },
  })
  t.not(elsewhere.headers['access-control-allow-origin'], '*')
})

t.test('metrics tell of lists, leases and rebuilds', async t => {
  const server = await serverOn(t, 'SQLite')
  // Lists are cut by the hour in which tokens expire: at its beginning there is but one.
  server.clock.set(Math.ceil(server.clock() / 1000 / HOUR) * 1000 * HOUR)
  const { access_token: token, refresh_token: refreshToken } = await server.login()
  await server.post('/revoke', { token: refreshToken, client_id: 'mobile' })
  await bitOf(server, token)
  const text = await server.metrics.render()
  for (const line of [
    /^latchkey_status_lists 1$/m,
    /^latchkey_status_revoked 1$/m,
    /^latchkey_status_leases_total 1$/m,
    /^latchkey_status_rebuild_seconds_count 1$/m,
  ]) {
    t.match(text, line)
  }
})
