// /admin/v1, on both stores: each route by each kind of caller, and what it does. What was done is in the
// audit log with its actor.
import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../src/stores/ports/unavailable.ts'
import {
  client,
  CLIENTS,
  ISSUER,
  PASSWORD,
  sha256Line,
  type TestApp,
  type TestAppOptions,
} from '../../support/app.ts'
import { userTag } from '../../../src/base/ids.ts'
import { noteRequiredChange } from '../../../src/users/required-change.ts'
import { someAccount, someLogin } from '../../support/stores.ts'
import { audited, serverOn, STORES, type StoreName } from '../../conformance/helpers.ts'

const machine = (id: string, scopes: readonly string[]) =>
  client(id, {
    secrets: [sha256Line(`${id}-secret`)],
    grants: ['client_credentials'],
    scopes,
    audience: [],
  })

const OPTIONS: TestAppOptions = {
  clients: [
    ...CLIENTS,
    machine('ops', ['admin']),
    machine('reader', ['admin.read']),
    machine('hr', ['scim']),
    client('console', { scopes: ['admin', 'profile'], audience: [ISSUER] }),
  ],
}

type Method = 'GET' | 'POST' | 'DELETE'

const ROUTES: ReadonlyArray<readonly [Method, string, object?]> = [
  ['GET', '/accounts/SUB/sessions'],
  ['DELETE', '/accounts/SUB/sessions'],
  ['DELETE', '/accounts/SUB/sessions/SID'],
  ['POST', '/accounts/SUB/unlock'],
  ['POST', '/accounts/SUB/tickets', { purpose: 'recovery' }],
  ['GET', '/accounts/SUB/events'],
  ['GET', '/events?name=alice'],
  ['POST', '/revocations', { sub_id: { format: 'opaque', id: 'SUB' } }],
  ['GET', '/keys'],
  ['POST', '/keys/rotation'],
  ['GET', '/clients'],
  ['GET', '/openapi.json'],
]

interface World {
  readonly server: TestApp
  readonly sub: string
  /** Sends a request with that token; `SUB` stands for Alice's. */
  ask(
    method: Method,
    path: string,
    more?: { token?: string | undefined; body?: object | string | undefined },
  ): ReturnType<TestApp['post']>
  token(id: string): Promise<string>
  /** A token for the console, of a user who has these roles. */
  userToken(roles: string[]): Promise<string>
}

async function setUp(t: Test, store: StoreName): Promise<World> {
  const server = await serverOn(t, store, OPTIONS)
  const { accounts, live, management } = server
  live.roles = { operator: ['admin'] }
  live.attributes = {
    email: { type: 'email', unique: true, list: false },
    phone_number: { type: 'string', unique: true, list: false },
  }
  live.loginBy = ['name', 'email']
  await accounts.setAttributes('alice', {
    attributes: { email: 'alice@example.com', phone_number: '+491234' },
  })
  const { sub = '' } = (await accounts.find('alice')) ?? {}
  const token = async (id: string) =>
    (
      await server.post('/token', {
        grant_type: 'client_credentials',
        client_id: id,
        client_secret: `${id}-secret`,
      })
    ).json().access_token
  await accounts.add({ name: 'op', password: PASSWORD, scopes: null, roles: [] })
  return {
    server,
    sub,
    token,
    ask: (method, path, { token: bearer, body } = {}) =>
      management.inject({
        method,
        url: `/admin/v1${path.replace('SUB', sub)}`,
        headers: {
          ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && {
          payload: JSON.stringify(body).replace('"SUB"', JSON.stringify(sub)),
        }),
      }),
    async userToken(roles) {
      await accounts.setAccess('op', { scopes: null, roles })
      const form = { client_id: 'console', username: 'op', scope: 'admin' }
      return (await server.login(form)).access_token
    },
  }
}

