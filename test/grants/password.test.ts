// The password grant over parts that the test holds: what a login is opened with, and what is logged where
// the account changes between the password's check and the session's beginning.
import t from 'tap'
import { createClientRegistry } from '../../src/clients/registry.ts'
import type { Event } from '../../src/base/events/events.ts'
import type { GrantRequest } from '../../src/grants/grant.ts'
import { passwordGrant } from '../../src/grants/password.ts'
import type { Families, Login, OpenOutcome } from '../../src/stores/ports/families.ts'
import type { Authentication } from '../../src/users/authenticate.ts'
import { client as settingsOf, CLIENTS, MAIL, ORDERS } from '../support/app.ts'

const MINUTE = 60_000
const ONE = settingsOf('one', { audience: [ORDERS] })
const account = {
  tag: 'tag',
  sub: 'u1',
  name: 'Ann',
  foldedName: 'ann',
  passwordHash: '',
  scopes: null,
  roles: [],
  attributes: {},
  emailVerified: false,
  updatedAt: 0,
  version: 0,
  disabled: false,
  createdAt: 0,
  sessionsEpoch: 3,
}

function setUp(
  outcome: (login: Login) => OpenOutcome,
  authentication: Authentication = { kind: 'ok', account, known: true },
) {
  const events: Event[] = []
  const opened: Login[] = []
  const families: Pick<Families, 'open'> = {
    async open(login) {
      opened.push(login)
      return outcome(login)
    },
  }
  const grant = passwordGrant.create({
    issuer: 'https://id.example.com',
    authenticate: async () => authentication,
    nameInLogs: () => 'h:ann',
    families,
    issue: async () => ({ access_token: 'a', token_type: 'Bearer', expires_in: 600 }),
    policy: () => ({
      accessTtl: 10 * MINUTE,
      refreshIdle: 20 * MINUTE,
      refreshAbsolute: 30 * MINUTE,
      reuseGrace: 10_000,
    }),
    takeStatus: undefined,
    keepAccount: async () => {},
    emit: event => events.push(event),
  })
  const logIn = (id: string, params = {}, headers = {}) => {
    const client = createClientRegistry([...CLIENTS, ONE]).find(id)
    if (client === undefined) throw new Error(`no client ${id}`)
    const request: GrantRequest = {
      client,
      credential: () => undefined,
      params: { username: 'Ann', password: 'p', ...params },
      refreshToken: undefined,
      jkt: 'key',
      address: '192.0.2.7',
      clientGone: () => new AbortController().signal,
      origin: { id: '1', headers },
    }
    return grant(request)
  }
  return { logIn, events, opened }
}

const anyLogin = ({ sid, clientId, scope, audience }: Login): OpenOutcome => ({
  kind: 'opened',
  family: {
    userTag: 'tag',
    sid,
    clientId,
    scope,
    audience,
    jkt: undefined,
    startedAt: 0,
    idleUntil: 1,
    endsAt: 1,
  },
  user: {
    sub: 'u1',
    name: 'Ann',
    scopes: null,
    roles: [],
    attributes: {},
    emailVerified: false,
  },
})

const told = {
  clientId: 'mobile',
  username: 'h:ann',
  network: '192.0.2.0/24',
  sub: 'u1',
}

t.test(
  'a login that lost against a change of the account is logged as failed',
  async t => {
    for (const reason of ['user_disabled', 'sessions_ended', 'user_unknown'] as const) {
      const { logIn, events } = setUp(() => ({ kind: 'refused', reason }))
      await t.rejects(logIn('mobile'), { code: 'invalid_grant' })
      t.same(events, [{ ...told, type: 'login.failed', reason }])
    }
  },
)

t.test(
  'a session lives as its client may refresh, else as its token and a minute',
  async t => {
    const { logIn, opened, events } = setUp(anyLogin)
    await logIn('mobile')
    t.match(opened[0], {
      idleMs: 20 * MINUTE,
      absoluteMs: 30 * MINUTE,
      sessionsEpoch: 3,
      jkt: 'key',
    })
    t.match(events, [{ ...told, type: 'login.succeeded', networkKnown: true }])
    await logIn('once')
    t.match(opened[1], { idleMs: 11 * MINUTE, absoluteMs: 11 * MINUTE })
  },
)

t.test('who must wait is told whole seconds, none too few', async t => {
  const { logIn, events } = setUp(
    () => {
      throw new Error('nothing is opened')
    },
    { kind: 'throttled', by: 'pair', retryAfterMs: 4_000_001, sub: 'u1' },
  )
  const error: unknown = await logIn('mobile').catch((cause: unknown) => cause)
  t.match(error, { headers: { 'retry-after': '4001' } })
  const reason = 'throttled_by_pair'
  t.same(events, [{ ...told, type: 'login.throttled', reason, retryAfterSeconds: 4001 }])
})

t.test('a refused login is logged with the account, where there is one', async t => {
  for (const whose of [{ sub: 'u1' }, {}]) {
    for (const authentication of [
      { kind: 'refused', reason: 'password_wrong', ...whose },
      { kind: 'throttled', by: 'network', retryAfterMs: 1, ...whose },
    ] as const) {
      const { logIn, events, opened } = setUp(() => {
        throw new Error('nothing is opened')
      }, authentication)
      await t.rejects(logIn('mobile'))
      t.equal(opened.length, 0)
      const { sub: _, ...others } = told
      t.same(events, [
        {
          ...others,
          ...whose,
          ...(authentication.kind === 'refused'
            ? { type: 'login.failed', reason: 'password_wrong' }
            : {
                type: 'login.throttled',
                reason: 'throttled_by_network',
                retryAfterSeconds: 1,
              }),
        },
      ])
    }
  }
})

t.test('tokens are for what the client has, or for the issuer', async t => {
  for (const [id, audience] of [
    ['mobile', [ORDERS, MAIL]],
    ['one', [ORDERS]],
    ['bare', ['https://id.example.com']],
  ] as const) {
    const { logIn, opened } = setUp(anyLogin)
    await logIn(id)
    t.same(opened[0]?.audience, audience, id)
  }
})

t.test('a session carries what its owner recognises it by', async t => {
  const { logIn, opened } = setUp(anyLogin)
  const named = { device_name: " Ann's phone " }
  await logIn('mobile', named, { 'user-agent': 'okhttp/4.12.0' })
  await logIn('mobile')
  t.same(
    opened.map(({ device }) => device),
    [
      { name: "Ann's phone", userAgent: 'okhttp', network: '192.0.2.0/24' },
      { name: undefined, userAgent: undefined, network: '192.0.2.0/24' },
    ],
  )
})

t.test('a device name that no list can show is refused before the password', async t => {
  const { logIn, opened, events } = setUp(anyLogin)
  for (const name of [
    'a\tb',
    'a\u0000b',
    'a\u202Eb',
    'a\u2028b',
    'a\u0085b',
    'x'.repeat(65),
  ]) {
    const refused = { code: 'invalid_request', message: /device_name/ }
    await t.rejects(
      logIn('mobile', { device_name: name }),
      refused,
      encodeURIComponent(name),
    )
  }
  t.same([opened, events], [[], []])
  for (const name of ['📱'.repeat(64), 'می\u200Cخواهم', '  ']) {
    await logIn('mobile', { device_name: name })
    t.equal(opened.at(-1)?.device?.name, name.trim() || undefined)
  }
})
