// Users keep their own account: see it, change it, set another password, end sessions, delete it. On both
// stores.
import { createHash, randomUUID } from 'node:crypto'
import type { LightMyRequestResponse } from 'fastify'
import { blockOf } from '../docs/support/blocks.ts'
import * as jose from 'jose'
import t, { type Test } from 'tap'
import {
  client,
  CLIENTS,
  ISSUER,
  NO_SELF_SERVICE,
  ORDERS,
  PASSWORD,
  type TestApp,
} from '../support/app.ts'
import { refused, serverOn, STORES, type StoreName } from './helpers.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const NEW_PASSWORD = 'a wholly different password'
const MUTE = client('mute', { scopes: [], audience: [ORDERS] })
const SELF = client('self', { scopes: ['account'], audience: [ISSUER, ORDERS] })
/** As an app sees it: the page breaks the header's line. */
const CHALLENGE = blockOf('docs/self-service.md', 'HTTP/1.1 401')
  .trim()
  .replaceAll(/\n +/g, ' ')
  .replace('HTTP/1.1 401 Unauthorized\nWWW-Authenticate: ', '')
const STALE = {
  status: 401,
  error: 'insufficient_user_authentication',
  challenge: CHALLENGE,
}

for (const store of STORES) {
  t.test(store, async t => {
    await t.test('who may call', t => callersTest(t, store))
    await t.test('the export', t => exportTest(t, store))
    await t.test('attributes', t => attributesTest(t, store))
    await t.test('the password', t => passwordTest(t, store))
    await t.test('guesses of the password', t => guessTest(t, store))
    await t.test('sessions', t => sessionsTest(t, store))
    await t.test('deletion', t => deletionTest(t, store))
    await t.test('deletion, thought over', t => graceTest(t, store))
    await t.test('a namesake', t => namesakeTest(t, store))
    await t.test('a token that is bound to a key', t => dpopTest(t, store))
    await t.test('bodies', t => bodiesTest(t, store))
  })
}

async function ownServer(t: Test, store: StoreName, more = {}): Promise<TestApp> {
  const server = await serverOn(t, store, {
    clients: [...CLIENTS, SELF, MUTE],
    selfService: { ...NO_SELF_SERVICE, account: true, ...more },
  })
  server.live.attributes = {
    email: { list: false, unique: true, self: true },
    given_name: { list: false, unique: false, self: true },
    tenant: { list: false, unique: false },
  }
  return server
}

type Call = (
  method: 'GET' | 'PATCH' | 'PUT' | 'DELETE',
  path?: string,
  body?: object,
) => Promise<LightMyRequestResponse>

/** Logs in, and gives what calls with that token. */
async function callerOn(server: TestApp, more = {}): Promise<Call> {
  const { access_token: token } = await server.login({
    client_id: 'self',
    resource: ISSUER,
    ...more,
  })
  return (method, path = '', body) =>
    server.app.inject({
      method,
      url: `/account${path}`,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { payload: body }),
    })
}

async function callersTest(t: Test, store: StoreName): Promise<void> {
  const off = await serverOn(t, store)
  for (const path of ['/account', '/account/password', '/account/sessions']) {
    t.equal((await off.app.inject({ url: path })).statusCode, 404, 'off by default')
  }
  const server = await ownServer(t, store)
  const { app } = server
  const bare = await app.inject({ url: '/account' })
  refused(t, bare, { status: 401, error: 'invalid_token', challenge: /^Bearer/ })
  const forOrders = await callerOn(server, { resource: ORDERS })
  t.equal((await forOrders('GET')).statusCode, 200, 'with the scope account')
  const forIssuer = await callerOn(server, { resource: ISSUER })
  t.equal((await forIssuer('GET')).statusCode, 200, 'for the issuer')
  const mute = await callerOn(server, { client_id: 'mute', resource: ORDERS })
  t.equal((await mute('GET')).statusCode, 403, 'without any scope')
  const { access_token: token } = await server.login()
  const other = await app.inject({
    url: '/account',
    headers: { authorization: `Bearer ${token}` },
  })
  const challenge = /error="insufficient_scope", scope="account"/
  refused(t, other, { status: 403, error: 'insufficient_scope', challenge })
  const machine = await server.post('/token', {
    grant_type: 'client_credentials',
    client_id: 'machine',
    client_secret: 'machine-secret',
  })
  const own = await app.inject({
    url: '/account',
    headers: { authorization: `Bearer ${machine.json().access_token}` },
  })
  const bearer = /^Bearer/
  refused(t, own, { status: 401, error: 'invalid_token', challenge: bearer }, 'a client')
  server.live.maxPerSession = 2
  const often = await callerOn(server)
  for (const status of [200, 200, 429]) {
    t.equal((await often('GET')).statusCode, status)
  }
  t.equal((await forIssuer('GET', '', undefined)).statusCode, 200, 'one session only')
}

