// RFC 6749 §6 at POST /token, and the rules R0 to R8 of the refresh family as a client sees them.
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { createRefreshTokenCodec } from '../../src/tokens/refresh-token.ts'
import {
  client,
  CLIENTS,
  ISSUER,
  MAIL,
  ORDERS,
  PASSWORD,
  type TestApp,
} from '../support/app.ts'
import { audited, basic, read, refused, serverOn, STORES } from './helpers.ts'

const GRANT = { status: 400, error: 'invalid_grant' }
const SCOPE = { status: 400, error: 'invalid_scope' }
const TARGET = { status: 400, error: 'invalid_target' }
const ALL = 'profile orders:read orders:write'
const MINUTE = 60_000
const DAY = 86_400_000

for (const store of STORES) {
  t.test(`refresh on ${store}`, async t => {
    const secrets = [randomBytes(32).toString('base64url')]
    const server = await serverOn(t, store, { secrets })
    const { login, refresh, post, clock } = server
    const codec = createRefreshTokenCodec({ issuer: ISSUER, secrets })
    const generationOf = (token: string) => codec.decode(token)?.generation
    const isAlive = async (token: string) =>
      (await server.introspect(token, 'auditor', 'auditor-secret'))['active']
    const events = (sid: string) =>
      audited(server, /^refresh\./)
        .filter(event => event['sid'] === sid)
        .map(event => event['type'])

    t.test(
      '§6: a refresh token gives a new pair, not to be stored, in the same session',
      async t => {
        const first = await login()
        clock.advance(1500)
        const answer = await refresh(first.refresh_token)
        t.equal(answer.statusCode, 200, answer.body)
        t.equal(answer.headers['cache-control'], 'no-store')
        t.equal(answer.headers['pragma'], 'no-cache')
        const {
          access_token: accessToken,
          refresh_token: refreshToken,
          ...rest
        } = answer.json()
        t.same(rest, { token_type: 'Bearer', expires_in: 600, scope: ALL })
        t.not(refreshToken, first.refresh_token)
        const [before, after] = [read(first.access_token), read(accessToken)]
        t.same(after.header, before.header)
        const { iat, exp, jti, status, ...kept } = after.payload
        const {
          iat: iatBefore,
          exp: expBefore,
          jti: jtiBefore,
          status: statusBefore,
          ...keptBefore
        } = before.payload
        t.same(kept, keptBefore, 'sub, sid, audience, scope, auth_time and roles stay')
        t.ok(iat > iatBefore && exp > expBefore)
        t.not(jti, jtiBefore)
        t.notSame(status, statusBefore, 'each token can be revoked by itself')
        t.equal(
          await isAlive(first.access_token),
          true,
          'the access token before it lives on',
        )
      },
    )

    t.test('§6: rotation goes on and on, each token used once', async t => {
      let token = (await login()).refresh_token
      for (let generation = 2; generation <= 12; generation++) {
        token = (await refresh(token)).json().refresh_token
        t.equal(generationOf(token), generation)
        t.equal(token.length, 75)
      }
    })

    t.test('§6: a narrower scope holds for this access token only', async t => {
      const first = await login()
      const narrowed = (
        await refresh(first.refresh_token, { scope: 'orders:read' })
      ).json()
      t.equal(narrowed.scope, 'orders:read')
      t.equal(read(narrowed.access_token).payload.scope, 'orders:read')
      t.equal(
        (await refresh(narrowed.refresh_token)).json().scope,
        ALL,
        "it doesn't stick",
      )
    })

    t.test(
      "§6: a wider scope than was granted is refused, and the refresh token isn't spent",
      async t => {
        const first = await login({ scope: 'profile orders:read' })
        refused(
          t,
          await refresh(first.refresh_token, { scope: 'profile orders:write' }),
          SCOPE,
        )
        refused(t, await refresh(first.refresh_token, { scope: 'admin' }), SCOPE)
        refused(t, await refresh(first.refresh_token, { scope: 'pro"file' }), SCOPE)
        const second = (
          await refresh(first.refresh_token, { scope: 'orders:read' })
        ).json()
        t.equal(generationOf(second.refresh_token), 2, 'nothing was exchanged before')
        t.equal(second.scope, 'orders:read')
        refused(t, await refresh(second.refresh_token, { scope: ALL }), SCOPE)
        const bare = await login({ client_id: 'bare' })
        refused(
          t,
          await refresh(bare.refresh_token, { client_id: 'bare', scope: 'profile' }),
          SCOPE,
        )
      },
    )

    t.test(
      'RFC 8707 §2: resource narrows the audience of this access token only, and never widens it',
      async t => {
        const first = await login()
        const narrowed = (await refresh(first.refresh_token, { resource: MAIL })).json()
        t.equal(read(narrowed.access_token).payload.aud, MAIL)
        const back = (await refresh(narrowed.refresh_token)).json()
        t.same(read(back.access_token).payload.aud, [ORDERS, MAIL], "it doesn't stick")

        const mail = await login({ resource: MAIL })
        refused(t, await refresh(mail.refresh_token, { resource: ORDERS }), TARGET)
        refused(t, await refresh(mail.refresh_token, { resource: ISSUER }), TARGET)
        refused(
          t,
          await refresh(mail.refresh_token, { resource: 'https://evil.example' }),
          TARGET,
        )
        const both = [
          ['grant_type', 'refresh_token'],
          ['client_id', 'mobile'],
          ['refresh_token', mail.refresh_token],
          ['resource', MAIL],
          ['resource', ORDERS],
        ]
        refused(t, await post('/token', both as [string, string][]), TARGET)
        const next = (await refresh(mail.refresh_token, { resource: MAIL })).json()
        t.equal(generationOf(next.refresh_token), 2, 'nothing was exchanged before')
        t.equal(read(next.access_token).payload.aud, MAIL)
      },
    )

    t.test(
      "§6: another client's refresh token is refused, and its owner goes on",
      async t => {
        const first = await login()
        const web = { grant_type: 'refresh_token', refresh_token: first.refresh_token }
        refused(t, await post('/token', web, basic('web', 'web-secret')), GRANT)
        refused(t, await refresh(first.refresh_token, { client_id: 'bare' }), GRANT)
        refused(
          t,
          await post(
            '/token',
            { ...web, scope: 'orders:write' },
            basic('web', 'web-secret'),
          ),
          GRANT,
        )
        t.equal(
          generationOf((await refresh(first.refresh_token)).json().refresh_token),
          2,
        )
        t.match(audited(server, /^refresh\.refused$/).at(-1), {
          clientId: 'web',
          reason: 'client_mismatch',
          sid: read(first.access_token).payload.sid,
        })
      },
    )

    t.test('§6: a confidential client refreshes with its secret only', async t => {
      const first = (
        await post(
          '/token',
          { grant_type: 'password', username: 'alice', password: PASSWORD },
          basic('web', 'web-secret'),
        )
      ).json()
      const form = { grant_type: 'refresh_token', refresh_token: first.refresh_token }
      refused(t, await post('/token', { ...form, client_id: 'web' }), {
        status: 401,
        error: 'invalid_client',
      })
      refused(t, await post('/token', form, basic('web', 'wrong')), {
        status: 401,
        error: 'invalid_client',
        challenge: /^Basic /,
      })
      t.equal((await post('/token', form, basic('web', 'web-secret-2'))).statusCode, 200)
    })

    t.test(
      'R0: what is no refresh token of ours is refused without asking the store',
      async t => {
        const { access_token: accessToken, refresh_token: token } = await login()
        const last = token.at(-1) === 'A' ? 'B' : 'A'
        const foreign = createRefreshTokenCodec({
          issuer: ISSUER,
          secrets: [randomBytes(32).toString('base64url')],
        })
        const read = codec.decode(token)
        const forged = read === undefined ? '' : foreign.encode(read)
        const cases: Array<[string, string]> = [
          ['an access token', accessToken],
          ['a changed tag', token.slice(0, -1) + last],
          ["another server's token", forged],
          ['text', 'rt_'],
          ['a longer one', token + 'A'],
          ['a padded one', token + '='],
          ['a spaced one', token + ' '],
          ['bytes that no token has', 'rt_' + 'é'.repeat(72)],
          ['a name of a prototype', '__proto__'],
        ]
        for (const [name, text] of cases) {
          t.test(name, async t => {
            refused(t, await refresh(text), GRANT)
          })
        }
        t.test('a refresh token is no access token either', async t => {
          refused(
            t,
            await server.app.inject({
              url: '/userinfo',
              headers: { authorization: `Bearer ${token}` },
            }),
            {
              status: 401,
              error: 'invalid_token',
              challenge: /^Bearer .*error="invalid_token"/,
            },
          )
        })
      },
    )

    t.test('R1: a token whose family is unknown', async t => {
      const token = codec.encode({
        userTag: 'A'.repeat(22),
        familyId: randomBytes(16),
        generation: 1,
      })
      refused(t, await refresh(token), GRANT)
    })

    t.test('R5: a retry within the grace gives the same successor again', async t => {
      const first = await login()
      const answers = await Promise.all([
        refresh(first.refresh_token),
        refresh(first.refresh_token),
        refresh(first.refresh_token),
      ])
      clock.advance(10_000)
      answers.push(await refresh(first.refresh_token))
      t.same(
        answers.map(answer => answer.statusCode),
        [200, 200, 200, 200],
      )
      t.equal(new Set(answers.map(answer => answer.json().refresh_token)).size, 1)
      t.equal(
        new Set(answers.map(answer => answer.json().access_token)).size,
        4,
        'each with an access token of its own',
      )
      const next = await refresh(answers[0]?.json().refresh_token)
      t.equal(generationOf(next.json().refresh_token), 3)
    })

    t.test('R5: a retry may ask for another scope than the first try did', async t => {
      const first = await login()
      await refresh(first.refresh_token)
      t.equal(
        (await refresh(first.refresh_token, { scope: 'profile' })).json().scope,
        'profile',
      )
    })

    t.test(
      'R6: a later retry burns the successor; whoever uses that one ends the session',
      async t => {
        const first = await login()
        const sid = read(first.access_token).payload.sid
        const burned = (await refresh(first.refresh_token)).json()
        clock.advance(10_001)
        const late = (await refresh(first.refresh_token)).json()
        t.equal(generationOf(late.refresh_token), 3)
        refused(t, await refresh(burned.refresh_token), GRANT)
        t.equal(await isAlive(late.access_token), false, 'its access tokens die with it')
        refused(t, await refresh(late.refresh_token), GRANT)
        t.same(
          events(sid),
          ['refresh.late', 'refresh.reused', 'refresh.refused'],
          'one audit event each',
        )
      },
    )

    t.test(
      'R6: a client with lateRetry refuse loses its session at a late retry',
      async t => {
        const first = await login({ client_id: 'strict' })
        const second = (
          await refresh(first.refresh_token, { client_id: 'strict' })
        ).json()
        clock.advance(10_001)
        refused(
          t,
          await refresh(first.refresh_token, { client_id: 'strict', scope: 'admin' }),
          SCOPE,
        )
        refused(t, await refresh(first.refresh_token, { client_id: 'strict' }), GRANT)
        refused(t, await refresh(second.refresh_token, { client_id: 'strict' }), GRANT)
        t.same(events(read(first.access_token).payload.sid), [
          'refresh.reused',
          'refresh.refused',
        ])
      },
    )

    t.test(
      'R7: a token that the store forgot having issued heals the family',
      async t => {
        const first = await login()
        const known = codec.decode(first.refresh_token)
        if (known === undefined) throw new Error('unreadable')
        const ahead = (generation: number) => codec.encode({ ...known, generation })
        refused(t, await refresh(ahead(3), { scope: 'admin' }), SCOPE)
        const healed = (await refresh(ahead(3))).json()
        t.equal(generationOf(healed.refresh_token), 4)
        t.same(events(known.sid), ['refresh.healed'])
        refused(t, await refresh(ahead(7)), GRANT)
        t.same(
          events(known.sid),
          ['refresh.healed', 'refresh.reused'],
          'three ahead is no lost write any more',
        )
        t.equal(await isAlive(healed.access_token), false)
      },
    )

    t.test(
      'R8: a stolen token that comes after two exchanges ends the session for both',
      async t => {
        const first = await login({ scope: 'profile' })
        const second = (await refresh(first.refresh_token)).json()
        const third = (await refresh(second.refresh_token)).json()
        refused(t, await refresh(first.refresh_token, { scope: 'orders:read' }), GRANT)
        refused(t, await refresh(third.refresh_token), GRANT)
        for (const { access_token: token } of [first, second, third]) {
          t.equal(await isAlive(token), false)
        }
        t.equal(
          server.lines.some(line => line.includes(first.refresh_token)),
          false,
          "and isn't logged",
        )
      },
    )

    t.test(
      'R3: idle and absolute end, a disabled user, a changed password, ended sessions',
      async t => {
        const died = async (
          t: Test,
          act: (first: Awaited<ReturnType<TestApp['login']>>) => unknown,
        ) => {
          const first = await login()
          await act(first)
          refused(t, await refresh(first.refresh_token), GRANT)
          t.equal(await isAlive(first.access_token), false)
        }
        await t.test('idle for 14 days', t =>
          died(t, () => {
            clock.advance(14 * DAY)
          }),
        )
        await t.test('a minute before that it lives, and lives on', async t => {
          const first = await login()
          clock.advance(14 * DAY - MINUTE)
          const second = await refresh(first.refresh_token)
          t.equal(second.statusCode, 200)
          clock.advance(13 * DAY)
          t.equal((await refresh(second.json().refresh_token)).statusCode, 200)
        })
        await t.test('90 days old', async t => {
          let { refresh_token: token } = await login()
          for (let day = 0; day < 80; day += 10) {
            clock.advance(10 * DAY)
            token = (await refresh(token)).json().refresh_token
          }
          clock.advance(10 * DAY - 30_000)
          const last = (await refresh(token)).json()
          t.equal(last.expires_in, 30, 'no access token outlives its family')
          clock.advance(27_000)
          let current = last
          for (let step = 0; step < 12; step++) {
            const answer = await refresh(current.refresh_token)
            if (answer.statusCode !== 200) break
            current = answer.json()
            const left = read(current.access_token).payload.exp * 1000 - clock()
            t.ok(left >= 1000 && current.expires_in >= 1, `${left} ms`)
            clock.advance(250)
          }
          refused(t, await refresh(current.refresh_token), GRANT, 'the last second')
          clock.advance(3_000)
          refused(t, await refresh(current.refresh_token), GRANT)
        })
        await t.test('disabled, and enabled again', t =>
          died(t, async () => {
            await server.accounts.disable('alice')
            await server.accounts.enable('alice')
          }),
        )
        await t.test('the password changed', t =>
          died(t, () => server.accounts.setPassword('alice', PASSWORD)),
        )
        await t.test('all sessions ended', t =>
          died(t, () => server.sessions.endAll('alice', 'cli:root')),
        )
        await t.test('the refresh token revoked', t =>
          died(t, first =>
            post('/revoke', { client_id: 'mobile', token: first.refresh_token }),
          ),
        )
        await t.test('the user removed, and another of the same name added', async t => {
          await server.accounts.add({
            name: 'dave',
            password: PASSWORD,
            scopes: null,
            roles: [],
          })
          const first = await login({ username: 'dave' })
          await server.accounts.remove('dave')
          await server.accounts.add({
            name: 'dave',
            password: PASSWORD,
            scopes: null,
            roles: [],
          })
          refused(t, await refresh(first.refresh_token), GRANT)
        })
      },
    )

    t.test(
      'what client or user lost since the login is left out, and given back when they regain it',
      async t => {
        const without = (scopes: string[], audience: string[]) =>
          CLIENTS.map(each =>
            each.id === 'mobile' ? client('mobile', { scopes, audience }) : each,
          )
        t.teardown(() => {
          server.clients.replace(CLIENTS)
        })
        let { refresh_token: token } = await login()
        const next = async () => {
          const answer = await refresh(token)
          t.equal(answer.statusCode, 200, answer.body)
          token = answer.json().refresh_token
          const { scope, aud, roles } = read(answer.json().access_token).payload
          return { scope, aud, roles }
        }

        server.clients.replace(without(['profile', 'orders:read', 'more'], [MAIL]))
        t.same(await next(), {
          scope: 'profile orders:read',
          aud: MAIL,
          roles: ['buyer'],
        })
        await server.accounts.setAccess('alice', {
          scopes: ['orders:read', 'other'],
          roles: ['seller'],
        })
        t.same(await next(), { scope: 'orders:read', aud: MAIL, roles: ['seller'] })
        await server.accounts.setAccess('alice', { scopes: [], roles: [] })
        t.same(await next(), { scope: undefined, aud: MAIL, roles: undefined })
        server.clients.replace(CLIENTS)
        await server.accounts.setAccess('alice', { scopes: null, roles: ['buyer'] })
        t.same(await next(), { scope: ALL, aud: [ORDERS, MAIL], roles: ['buyer'] })

        server.clients.replace(without(['profile'], ['https://new.example.com']))
        refused(t, await refresh(token), TARGET)
        server.clients.replace(CLIENTS)
        t.equal((await refresh(token)).statusCode, 200, 'the session outlived it')
        server.clients.replace(
          CLIENTS.map(each =>
            each.id === 'mobile' ? client('mobile', { grants: ['password'] }) : each,
          ),
        )
        refused(t, await refresh(token), { status: 400, error: 'unauthorized_client' })
        server.clients.replace(CLIENTS.filter(each => each.id !== 'mobile'))
        refused(t, await refresh(token), { status: 401, error: 'invalid_client' })
      },
    )

    t.test('lifetimes follow the client, where it has its own', async t => {
      server.clients.replace([
        ...CLIENTS,
        client('brief', {
          accessTtl: 5_000,
          refreshIdle: 20_000,
          refreshAbsolute: 45_000,
        }),
      ])
      t.teardown(() => {
        server.clients.replace(CLIENTS)
      })
      const first = await login({ client_id: 'brief' })
      t.equal(first.expires_in, 5)
      clock.advance(19_000)
      const second = (await refresh(first.refresh_token, { client_id: 'brief' })).json()
      clock.advance(19_000)
      const third = (await refresh(second.refresh_token, { client_id: 'brief' })).json()
      clock.advance(7_000)
      refused(t, await refresh(third.refresh_token, { client_id: 'brief' }), GRANT)
    })
  })
}
