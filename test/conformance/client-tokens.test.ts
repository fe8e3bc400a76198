// The client credentials grant (RFC 6749 §4.4), and what becomes of its tokens: they come from no session,
// and say the client as `sub` (RFC 9068 §2.2).
import { createHash } from 'node:crypto'
import * as jose from 'jose'
import t, { type Test } from 'tap'
import { userTag } from '../../src/base/ids.ts'
import {
  CLIENTS,
  client as settingsOf,
  ISSUER,
  MAIL,
  ORDERS,
  sha256Line,
  type TestApp,
} from '../support/app.ts'
import { someAccount } from '../support/stores.ts'
import { audited, read, refused, serverOn, STORES } from './helpers.ts'

const ORDERS_API = { client_id: 'orders-api', client_secret: 'orders-secret' }
const MACHINE = { client_id: 'machine', client_secret: 'machine-secret' }
const FOR = { grant_type: 'client_credentials' }
const ALONE = { grants: ['client_credentials'] }
const MORE = [
  ...CLIENTS,
  settingsOf('open', ALONE),
  settingsOf('strict-machine', {
    ...ALONE,
    secrets: [sha256Line('strict-secret')],
    dpop: 'required',
  }),
  settingsOf('bare-machine', {
    ...ALONE,
    secrets: [sha256Line('bare-secret')],
    scopes: [],
    audience: [],
    accessTtl: 60_000,
  }),
]

const ask = ({ post }: TestApp, more: Record<string, string> = {}) =>
  post('/token', { ...FOR, ...MACHINE, ...more })

/** A token of the machine's own. */
async function tokenOf(server: TestApp, more: Record<string, string> = {}) {
  const answer = await ask(server, more)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return String(answer.json().access_token)
}

async function listOf(server: TestApp, token: string): Promise<string> {
  await server.status.sync()
  const { status } = jose.decodeJwt<{ status: { status_list: { uri: string } } }>(token)
  const { body } = await server.app.inject(status.status_list.uri.slice(ISSUER.length))
  return String(jose.decodeJwt<{ status_list: { lst: string } }>(body).status_list.lst)
}

const holding = (token: string) => ({ authorization: `Bearer ${token}` })

/** An account with that `sub`, as no way in would make it. */
const addUserWithSub = ({ store }: TestApp, sub: string) =>
  store.directory.add(someAccount(sub))