async function exportTest(t: Test, store: StoreName): Promise<void> {
  const server = await ownServer(t, store)
  await server.accounts.setAttributes('alice', {
    attributes: { email: 'alice@example.com', tenant: 'acme' },
  })
  const call = await callerOn(server, { device_name: 'My phone' })
  const answer = await call('GET')
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers['cache-control'], 'no-store')
  const account = await server.accounts.find('alice')
  t.match(answer.json(), {
    sub: account?.sub,
    name: 'alice',
    attributes: { email: 'alice@example.com', tenant: 'acme' },
    email_verified: false,
    sessions: [{ current: true, client_id: 'self', device: 'My phone' }],
  })
  t.notOk(answer.body.includes('$argon2'), 'no hash')
  t.equal((await server.app.inject({ method: 'HEAD', url: '/account' })).statusCode, 401)
}

async function attributesTest(t: Test, store: StoreName): Promise<void> {
  const server = await ownServer(t, store)
  const { clock, accounts } = server
  const call = await callerOn(server)
  const patch = (attributes: object, more = {}) =>
    call('PATCH', '', { attributes, ...more })
  t.equal((await patch({ given_name: 'Alice' })).statusCode, 204)
  t.match((await call('GET')).json(), { attributes: { given_name: 'Alice' } })
  for (const [attributes, error] of [
    [{ tenant: 'mine' }, 'attribute_not_self'],
    [{ unknown: 1 }, 'attribute_not_self'],
    [JSON.parse('{"__proto__": 1}'), 'attribute_not_self'],
    [{ given_name: 7 }, 'attribute_invalid'],
    [{ email: 'a@example.com\r\nBcc: b@example.com' }, 'attribute_invalid'],
  ] as const) {
    refused(
      t,
      await patch(attributes),
      { status: 400, error },
      JSON.stringify(attributes),
    )
  }
  t.equal((await patch({ email: 'alice@example.com' })).statusCode, 204)
  await accounts.add({
    name: 'bob',
    password: PASSWORD,
    roles: [],
    scopes: null,
    attributes: { email: 'bob@example.com' },
  })
  refused(t, await patch({ email: 'BOB@example.com' }), {
    status: 400,
    error: 'attribute_taken',
  })
  clock.advance(6 * MINUTE)
  t.equal((await patch({ given_name: null })).statusCode, 204, 'needs no fresh proof')
  t.equal((await patch({ email: 'Alice@EXAMPLE.com' })).statusCode, 204, 'the same one')
  refused(t, await patch({ email: 'other@example.com' }), STALE, 'another address')
  refused(
    t,
    await patch({ email: 'aL\u0131ce@example.com' }),
    STALE,
    'one that looks alike',
  )
  refused(t, await patch({ email: null }), STALE, 'no address')
  const proof = { current_password: PASSWORD }
  t.equal((await patch({ email: 'other@example.com' }, proof)).statusCode, 204)
  t.match((await accounts.find('alice'))?.attributes, { email: 'other@example.com' })
  await accounts.setAttributes('alice', {
    attributes: { email: 'mike@example.com' },
    emailVerified: true,
  })
  const kelvin = 'mi\u212Ae@example.com'
  refused(t, await patch({ email: kelvin }), STALE, 'a sign that looks alike')
  t.equal((await patch({ email: kelvin }, proof)).statusCode, 204)
  t.match(await accounts.find('alice'), {
    attributes: { email: kelvin },
    emailVerified: false,
  })
  await patch({ email: 'other@example.com' }, proof)
  const { sub } = (await accounts.find('alice')) ?? {}
  const line = server.lines.findLast(text => text.includes('"change":"attributes"'))
  t.match(JSON.parse(String(line)), { audit: { actor: `user:${sub}` } })
}

