// Access tokens that come from no session: a client's own (RFC 9068 §2.2: `sub` is its id), minted by hand,
// as no grant issues them yet.
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { createMint } from '../../src/grants/issue.ts'
import { createJwtSigner } from '../../src/tokens/sign-jwt.ts'
import { CLIENTS, ISSUER, ORDERS, type TestApp } from '../support/app.ts'
import { audited, refused, serverOn, STORES } from './helpers.ts'

const ORDERS_API = { client_id: 'orders-api', client_secret: 'orders-secret' }
const WEB = { client_id: 'web', client_secret: 'web-secret' }

/** Mints a token of the client's own. */
async function mintFor(
  { keys, status, clients, clock, live }: TestApp,
  id: string,
  jkt?: string,
) {
  const client = clients.find(id)
  if (client === undefined) throw new Error(`no client ${id}`)
  const mint = createMint({
    issuer: ISSUER,
    sign: createJwtSigner(keys.signingKey),
    policy: () => live,
    uriOf: status.uriOf,
    typOf: () => 'at+jwt',
    algorithmOf: () => undefined,
    clock,
  })
  return mint({
    client,
    session: undefined,
    scope: ['orders:read'],
    audience: [ORDERS],
    jkt,
    status: await status.take?.(live.accessTtl),
  })
}

async function listOf(server: TestApp, token: string): Promise<string> {
  await server.status.sync()
  const { status } = decodeJwt<{ status: { status_list: { uri: string } } }>(token)
  const { body } = await server.app.inject(status.status_list.uri.slice(ISSUER.length))
  return String(decodeJwt<{ status_list: { lst: string } }>(body).status_list.lst)
}

const holding = (token: string) => ({ authorization: `Bearer ${token}` })

for (const store of STORES) {
  t.test(`a client's own token, on ${store}`, async t => {
    const server = await serverOn(t, store)
    const { app, post, clients } = server
    const introspect = async (token: string) =>
      (await post('/introspect', { token, ...ORDERS_API })).json()

    await t.test('is about the client, and of no session', async t => {
      const { token, claims } = await mintFor(server, 'web')
      const { iat, exp, jti, status, ...rest } = claims
      t.same(rest, {
        iss: ISSUER,
        sub: 'web',
        aud: ORDERS,
        client_id: 'web',
        scope: 'orders:read',
      })
      t.equal(exp - iat, server.live.accessTtl / 1000)
      t.same(await introspect(token), { active: true, token_type: 'Bearer', ...claims })
      t.ok(jti !== '' && status !== undefined)
    })

    await t.test('passes a proxy, with the client in its headers', async t => {
      const { token } = await mintFor(server, 'web')
      const headers = { ...holding(token), 'latchkey-audience': ORDERS }
      t.match(await app.inject({ url: '/verify', headers }), {
        statusCode: 200,
        headers: {
          'latchkey-sub': 'web',
          'latchkey-client-id': 'web',
          'latchkey-sid': '',
          'latchkey-username': '',
          'latchkey-roles': '',
          'latchkey-scope': 'orders:read',
        },
      })
    })

    await t.test('says nothing to /userinfo', async t => {
      const { token } = await mintFor(server, 'web')
      const answer = await app.inject({ url: '/userinfo', headers: holding(token) })
      const challenge = /^Bearer realm="latchkey", error="invalid_token"/
      refused(t, answer, { status: 401, error: 'invalid_token', challenge })
    })

    await t.test('is revoked by its client alone, and sets its own bit', async t => {
      await revocation(t, server, introspect)
    })

    await t.test('dies with its client', async t => {
      const { token } = await mintFor(server, 'once')
      t.match(await introspect(token), { active: true })
      clients.replace(CLIENTS.filter(({ id }) => id !== 'once'))
      t.same(await introspect(token), { active: false })
      clients.replace(CLIENTS)
      t.match(await introspect(token), { active: true })
    })

    await t.test('bound to a key, it needs a proof', async t => {
      const { token } = await mintFor(server, 'web', 'a-thumbprint')
      const headers = { authorization: `DPoP ${token}`, 'latchkey-audience': ORDERS }
      for (const more of [{}, { dpop: 'no proof' }]) {
        refused(
          t,
          await app.inject({ url: '/verify', headers: { ...headers, ...more } }),
          { status: 401, error: 'invalid_dpop_proof', challenge: /^DPoP realm/ },
        )
      }
      const asBearer = { ...headers, ...holding(token) }
      t.match(await app.inject({ url: '/verify', headers: asBearer }), {
        statusCode: 401,
      })
    })
  })
}

async function revocation(
  t: Test,
  server: TestApp,
  introspect: (token: string) => Promise<object>,
): Promise<void> {
  const [{ token, claims }, { token: other }] = [
    await mintFor(server, 'web'),
    await mintFor(server, 'web'),
  ]
  const before = await listOf(server, token)
  const foreign = await server.post('/revoke', { token, ...ORDERS_API })
  t.match(foreign, { statusCode: 400 })
  t.match(await introspect(token), { active: true })
  for (let times = 0; times < 2; times++) {
    const answer = await server.post('/revoke', { token, ...WEB })
    t.equal(answer.statusCode, 200)
    t.same(await introspect(token), { active: false })
  }
  t.match(await introspect(other), { active: true })
  t.not(await listOf(server, token), before)
  t.ok(claims.sid === undefined)
  t.same(
    audited(server, /^(token|revocation)\./).map(({ type, sid }) => ({ type, sid })),
    [
      { type: 'revocation.refused', sid: undefined },
      { type: 'token.revoked', sid: undefined },
      { type: 'token.revoked', sid: undefined },
    ],
  )
}