for (const store of STORES) {
  t.test(`a client's own token, on ${store}`, async t => {
    const server = await serverOn(t, store, { clients: MORE })
    const { app, post, clients } = server
    const introspect = async (token: string) =>
      (await post('/introspect', { token, ...ORDERS_API })).json()

    await t.test('is about the client, of no session, and of no refresh', async t => {
      const answer = await ask(server)
      t.equal(answer.statusCode, 200, answer.body)
      t.match(answer.headers, { 'cache-control': 'no-store', pragma: 'no-cache' })
      const { access_token: token, ...rest } = answer.json()
      const scope = 'orders:read orders:write'
      t.strictSame(rest, { token_type: 'Bearer', expires_in: 600, scope })
      const { header, payload } = read(token)
      t.match(header, { typ: 'at+jwt' })
      const { iat, exp, jti, status, ...claims } = payload
      t.strictSame(claims, {
        iss: ISSUER,
        sub: 'machine',
        aud: [ORDERS, MAIL],
        client_id: 'machine',
        scope,
      })
      t.equal(exp - iat, 600)
      t.ok(status !== undefined)
      t.strictSame(await introspect(token), {
        active: true,
        token_type: 'Bearer',
        ...payload,
      })
      t.match(audited(server, /^token\.issued/), [
        { clientId: 'machine', network: '127.0.0.0/24', jti },
      ])
    })

    await t.test('says what was asked for, within what the client may', async t => {
      const narrow = await ask(server, { scope: 'orders:read', resource: MAIL })
      t.match(narrow.json(), { scope: 'orders:read' })
      t.match(read(narrow.json().access_token).payload, { aud: MAIL })
      const bare = { client_id: 'bare-machine', client_secret: 'bare-secret' }
      const { access_token: token, ...rest } = (await ask(server, bare)).json()
      t.strictSame(rest, { token_type: 'Bearer', expires_in: 60 })
      t.match(read(token).payload, { aud: ISSUER, scope: undefined })
    })

    await t.test('is refused where it may not be', async t => {
      const web = { client_id: 'web', client_secret: 'web-secret' }
      for (const [name, more, error, status] of [
        ['a scope of others', { scope: 'profile' }, 'invalid_scope', 400],
        ['no scope at all', { scope: '"' }, 'invalid_scope', 400],
        [
          'an audience of others',
          { resource: 'https://a.example' },
          'invalid_target',
          400,
        ],
        ['a client without the grant', web, 'unauthorized_client', 400],
        ['a wrong secret', { client_secret: 'wrong' }, 'invalid_client', 401],
        [
          'no proof where it must be bound',
          { client_id: 'strict-machine', client_secret: 'strict-secret' },
          'invalid_dpop_proof',
          400,
        ],
      ] as const) {
        refused(t, await ask(server, more), { status, error }, name)
      }
      // Such a client is refused at start (test/config/load.test.ts), and here once more.
      const open = await post('/token', { ...FOR, client_id: 'open' })
      refused(t, open, { status: 400, error: 'unauthorized_client' })
    })

    await t.test('says what its audience is to be told, and has no roles', async t => {
      server.live.claims = { plan: { value: 'free' } }
      server.live.audiences = { [ORDERS]: { claims: { seats: { value: 0 } } } }
      const token = await tokenOf(server, { resource: ORDERS })
      const { payload } = read(token)
      t.match(payload, { sub: 'machine', plan: 'free', seats: 0, roles: undefined })
      t.match(await introspect(token), { active: true, plan: 'free', seats: 0 })
      server.live.claims = {}
      server.live.audiences = {}
    })

    await t.test('passes a proxy, with the client in its headers', async t => {
      const token = await tokenOf(server, { scope: 'orders:read' })
      const headers = { ...holding(token), 'latchkey-audience': ORDERS }
      t.match(await app.inject({ url: '/verify', headers }), {
        statusCode: 200,
        headers: {
          'latchkey-sub': 'machine',
          'latchkey-client-id': 'machine',
          'latchkey-sid': '',
          'latchkey-username': '',
          'latchkey-roles': '',
          'latchkey-scope': 'orders:read',
        },
      })
    })

    await t.test('says nothing to /userinfo', async t => {
      const headers = holding(await tokenOf(server))
      const challenge = /^Bearer realm="latchkey", error="invalid_token"/
      for (const method of ['GET', 'POST'] as const) {
        const answer = await app.inject({ method, url: '/userinfo', headers })
        refused(t, answer, { status: 401, error: 'invalid_token', challenge })
      }
    })

    await t.test('is revoked by its client alone, and sets its own bit', async t => {
      await revocation(t, server, introspect)
    })

    await t.test('dies with its client, and with its grant', async t => {
      const token = await tokenOf(server)
      const without = CLIENTS.filter(({ id }) => id !== 'machine')
      const idle = settingsOf('machine', { secrets: [sha256Line('machine-secret')] })
      for (const now of [without, [...without, idle]]) {
        clients.replace(now)
        t.same(await introspect(token), { active: false })
        clients.replace(MORE)
        t.match(await introspect(token), { active: true })
      }
      t.match(await server.metrics.render(), /inactive",reason="grant_not_allowed"\} 1/)
    })

    await t.test('bound to a key, it needs a proof', async t => {
      await binding(t, server)
    })

    await t.test('is not given where a user has its sub', async t => {
      t.equal(await addUserWithSub(server, 'machine'), 'added')
      refused(t, await ask(server), { status: 400, error: 'unauthorized_client' })
      t.match(
        await server.metrics.render(),
        'grant="client_credentials",outcome="refused",reason="client_id_is_sub"} 1',
      )
      t.ok(await server.store.directory.remove(userTag('machine')))
      t.equal((await ask(server)).statusCode, 200)
    })
  })
}

async function revocation(
  t: Test,
  server: TestApp,
  introspect: (token: string) => Promise<object>,
): Promise<void> {
  const [token, other] = [await tokenOf(server), await tokenOf(server)]
  const before = await listOf(server, token)
  const foreign = await server.post('/revoke', { token, ...ORDERS_API })
  t.match(foreign, { statusCode: 400 })
  t.match(await introspect(token), { active: true })
  for (let times = 0; times < 2; times++) {
    const answer = await server.post('/revoke', { token, ...MACHINE })
    t.equal(answer.statusCode, 200)
    t.same(await introspect(token), { active: false })
  }
  t.match(await introspect(other), { active: true })
  t.not(await listOf(server, token), before)
  t.same(
    audited(server, /^(token\.revoked|revocation)/).map(({ type, sid }) => ({
      type,
      sid,
    })),
    [
      { type: 'revocation.refused', sid: undefined },
      { type: 'token.revoked', sid: undefined },
      { type: 'token.revoked', sid: undefined },
    ],
  )
}

// RFC 9449: the token says the key's thumbprint, and is good for nothing without a proof.
async function binding(t: Test, server: TestApp): Promise<void> {
  const { app, clock } = server
  const keys = await jose.generateKeyPair('ES256', { extractable: true })
  const jwk = await jose.exportJWK(keys.publicKey)
  const jkt = await jose.calculateJwkThumbprint(jwk)
  const proof = (htm: string, htu: string, ath?: string) =>
    new jose.SignJWT({
      htm,
      htu: `${ISSUER}${htu}`,
      jti: crypto.randomUUID(),
      iat: Math.floor(clock() / 1000),
      ...(ath !== undefined && { ath }),
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .sign(keys.privateKey)
  const strict = { client_id: 'strict-machine', client_secret: 'strict-secret' }
  const answer = await server.post(
    '/token',
    { ...FOR, ...strict },
    { dpop: await proof('POST', '/token') },
  )
  t.match(answer.json(), { token_type: 'DPoP' }, answer.body)
  const token = String(answer.json().access_token)
  t.match(read(token).payload, { cnf: { jkt } })
  const own = { authorization: `DPoP ${token}`, 'latchkey-audience': ORDERS }
  for (const more of [{}, { dpop: 'no proof' }]) {
    refused(t, await app.inject({ url: '/verify', headers: { ...own, ...more } }), {
      status: 401,
      error: 'invalid_dpop_proof',
      challenge: /^DPoP realm/,
    })
  }
  const asBearer = { ...own, ...holding(token) }
  t.match(await app.inject({ url: '/verify', headers: asBearer }), { statusCode: 401 })
  const ath = createHash('sha256').update(token).digest('base64url')
  const proven = { ...own, dpop: await proof('GET', '/userinfo', ath) }
  refused(t, await app.inject({ url: '/userinfo', headers: proven }), {
    status: 401,
    error: 'invalid_token',
    challenge: /^DPoP realm/,
  })
  const introspected = await server.post('/introspect', { token, ...ORDERS_API })
  t.match(introspected.json(), { active: true, token_type: 'DPoP', cnf: { jkt } })
}