async function passwordTest(t: Test, store: StoreName): Promise<void> {
  const server = await ownServer(t, store)
  const [call, other] = [await callerOn(server), await callerOn(server)]
  const put = (body: object) => call('PUT', '/password', body)
  for (const [password, error, why] of [
    ['alice', 'password_is_name', /like the name/],
    ['', 'password_too_short', /at least 1 characters/],
    ['x'.repeat(257), 'password_too_long', /256 bytes/],
    ['\uD800', 'password_malformed', /can not be sent/],
  ] as const) {
    const answer = await put({ password })
    refused(t, answer, { status: 400, error })
    t.match(answer.json().error_description, why)
  }
  t.equal((await put({ password: NEW_PASSWORD })).statusCode, 204)
  t.equal((await call('GET')).statusCode, 200, "the caller's own session goes on")
  t.equal((await other('GET')).statusCode, 401, 'the other one has ended')
  const again = await callerOn(server, { password: NEW_PASSWORD })
  t.equal((await again('GET')).statusCode, 200)
  server.clock.advance(6 * MINUTE)
  refused(t, await again('PUT', '/password', { password: PASSWORD }), STALE)
  const wrong = { password: PASSWORD, current_password: 'wrong' }
  refused(t, await again('PUT', '/password', wrong), STALE)
  const right = { password: PASSWORD, current_password: NEW_PASSWORD }
  t.equal((await again('PUT', '/password', right)).statusCode, 204)
  const line = server.lines.findLast(text => text.includes('"change":"password"'))
  t.match(JSON.parse(String(line)), { audit: { actor: /^user:/ } })
  t.notOk(
    server.lines.some(text => text.includes(NEW_PASSWORD)),
    'no password in the log',
  )
}

async function guessTest(t: Test, store: StoreName): Promise<void> {
  const server = await ownServer(t, store)
  const call = await callerOn(server)
  server.live.logins = { ...server.live.logins, perName: 3 }
  const guess = (guessed: string) =>
    call('PUT', '/password', { password: NEW_PASSWORD, current_password: guessed })
  for (const wrong of ['one', 'two', 'three']) refused(t, await guess(wrong), STALE)
  const answer = await guess('four')
  refused(t, answer, { status: 429, error: 'slow_down' })
  t.match(answer.headers['retry-after'], /^\d+$/)
  t.equal(
    server.lines.filter(line => line.includes('"login.failed"')).length,
    3,
    'each is an event',
  )
  t.ok(server.lines.some(line => line.includes('"login.throttled"')))
}

async function sessionsTest(t: Test, store: StoreName): Promise<void> {
  const server = await ownServer(t, store)
  const call = await callerOn(server)
  const [phone, tablet] = [await callerOn(server), await callerOn(server)]
  const list = async () => (await call('GET', '/sessions')).json().sessions
  const [{ sid }, ...others] = (await list()).filter(
    ({ current }: { current: boolean }) => !current,
  )
  t.equal(others.length, 1)
  t.equal((await call('DELETE', `/sessions/${sid}`)).statusCode, 204)
  t.equal((await call('DELETE', `/sessions/${sid}`)).statusCode, 204, 'once more')
  const statuses = [(await phone('GET')).statusCode, (await tablet('GET')).statusCode]
  t.same(statuses.sort(), [200, 401], 'one has ended')
  refused(t, await call('DELETE', '/sessions/unknown'), {
    status: 404,
    error: 'not_found',
  })
  await server.accounts.add({ name: 'eve', password: PASSWORD, roles: [], scopes: null })
  const eve = await callerOn(server, { username: 'eve' })
  const [{ sid: own }] = await list()
  t.equal((await eve('DELETE', `/sessions/${own}`)).statusCode, 404, "another's session")
  t.equal((await call('DELETE', '/sessions')).statusCode, 204)
  t.equal((await list()).length, 1)
  t.same(
    [(await phone('GET')).statusCode, (await tablet('GET')).statusCode],
    [401, 401],
    'all others have ended',
  )
  t.equal((await call('GET')).statusCode, 200)
  t.equal((await eve('GET')).statusCode, 200, 'nobody else')
}