for (const store of STORES) {
  t.test(`callers of /admin/v1 on ${store}`, async t => {
    const { server, token, ask, userToken } = await setUp(t, store)
    const reader = await token('reader')
    const expired = await token('ops')
    server.clock.advance(3_600_000)
    const rows: ReadonlyArray<
      [name: string, token: string | undefined, status: (isRead: boolean) => number]
    > = [
      ['without a token', undefined, () => 401],
      ['with nonsense', 'nonsense', () => 401],
      ['with an expired token', expired, () => 401],
      ['with a static token of SCIM', `lks_${'a'.repeat(43)}`, () => 403],
      ['with a token for SCIM', await token('hr'), () => 403],
      ["with a user's token", await userToken(['buyer']), () => 403],
      ['with a token that reads', await token('reader'), isRead => (isRead ? 0 : 403)],
    ]
    server.live.staticTokens = [
      { name: 'okta', hashes: [sha256Line(`lks_${'a'.repeat(43)}`)], readOnly: false },
    ]
    for (const [method, path, body] of ROUTES) {
      for (const [name, bearer, statusOf] of rows) {
        const wanted = statusOf(method === 'GET')
        const answer = await ask(method, path, { token: bearer, body })
        t.equal(answer.statusCode, wanted || 200, `${method} ${path} ${name}`)
        t.equal(answer.headers['cache-control'], 'no-store')
        if (wanted === 0) continue
        t.match(answer.headers['www-authenticate'], /^Bearer /)
        t.type(answer.json().error, 'string')
      }
    }
    t.notOk(
      server.lines.some(line => line.includes('sessions_ended')),
      'nobody has changed anything',
    )
    t.equal((await ask('GET', '/keys', { token: reader })).statusCode, 401, 'long ago')
    const operator = await userToken(['operator'])
    t.equal((await ask('GET', '/keys', { token: operator })).statusCode, 200)
    t.equal((await ask('POST', '/keys/rotation', { token: operator })).statusCode, 200)
  })

  t.test(`sessions on ${store}`, async t => {
    const { server, sub, token, ask } = await setUp(t, store)
    const bearer = { token: await token('ops') }
    const first = await server.login({ device_name: "Ann's phone" })
    const second = await server.login({ client_id: 'once' })
    const { sessionsEpoch = 0 } = (await server.accounts.find('alice')) ?? {}
    await server.store.families.open(
      someLogin(userTag(sub), { clientId: 'bare', sessionsEpoch }),
    )
    const { sessions } = (await ask('GET', '/accounts/SUB/sessions', bearer)).json()
    t.match(sessions.map((one: { clientId: string }) => one.clientId).sort(), [
      'bare',
      'mobile',
      'once',
    ])
    const phone = sessions.find((one: { device: unknown }) => one.device !== null)
    t.match(
      sessions.find((one: { network: unknown }) => one.network === null),
      { clientId: 'bare', userAgent: null },
      'of an earlier release',
    )
    t.match(phone, {
      userAgent: 'lightMyRequest',
      device: "Ann's phone",
      network: '127.0.0.0/24',
      startedAt: new Date(server.clock()).toISOString(),
    })
    const end = async (path: string) => (await ask('DELETE', path, bearer)).statusCode
    t.equal(await end(`/accounts/SUB/sessions/${phone.sid}`), 204)
    t.equal(await end(`/accounts/SUB/sessions/${phone.sid}`), 204, 'again')
    t.equal((await server.refresh(first.refresh_token)).statusCode, 400)
    t.equal((await server.introspect(first.access_token))['active'], false)
    t.equal((await server.introspect(second.access_token))['active'], true)
    t.equal(await end('/accounts/SUB/sessions/nobody'), 404)
    t.equal(await end('/accounts/SUB/sessions'), 204)
    t.equal((await server.introspect(second.access_token))['active'], false)
    for (const [method, path, body] of ROUTES.filter(([, path]) =>
      path.includes('SUB'),
    )) {
      const answer = await ask(method, path.replace('SUB', 'nobody'), { ...bearer, body })
      t.match([answer.statusCode, answer.json().error], [404, 'not_found'], path)
    }
    t.match(audited(server, /^(session|user)/).slice(-2), [
      { type: 'session.ended', sub, sid: phone.sid, actor: 'client:ops' },
      { type: 'user.changed', sub, change: 'sessions_ended', actor: 'client:ops' },
    ])
  })

  t.test(`why a login was refused, on ${store}`, async t => {
    const { server, sub, token, ask } = await setUp(t, store)
    const bearer = { token: await token('ops') }
    server.live.logins = { ...server.live.logins, perName: 1 }
    const login = (username: string, password: string) =>
      server.post('/token', {
        grant_type: 'password',
        client_id: 'mobile',
        username,
        password,
      })
    await login('Alice', 'one')
    t.equal((await login('alice', PASSWORD)).statusCode, 429)
    await login('nobody', 'one')
    await login('+491234', 'one')
    await server.post('/token', { grant_type: 'password', username: 'clientless' })
    await server.refusals.flush()

    const account = { sub, name: 'alice', disabled: false }
    const found = (await ask('GET', '/accounts/SUB/events', bearer)).json()
    t.match(found, { account })
    t.match(
      found.refusals
        .map((one: { reason: string; until: unknown }) => [
          one.reason,
          one.until === null,
        ])
        .sort(),
      [
        ['password_wrong', true],
        ['throttled_by_pair', false],
      ],
    )
    t.notMatch(JSON.stringify(found), 'tag')
    t.match(found.refusals[0], { meaning: /\.$/, advice: /latchkey/, clientId: 'mobile' })
    for (const name of ['alice', 'ALICE@example.com'.replace('ALICE', 'alice')]) {
      const answer = await ask('GET', `/events?name=${encodeURIComponent(name)}`, bearer)
      t.same(answer.json(), found, name)
    }
    // Nobody logs in by a number; whose it is can be asked all the same.
    const byNumber = (await ask('GET', '/events?name=%2B491234', bearer)).json()
    t.match(byNumber, { account })
    t.strictSame(byNumber.refusals.map((one: { reason: string }) => one.reason).sort(), [
      'password_wrong',
      'throttled_by_pair',
      'user_unknown',
    ])
    t.match((await ask('GET', '/events?name=nobody', bearer)).json(), {
      account: null,
      refusals: [{ reason: 'user_unknown' }],
    })
    t.match((await ask('GET', '/events?name=clientless', bearer)).json().refusals, [
      { reason: 'client_missing', clientId: null },
    ])
    t.same((await ask('GET', '/events?name=other', bearer)).json(), {
      account: null,
      refusals: [],
    })
    t.notHas(found.account, { passwordChangeRequired: true })
    const alice = await server.accounts.find('alice')
    if (alice === undefined) throw new Error('nobody')
    await noteRequiredChange(server.store.directory, alice, true)
    t.match((await ask('GET', '/accounts/SUB/events', bearer)).json(), {
      account: { ...account, passwordChangeRequired: true },
    })
    await server.accounts.rename('alice', 'alicia')
    await server.accounts.add({
      name: 'alice',
      password: PASSWORD,
      scopes: null,
      roles: [],
    })
    for (const path of ['/accounts/SUB/events', '/events?name=alicia']) {
      const { refusals } = (await ask('GET', path, bearer)).json()
      t.same(
        refusals.map((one: { reason: string }) => one.reason).sort(),
        ['password_wrong', 'throttled_by_pair'],
        path,
      )
      t.notOk(
        refusals.some((one: { until: unknown }) => one.until !== null),
        'the new name is not delayed',
      )
    }
    t.match((await ask('GET', '/events?name=alice', bearer)).json(), {
      account: { name: 'alice' },
      refusals: [],
    })
    await server.accounts.remove('alice')
    await server.accounts.rename('alicia', 'alice')
    for (const query of ['', '?name=', '?name=a&name=b', `?name=${'x'.repeat(1025)}`]) {
      t.equal((await ask('GET', `/events${query}`, bearer)).statusCode, 400, query)
    }

    const body = { networks: ['203.0.113.9'] }
    t.same((await ask('POST', '/accounts/SUB/unlock', { ...bearer, body })).json(), {
      networks: ['127.0.0.0/24', '203.0.113.9'],
      cleared: 1,
    })
    t.equal((await login('alice', PASSWORD)).statusCode, 200)
    const again = await ask('POST', '/accounts/SUB/unlock', bearer)
    t.equal(again.json().cleared, 0, 'without a body')
    for (const wrong of [{ networks: 'all' }, { networks: [7] }, []]) {
      const answer = await ask('POST', '/accounts/SUB/unlock', { ...bearer, body: wrong })
      t.equal(answer.statusCode, 400, JSON.stringify(wrong))
    }
    t.match(audited(server, /^user.changed/).slice(-2), [
      { sub, change: 'unlocked', actor: 'client:ops' },
      { sub, change: 'unlocked', actor: 'client:ops' },
    ])
  })

  t.test(`subjects that are revoked, on ${store}`, async t => {
    const { server, sub, token, ask } = await setUp(t, store)
    const bearer = { token: await token('ops') }
    const revoke = async (identifier: unknown) => {
      const body = { sub_id: identifier }
      return (await ask('POST', '/revocations', { ...bearer, body })).statusCode
    }
    const email = { format: 'email', email: 'alice@EXAMPLE.com' }
    for (const identifier of [
      { format: 'opaque', id: sub },
      { format: 'iss_sub', iss: ISSUER, sub },
      email,
      { format: 'phone_number', phone_number: '+491234' },
      { format: 'aliases', identifiers: [{ format: 'opaque', id: 'gone' }, email] },
    ]) {
      const session = await server.login()
      t.equal(await revoke(identifier), 204, identifier.format)
      t.equal((await server.refresh(session.refresh_token)).statusCode, 400)
    }
    const session = await server.login()
    const { sub: other = '' } = (await server.accounts.find('op')) ?? {}
    for (const identifier of [
      { format: 'opaque', id: 'nobody' },
      { format: 'iss_sub', iss: 'https://elsewhere.example.com', sub },
      { format: 'email', email: 'nobody@example.com' },
      { format: 'email', email: 'no address' },
      { format: 'aliases', identifiers: [email, { format: 'opaque', id: other }] },
    ]) {
      t.equal(await revoke(identifier), 404, JSON.stringify(identifier))
    }
    for (const identifier of [
      undefined,
      sub,
      { format: 'did', url: 'did:example:1' },
      { format: 'opaque' },
      { format: 'aliases', identifiers: [] },
      { format: 'aliases', identifiers: [{ format: 'aliases', identifiers: [email] }] },
      { format: 'aliases', identifiers: Array.from({ length: 17 }, () => email) },
    ]) {
      t.equal(await revoke(identifier), 400, JSON.stringify(identifier))
    }
    t.equal((await server.refresh(session.refresh_token)).statusCode, 200)
  })

  t.test(`keys, clients and the document on ${store}`, async t => {
    const { server, token, ask } = await setUp(t, store)
    const bearer = { token: await token('ops') }
    const { keys } = (await ask('GET', '/keys', bearer)).json()
    t.match(keys, [{ state: 'signing', alg: 'ES256', line: 'main' }])
    const rotate = (body?: object) => ask('POST', '/keys/rotation', { ...bearer, body })
    t.match((await rotate({ line: 'none' })).json(), { error: 'conflict' })
    const rotated = (await rotate()).json().keys
    t.ok(rotated[1].signFrom < keys[1].signFrom, 'earlier than it was to')
    const changes = audited(server, /^keys/)
    t.match(changes.at(-1), { actor: 'client:ops' })
    t.equal(
      changes.some(({ actor }) => actor === undefined),
      true,
      'the others are ours',
    )

    const { clients } = (await ask('GET', '/clients', bearer)).json()
    t.match(
      clients.find(({ id }: { id: string }) => id === 'web'),
      {
        confidential: true,
        secrets: 2,
        keys: false,
        grants: ['password', 'refresh_token'],
      },
    )
    t.notMatch(JSON.stringify(clients), 'sha256')

    const document = (await ask('GET', '/openapi.json', bearer)).json()
    t.equal(document.openapi, '3.1.0')
    const described = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
    )
    t.same(
      described.sort(),
      ROUTES.map(([method, path]) => `${method} /admin/v1${path}`)
        .map(route => route.replace('SUB', '{sub}').replace('SID', '{sid}'))
        .map(route => route.replace(/\?.*/, ''))
        .filter(route => !route.endsWith('openapi.json'))
        .sort(),
      'every route but its own',
    )
  })

  t.test(`a store that is away, on ${store}`, async t => {
    const { server, sub, token, ask } = await setUp(t, store)
    const bearer = { token: await token('ops') }
    const away = async () => {
      throw new StoreUnavailable(undefined, 'planted')
    }
    const { directory } = server.store
    Object.assign(directory, { byTag: away, byName: away, byValue: away })
    Object.assign(server.core.directory, { find: away, findLogin: away, byTag: away })
    Object.assign(server.accounts, { bySub: away, find: away })
    for (const [method, path, body] of ROUTES.slice(0, 7)) {
      const answer = await ask(method, path, { ...bearer, body })
      t.equal(answer.statusCode, 503, `${method} ${path}`)
      t.equal(answer.headers['retry-after'], '1')
      t.match(answer.json(), { error: 'temporarily_unavailable' })
    }
    await server.store.close()
    for (const [method, path, body] of ROUTES) {
      const answer = await ask(method, path, { ...bearer, body })
      t.equal(answer.statusCode, 503, 'nobody can say whether the token lives')
    }
    t.notOk(server.lines.some(line => line.includes(`"sub":"${sub}","change":"sessions`)))
  })
}

t.test('an account of the longest sub there is, of any characters', async t => {
  const { server, token, ask } = await setUp(t, 'SQLite')
  const bearer = { token: await token('ops') }
  const sub = '/%?#'.padEnd(255, '~')
  await server.store.directory.add(someAccount(sub))
  for (const what of ['sessions', 'events']) {
    const path = `/accounts/${encodeURIComponent(sub)}/${what}`
    t.equal((await ask('GET', path, bearer)).statusCode, 200)
  }
})

t.test('bodies that are none', async t => {
  const { server, sub, token } = await setUp(t, 'SQLite')
  const authorization = `Bearer ${await token('ops')}`
  const send = async (payload: string, type = 'application/json') =>
    (
      await server.management.inject({
        method: 'POST',
        url: `/admin/v1/accounts/${sub}/unlock`,
        headers: { authorization, 'content-type': type },
        payload,
      })
    ).statusCode
  t.equal(await send(''), 200)
  t.equal(await send('{"networks":[]}'), 200)
  t.equal(await send('{'), 400)
  t.equal(await send('null'), 200, 'nothing')
  t.equal(await send('{"__proto__":{"networks":7}}'), 200)
  t.equal(await send('networks=1', 'application/x-www-form-urlencoded'), 415)
})