async function deletionTest(t: Test, store: StoreName): Promise<void> {
  const server = await ownServer(t, store)
  const call = await callerOn(server)
  server.clock.advance(6 * MINUTE)
  refused(t, await call('DELETE'), STALE)
  const answer = await call('DELETE', '', { current_password: PASSWORD })
  t.equal(answer.statusCode, 204)
  t.equal((await call('GET')).statusCode, 401)
  t.equal(await server.accounts.find('alice'), undefined)
  const again = await server.post('/token', {
    grant_type: 'password',
    client_id: 'self',
    username: 'alice',
    password: PASSWORD,
  })
  refused(t, again, { status: 400, error: 'invalid_grant' })
}

/** Whoever deletes their account may think it over, and comes back by a login. */
async function graceTest(t: Test, store: StoreName): Promise<void> {
  const grace = 7 * DAY
  const server = await ownServer(t, store, { deletion: { grace } })
  const { accounts, clock, core, lines } = server
  const [call, phone] = [await callerOn(server), await callerOn(server)]
  const session = await server.login()
  const logIn = (password = PASSWORD) =>
    server.post('/token', {
      grant_type: 'password',
      client_id: 'self',
      resource: ISSUER,
      username: 'alice',
      password,
    })
  const changes = () =>
    lines.flatMap(line => /"change":"(deletion_\w+|removed)"/.exec(line)?.[1] ?? [])
  const before = await accounts.find('alice')
  const remove = () => call('DELETE', '', { current_password: PASSWORD })
  t.equal((await remove()).statusCode, 204)
  t.equal((await call('GET')).statusCode, 401, 'every session ends at once')
  t.equal((await phone('GET')).statusCode, 401)
  refused(t, await server.refresh(session.refresh_token), {
    status: 400,
    error: 'invalid_grant',
  })
  t.equal((await server.introspect(session.access_token))['active'], false)
  const deleteAt = clock() + grace
  t.match(await accounts.find('alice'), { disabled: false, pending: { deleteAt } })
  await core.deletions.sweep()
  t.ok(await accounts.find('alice'), 'nothing is erased before')

  refused(t, await logIn('wrong'), { status: 400, error: 'invalid_grant' })
  t.ok((await accounts.find('alice'))?.pending, 'a wrong password brings nothing back')
  t.equal((await logIn()).statusCode, 200)
  const kept = await accounts.find('alice')
  t.equal(kept?.sub, before?.sub, 'a login does')
  t.equal(kept?.pending, undefined)
  clock.advance(8 * DAY)
  await core.deletions.sweep()
  t.ok(await accounts.find('alice'), 'and for good')

  const again = await callerOn(server)
  t.equal((await again('DELETE')).statusCode, 204)
  clock.advance(grace - MINUTE)
  await core.deletions.sweep()
  t.ok(await accounts.find('alice'))
  clock.advance(2 * MINUTE)
  await core.deletions.sweep()
  t.equal(await accounts.find('alice'), undefined, 'erased')
  refused(t, await logIn(), { status: 400, error: 'invalid_grant' })
  await core.deletions.sweep()
  t.same(changes(), ['deletion_begun', 'deletion_cancelled', 'deletion_begun', 'removed'])
  t.ok(lines.some(line => line.includes(`"actor":"user:${before?.sub}"`)))
}

/** Between the look at the token and the deed the account is renamed, and somebody else has its name. */
async function namesakeTest(t: Test, store: StoreName): Promise<void> {
  const server = await ownServer(t, store)
  const { accounts, core } = server
  const account = await accounts.find('alice')
  if (account === undefined) throw new Error('there is no account')
  const owner = {
    account,
    sid: 'sid',
    authenticatedAt: server.clock(),
    clientId: 'self',
    scheme: 'Bearer',
    address: '192.0.2.1',
    signal: new AbortController().signal,
    origin: { id: '1', headers: {} },
  } as const
  await accounts.rename('alice', 'ann')
  await accounts.add({ name: 'alice', password: PASSWORD, roles: [], scopes: null })
  const namesake = await accounts.find('alice')
  const request = { currentPassword: undefined, isSpent: async () => false }
  const changes = { given_name: 'Ann' }
  await core.ownAccount.change(owner, { ...request, changes })
  t.match((await accounts.find('ann'))?.attributes, changes)
  const email = 'ann@example.com'
  await accounts.setAttributes('ann', { attributes: { email } })
  const none = core.ownAccount.change(owner, { ...request, changes: { email: null } })
  await t.rejects(none, { status: 409, code: 'conflict' }, 'an address that was not seen')
  await core.ownAccount.remove(owner, undefined)
  t.equal(await accounts.find('ann'), undefined)
  t.same(
    await accounts.find('alice'),
    namesake,
    'nothing is done to whoever has the name',
  )
}

async function dpopTest(t: Test, store: StoreName): Promise<void> {
  const issuer = 'https://id.example.com/auth'
  const server = await serverOn(t, store, {
    issuer,
    clients: [client('self', { scopes: ['account'], audience: [issuer] })],
    selfService: { ...NO_SELF_SERVICE, account: true },
  })
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256')
  const jwk = await jose.exportJWK(publicKey)
  const prove = (htm: string, htu: string, token?: string) => {
    const ath = token && createHash('sha256').update(token).digest('base64url')
    const iat = Math.floor(server.clock() / 1000)
    return new jose.SignJWT({ htm, htu, iat, jti: randomUUID(), ...(ath && { ath }) })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .sign(privateKey)
  }
  const params = {
    grant_type: 'password',
    client_id: 'self',
    username: 'alice',
    password: PASSWORD,
  }
  const login = await server.post('/token', params, {
    dpop: await prove('POST', `${issuer}/token`),
  })
  const { access_token: token } = login.json()
  const send = async (url: string, headers: Record<string, string>) =>
    server.app.inject({ method: 'DELETE', url, headers })
  const authorization = `DPoP ${token}`
  const challenge = /^DPoP .*error="invalid/
  for (const url of ['/account', '/auth/account']) {
    const missing = await send(url, { authorization })
    refused(t, missing, { status: 401, error: 'invalid_dpop_proof', challenge })
    const elsewhere = await prove('DELETE', `${issuer}/account/sessions`, token)
    const wrong = await send(url, { authorization, dpop: elsewhere })
    refused(t, wrong, { status: 401, error: 'invalid_dpop_proof', challenge })
    const bearer = await send(url, { authorization: `Bearer ${token}` })
    refused(t, bearer, { status: 401, error: 'invalid_token', challenge })
  }
  server.clock.advance(6 * MINUTE)
  const dpop = () => prove('DELETE', `${issuer}/account`, token)
  refused(t, await send('/account', { authorization, dpop: await dpop() }), {
    ...STALE,
    challenge: /^DPoP .*max_age="300"/,
  })
  for (const url of ['/account/sessions?x=1', '/auth/account/sessions']) {
    const proof = await prove('DELETE', `${issuer}/account/sessions`, token)
    t.equal((await send(url, { authorization, dpop: proof })).statusCode, 204, url)
  }
}

async function bodiesTest(t: Test, store: StoreName): Promise<void> {
  const server = await ownServer(t, store)
  const { access_token: token } = await server.login({
    client_id: 'self',
    resource: ISSUER,
  })
  const authorization = `Bearer ${token}`
  const json = 'application/json'
  const send = (payload: string | Buffer, type: string = json, more = {}) =>
    server.app.inject({
      method: 'PUT',
      url: '/account/password',
      headers: { authorization, 'content-type': type, ...more },
      payload,
    })
  for (const payload of [
    '{',
    '[]',
    'null',
    '"x"',
    '{}',
    '{"password": 7}',
    '{"password": "x", "more": 1}',
    Buffer.from([0x22, 0xff, 0x22]),
    '['.repeat(9000),
  ]) {
    refused(t, await send(payload), { status: 400, error: 'invalid_request' })
  }
  const form = await send('password=x', 'application/x-www-form-urlencoded')
  refused(t, form, { status: 415, error: 'invalid_request' })
  const zipped = await send('{}', json, { 'content-encoding': 'gzip' })
  refused(t, zipped, { status: 415, error: 'invalid_request' })
  const identity = await send('{}', json, { 'content-encoding': 'identity' })
  t.equal(identity.statusCode, 400)
  const large = await send(JSON.stringify({ password: 'x'.repeat(17_000) }))
  refused(t, large, { status: 413, error: 'invalid_request' })
  const empty = { authorization, 'content-type': json }
  const url = '/account/sessions'
  t.equal(
    (await server.app.inject({ method: 'DELETE', url, headers: empty })).statusCode,
    204,
    'a type without a body',
  )
  const odd = { authorization, 'content-type': 'text/plain' }
  t.equal(
    (await server.app.inject({ method: 'DELETE', url, headers: odd })).statusCode,
    204,
  )
  t.equal(
    (await server.app.inject({ method: 'POST', url: '/account/password' })).statusCode,
    405,
  )
}
