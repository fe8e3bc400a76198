// Signing up, verifying an address and recovering a password, for somebody without a token. On both stores;
// what would be sent is kept here.
import type { LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { EVEN_MS } from '../../src/self-service/even-time.ts'
import type { TicketWanted } from '../../src/self-service/outgoing.ts'
import type { TicketPurpose } from '../../src/stores/ports/people/tickets.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import {
  client,
  CLIENTS,
  ISSUER,
  NO_SELF_SERVICE,
  PASSWORD,
  UNTHROTTLED,
  type TestApp,
  type TestAppOptions,
} from '../support/app.ts'
import { FORM, refused, serverOn, STORES, type StoreName } from './helpers.ts'
import { notePending } from '../support/stores.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NEW_PASSWORD = 'a wholly different password'
const ALICE = 'alice@example.com'
const INVALID = { status: 400, error: 'invalid_ticket' }
const MALFORMED = { status: 400, error: 'invalid_request' }
const WRONG = { status: 400, error: 'invalid_grant' }
const SELF = client('self', { scopes: ['account'], audience: [ISSUER] })
const SETTINGS = {
  ...NO_SELF_SERVICE,
  account: true,
  registration: 'open',
  verify: 'email',
  recovery: true,
} as const

for (const store of STORES) {
  t.test(store, async t => {
    await t.test('recovery', t => recoveryTest(t, store))
    await t.test('tickets that are no good', t => badTicketsTest(t, store))
    await t.test('tickets made void', t => voidTest(t, store))
    await t.test('two redemptions at once', t => raceTest(t, store))
    await t.test('links that a scanner opens', t => scannerTest(t, store))
    await t.test('failed logins after a reset', t => countersTest(t, store))
    await t.test('codes', t => codesTest(t, store))
    await t.test('floods', t => floodTest(t, store))
    await t.test('floods by strangers', t => strangersTest(t, store))
    await t.test('signing up', t => signUpTest(t, store))
    await t.test('names and addresses that somebody has', t => takenTest(t, store))
    await t.test('invitations', t => invitationTest(t, store))
    await t.test('whose turn it is to hash', t => turnsTest(t, store))
    await t.test('another address', t => addressTest(t, store))
    await t.test('an address of a deleted account', t => deletedTest(t, store))
    await t.test('what is switched off', t => offTest(t, store))
    await t.test('no secret in any log', canaryTest)
  })
}

/** What the servers have logged. */
const logs: string[][] = []

async function canaryTest(t: Test): Promise<void> {
  const log = logs.flat().join('\n')
  t.notMatch(log, /tk_[A-Za-z0-9_-]{66}/, 'no ticket')
  t.notOk(log.includes(NEW_PASSWORD) || log.includes(PASSWORD), 'no password')
  t.notOk(log.includes(ALICE), 'no address')
  t.ok(log.includes('ticket.refused'), 'where events are found')
}

interface World extends TestApp {
  /** What was to be sent. */
  readonly sent: TicketWanted[]
  /** What comes of sending from now on; `filling`: there was room just before. */
  room: { is: 'free' | 'full' | 'filling' | 'away' }
  call(path: string, body: object | string): Promise<LightMyRequestResponse>
  /** A ticket of the account of that name. */
  ticketFor(name: string, purpose: TicketPurpose, address?: string): Promise<string>
  logIn(username: string, password: string): Promise<LightMyRequestResponse>
}

async function worldOn(
  t: Test,
  store: StoreName,
  more = {},
  options: Pick<TestAppOptions, 'overHasher'> = {},
): Promise<World> {
  const sent: TicketWanted[] = []
  const room: World['room'] = { is: 'free' }
  const server = await serverOn(t, store, {
    ...options,
    clients: [...CLIENTS, SELF],
    selfService: { ...SETTINGS, ...more },
    outgoing: {
      hasRoom: async () => room.is !== 'full',
      async append(wanted) {
        if (room.is === 'away') throw new StoreUnavailable(undefined, 'gone')
        if (room.is !== 'free') return 'full'
        sent.push(wanted)
        return 'appended'
      },
    },
  })
  server.live.attributes = {
    email: { list: false, unique: true, self: true },
    given_name: { list: false, unique: false, self: true },
    nickname: { list: false, unique: true, self: true },
    tenant: { list: false, unique: false },
  }
  await server.accounts.setAttributes('alice', {
    attributes: { email: ALICE },
    emailVerified: true,
  })
  logs.push(server.lines)
  return {
    ...server,
    sent,
    room,
    call: (path, payload) =>
      server.app.inject({
        method: 'POST',
        url: `/account${path}`,
        headers: { 'content-type': 'application/json' },
        payload,
      }),
    ticketFor: async (name, purpose, address) =>
      (await makeFor(server, name, { purpose, address })).ticket,
    logIn: (username, password) =>
      server.post('/token', {
        grant_type: 'password',
        client_id: 'mobile',
        username,
        password,
      }),
  }
}

async function makeFor(
  { accounts, makeTicket }: TestApp,
  name: string,
  { purpose, address }: { purpose: TicketPurpose; address?: string | undefined },
) {
  const account = await accounts.find(name)
  if (account === undefined) throw new Error(`there is no ${name}`)
  const { sub, sessionsEpoch: epoch, attributes } = account
  const to = address ?? String(attributes['email'] ?? '')
  const made = await makeTicket({ purpose, sub, epoch, address: to })
  if (made === undefined) throw new Error(`no ticket for ${name}`)
  return made
}

async function recoveryTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store)
  const { app, call, sent, ticketFor, logIn } = world
  const session = await world.login()
  for (const name of ['alice', 'nobody', '', 'a\r\nBcc: b@example.com', '\uD800']) {
    const answer = await call('/recovery', { name, locale: 'de' })
    t.equal(answer.statusCode, 202, JSON.stringify(name))
    t.equal(answer.body, '', 'the same for everybody')
    t.equal(answer.headers['cache-control'], 'no-store')
  }
  t.equal(sent.length, 5, 'also for those whom nobody knows')
  t.same(sent[0], {
    purpose: 'recovery',
    whom: { name: 'alice' },
    locale: 'de',
    network: '127.0.0.0/24',
  })
  const forwarded = await app.inject({
    method: 'POST',
    url: '/account/recovery',
    headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
    payload: { name: 'alice' },
  })
  t.equal(forwarded.statusCode, 202)
  t.notOk(JSON.stringify(sent).includes('evil'), 'no header says what is sent')

  const ticket = await ticketFor('alice', 'recovery')
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'] as const) {
    const url = `/account/recovery/completion?ticket=${ticket}`
    const answer = await app.inject({ method, url, payload: '' })
    t.equal(answer.statusCode, 405, `${method} takes nothing`)
  }
  const short = await call('/recovery/completion', { ticket, password: 'alice' })
  refused(t, short, { status: 400, error: 'password_is_name' }, 'the ticket stays good')
  const done = await call('/recovery/completion', { ticket, password: NEW_PASSWORD })
  t.equal(done.statusCode, 204)
  t.equal(done.body, '', 'signs nobody in')
  refused(t, await world.refresh(session.refresh_token), WRONG, 'all sessions ended')
  refused(t, await logIn('alice', PASSWORD), WRONG)
  t.equal((await logIn('alice', NEW_PASSWORD)).statusCode, 200)
  const again = await call('/recovery/completion', { ticket, password: PASSWORD })
  refused(t, again, INVALID, 'once')
  t.ok(world.lines.some(line => line.includes('"recovery.requested"')))
  const line = world.lines.find(text => text.includes('"ticket.refused"'))
  t.match(JSON.parse(String(line)), {
    audit: { purpose: 'recovery', reason: 'ticket_unknown', sub: /./ },
  })
  world.room.is = 'full'
  refused(t, await call('/recovery', { name: 'alice' }), {
    status: 503,
    error: 'temporarily_unavailable',
  })
}

async function badTicketsTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store)
  const { app, call, ticketFor, accounts } = world
  await accounts.add({ name: 'bob', password: PASSWORD, roles: [], scopes: null })
  const complete = (ticket: string) =>
    call('/recovery/completion', { ticket, password: NEW_PASSWORD })
  const recovery = await ticketFor('alice', 'recovery')
  const invitation = await ticketFor('alice', 'invitation')
  refused(t, await complete(invitation), INVALID, 'of another purpose')
  refused(t, await call('/verification', { ticket: recovery }), INVALID)
  refused(t, await call('', { ticket: recovery, password: NEW_PASSWORD }), INVALID)
  const bobs = await ticketFor('bob', 'recovery')
  const mixed = `${recovery.slice(0, 26)}${bobs.slice(26)}`
  refused(t, await complete(mixed), INVALID, 'of another account')
  for (const none of ['', 'tk_', `tk_${'A'.repeat(66)}`, `${recovery}\r\n`]) {
    refused(t, await complete(none), INVALID, JSON.stringify(none))
  }
  const bearer = await app.inject({
    url: '/account',
    headers: { authorization: `Bearer ${recovery}` },
  })
  t.equal(bearer.statusCode, 401, 'as a bearer token')
  t.equal((await world.introspect(recovery))['active'], false)
  const unfit: object[] = [
    { password: NEW_PASSWORD },
    { ticket: recovery },
    { ticket: recovery, name: 'alice', password: NEW_PASSWORD },
    { name: 'alice', password: NEW_PASSWORD },
    { name: 'alice', code: '1234567', password: NEW_PASSWORD },
    { code: '12345678', password: NEW_PASSWORD },
    { ticket: recovery, code: '12345678', password: NEW_PASSWORD },
    { ticket: 7, password: NEW_PASSWORD },
  ]
  for (const body of unfit) {
    refused(t, await call('/recovery/completion', body), MALFORMED, JSON.stringify(body))
  }
  world.clock.advance(30 * MINUTE)
  refused(t, await complete(recovery), INVALID, 'expired')
  t.equal((await complete(await ticketFor('alice', 'recovery'))).statusCode, 204)
  await accounts.disable('bob')
  await t.rejects(ticketFor('bob', 'recovery'), /no ticket/, 'none for a disabled one')
  await t.rejects(ticketFor('alice', 'verification'), /no ticket/, 'nothing to verify')
  t.equal(
    await world.makeTicket({ purpose: 'recovery', sub: 'gone', epoch: 1, address: '' }),
    undefined,
  )
}

async function voidTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store)
  const { call, ticketFor, accounts, sessions } = world
  const voiding: Array<() => Promise<unknown>> = [
    () => accounts.setPassword('alice', PASSWORD),
    () => accounts.setAttributes('alice', { attributes: { email: 'new@example.com' } }),
    () => sessions.endAll('alice', 'cli:test'),
    () => accounts.disable('alice').then(() => accounts.enable('alice')),
    () => ticketFor('alice', 'recovery'),
  ]
  for (const act of voiding) {
    const ticket = await ticketFor('alice', 'recovery')
    await act()
    const answer = await call('/recovery/completion', { ticket, password: NEW_PASSWORD })
    refused(t, answer, INVALID, act.toString())
  }
  const invitation = await ticketFor('alice', 'invitation')
  const ticket = await ticketFor('alice', 'recovery')
  await call('/recovery/completion', { ticket, password: NEW_PASSWORD })
  const answer = await call('', { ticket: invitation, password: PASSWORD })
  refused(t, answer, INVALID, 'every other ticket has gone, too')
}

async function raceTest(t: Test, store: StoreName): Promise<void> {
  const { call, ticketFor, logIn } = await worldOn(t, store)
  const ticket = await ticketFor('alice', 'recovery')
  const passwords = Array.from({ length: 6 }, (_, index) => `${NEW_PASSWORD} ${index}`)
  const answers = await Promise.all(
    passwords.map(password => call('/recovery/completion', { ticket, password })),
  )
  const statuses = answers.map(({ statusCode }) => statusCode)
  t.same(statuses.toSorted(), [204, 400, 400, 400, 400, 400], 'one wins')
  const winner = String(passwords[statuses.indexOf(204)])
  t.equal((await logIn('alice', winner)).statusCode, 200)
}

/** Scanners of mails ask for what a link says, by GET or HEAD: every ticket is good after it. */
async function scannerTest(t: Test, store: StoreName): Promise<void> {
  const { app, call, ticketFor, accounts } = await worldOn(t, store)
  await accounts.add({ name: 'bob', password: PASSWORD, roles: [], scopes: null })
  await call('', newcomer())
  const password = NEW_PASSWORD
  const redemptions = [
    ['/verification', { ticket: await ticketFor('carol', 'verification') }, 204],
    [
      '/recovery/completion',
      { ticket: await ticketFor('alice', 'recovery'), password },
      204,
    ],
    ['', { ticket: await ticketFor('bob', 'invitation'), password }, 202],
  ] as const
  for (const [path, body, status] of redemptions) {
    const query = new URLSearchParams(body)
    for (const method of ['GET', 'HEAD', 'OPTIONS'] as const) {
      const { statusCode } = await app.inject({ method, url: `/account${path}?${query}` })
      t.ok(statusCode >= 400 && statusCode < 500, `${method} ${path} takes nothing`)
    }
    t.equal((await call(path, body)).statusCode, status, `POST ${path} does`)
  }
}

async function codesTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store, { codes: true })
  const { call } = world
  const complete = (code: string, name = 'alice') =>
    call('/recovery/completion', { name, code, password: NEW_PASSWORD })
  const { code = '', ticket } = await makeFor(world, 'alice', { purpose: 'recovery' })
  const wrong = code === '00000000' ? '00000001' : '00000000'
  refused(t, await complete(code, 'nobody'), INVALID, 'at another name')
  for (let tries = 0; tries < 5; tries++) refused(t, await complete(wrong), INVALID)
  refused(t, await complete(code), INVALID, 'after five wrong ones')
  const byTicket = { ticket, password: PASSWORD }
  t.equal((await call('/recovery/completion', byTicket)).statusCode, 204)
  const next = await makeFor(world, 'alice', { purpose: 'recovery' })
  t.equal((await complete(String(next.code), 'ALICE')).statusCode, 204)
  t.notOk(world.lines.join('\n').includes(`"${code}"`), 'no code in the log')
}

/** A reset from home is as good as a right password there, and changes nothing for anybody else. */
async function countersTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store)
  const { app, call, ticketFor } = world
  world.live.logins = { ...UNTHROTTLED, perName: 5 }
  const [home, away] = ['127.0.0.1', '203.0.113.1']
  const from = async (remoteAddress: string, username: string, password: string) => {
    const form = { grant_type: 'password', client_id: 'mobile', username, password }
    const payload = new URLSearchParams(form).toString()
    const url = '/token'
    return app.inject({ method: 'POST', url, remoteAddress, headers: FORM, payload })
  }
  const spend = async (address: string, name: string) => {
    for (let tries = 0; tries < 6; tries++) await from(address, name, `${tries} is wrong`)
  }
  const SLOW = { status: 429, error: 'slow_down' }
  await spend(home, 'alice')
  await spend(home, 'bob')
  await spend(away, 'alice')
  const complete = (ticket: string, password: string) =>
    call('/recovery/completion', { ticket, password })
  const ticket = await ticketFor('alice', 'recovery')
  await complete(ticket, 'alice')
  await complete(await ticketFor('alice', 'invitation'), NEW_PASSWORD)
  refused(
    t,
    await from(home, 'alice', PASSWORD),
    SLOW,
    'what sets nothing clears nothing',
  )
  t.equal((await complete(ticket, NEW_PASSWORD)).statusCode, 204)
  refused(t, await from(away, 'alice', NEW_PASSWORD), SLOW, 'whoever guesses elsewhere')
  refused(t, await from(home, 'bob', PASSWORD), SLOW, 'another name')
  t.equal((await from(home, 'alice', NEW_PASSWORD)).statusCode, 200, 'at once')
  await spend(home, 'alice')
  refused(t, await from(home, 'alice', NEW_PASSWORD), SLOW, 'and it counts anew')
}

async function floodTest(t: Test, store: StoreName): Promise<void> {
  const perTarget = { max: 3, window: HOUR }
  const world = await worldOn(t, store, {
    perTarget,
    perNetwork: { max: 46, window: HOUR },
  })
  const { app, call, sent, logIn } = world
  const atAlice = newcomer({ name: 'alice' })
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now()
    t.equal((await call('', atAlice)).statusCode, 202)
    // But for what a timer may be early.
    t.ok(performance.now() - startedAt > EVEN_MS - 5, 'as long where it is too much')
  }
  t.equal(sent.splice(0).length, 3, 'signing up under her name')
  for (let round = 0; round < 10; round++) {
    for (const name of ['alice', 'ALICE', 'ａｌｉｃｅ']) {
      t.equal((await call('/recovery', { name })).statusCode, 202)
    }
  }
  t.equal(sent.length, 3, 'one victim, however the name is written, whoever signed up')
  const startedAt = performance.now()
  t.equal((await call('/recovery', { name: 'alice' })).statusCode, 202)
  t.ok(performance.now() - startedAt > EVEN_MS - 5, 'as long where it is too much')
  t.equal((await call('/recovery', { name: 'bob' })).statusCode, 202)
  t.equal(sent.length, 4, 'nobody else')
  for (let round = 0; round < 9; round++) await call('/recovery', { name: `${round}` })
  const answer = await call('/recovery', { name: 'carol' })
  refused(t, answer, { status: 429, error: 'slow_down' }, 'the network')
  t.match(answer.headers['retry-after'], /^\d+$/)
  t.equal((await logIn('alice', PASSWORD)).statusCode, 200, 'logins go on')
  const elsewhere = await app.inject({
    method: 'POST',
    url: '/account/recovery',
    remoteAddress: '198.51.100.1',
    payload: { name: 'carol' },
  })
  t.equal(elsewhere.statusCode, 202, 'and other networks')
}

/** What strangers ask for under a name must not keep its user from a new password. */
async function strangersTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store, {
    perTarget: { max: 3, window: HOUR },
    perTargetInAll: { max: 5, window: HOUR },
  })
  const { app, sent, logIn, accounts } = world
  world.live.logins = { ...UNTHROTTLED, perName: 5 }
  await accounts.add({ name: 'bob', password: PASSWORD, roles: [], scopes: null })
  const from = async (remoteAddress: string, name: string, times: number) => {
    const before = sent.length
    for (let round = 0; round < times; round++) {
      const url = '/account/recovery'
      const payload = { name }
      const answer = await app.inject({ method: 'POST', url, remoteAddress, payload })
      t.equal(answer.statusCode, 202, 'the same answer')
    }
    return sent.length - before
  }
  t.equal(await from('203.0.113.1', 'bob', 10), 3, 'one network sends so many')
  t.equal(await from('198.51.100.1', 'bob', 10), 2, 'and all of them so many')
  t.equal(await from('192.0.2.1', 'bob', 1), 0, 'of somebody who never logged in')

  t.equal((await logIn('alice', PASSWORD)).statusCode, 200)
  // Whoever has lost a password has tried some.
  for (let round = 0; round < 7; round++) await logIn('alice', `${round} is wrong`)
  const SLOW = { status: 429, error: 'slow_down' }
  refused(t, await logIn('alice', PASSWORD), SLOW, 'whatever she types is too much now')
  let strangers = 0
  for (let network = 0; network < 20; network++) {
    strangers += await from(`198.18.${network}.1`, 'alice', 4)
  }
  t.equal(strangers, 5, 'strangers, however many they are')
  t.equal(await from('127.0.0.1', 'alice', 10), 3, 'use up nothing of her own')
  const elsewhere = await app.inject({
    method: 'POST',
    url: '/token',
    remoteAddress: '198.18.0.1',
    headers: FORM,
    payload: new URLSearchParams({
      grant_type: 'password',
      client_id: 'mobile',
      username: 'alice',
      password: PASSWORD,
    }).toString(),
  })
  t.equal(elsewhere.statusCode, 200, 'nor hold off a login, where they asked most')
  t.equal(await from('127.0.0.1', 'bob', 1), 0, "and hers is nobody else's")
}

const newcomer = (more: object = {}) => ({
  name: 'Carol',
  password: NEW_PASSWORD,
  attributes: { email: 'carol@example.com' },
  ...more,
})

async function signUpTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store)
  const { call, sent, ticketFor, logIn, accounts } = world
  const answer = await call('', newcomer({ locale: 'fr' }))
  t.equal(answer.statusCode, 202)
  t.equal(answer.body, '', 'no account in the answer')
  const sub = (await accounts.find('carol'))?.sub
  t.match(sent, [{ purpose: 'verification', whom: { sub }, locale: 'fr' }])
  await call('', newcomer({ password: 'the password of somebody else' }))
  t.notMatch(
    sent.at(-1),
    { whom: { sub } },
    "a second one verifies nobody else's password",
  )
  sent.pop()
  refused(t, await logIn('carol', NEW_PASSWORD), WRONG, 'not verified yet')
  const reasons = world.lines.filter(line => line.includes('"user_unverified"'))
  t.ok(reasons.length > 0, 'which the log says')
  const ticket = await ticketFor('carol', 'verification')
  t.equal((await call('/verification', { ticket })).statusCode, 204)
  t.equal((await logIn('carol', NEW_PASSWORD)).statusCode, 200)
  t.match(await accounts.find('carol'), { emailVerified: true, roles: [], version: 1 })
  refused(t, await call('/verification', { ticket }), INVALID, 'once')

  const faults: Array<[object, string]> = [
    [{ name: 'a b' }, 'name_invalid'],
    [{ name: 'x\r\nBcc: y' }, 'name_invalid'],
    [
      { attributes: { email: 'x@example.com\r\nBcc: y@example.com' } },
      'attribute_invalid',
    ],
    [{ attributes: {} }, 'attribute_invalid'],
    [{ attributes: { email: 'd@example.com', tenant: 'x' } }, 'attribute_not_self'],
    [{ password: 'carol' }, 'password_is_name'],
    [{ name: undefined }, 'invalid_request'],
    [{ ticket }, 'invalid_request'],
    [{ roles: ['admin'] }, 'invalid_request'],
  ]
  for (const [more, error] of faults) {
    refused(
      t,
      await call('', newcomer(more)),
      { status: 400, error },
      JSON.stringify(more),
    )
  }
  await call('', newcomer({ name: 'dora', attributes: { email: 'dora@example.com' } }))
  const recovery = await ticketFor('dora', 'recovery')
  const completion = { ticket: recovery, password: PASSWORD }
  t.equal((await call('/recovery/completion', completion)).statusCode, 204)
  t.equal((await logIn('dora', PASSWORD)).statusCode, 200, 'recovery verifies, too')
  world.room.is = 'full'
  const eve = newcomer({ name: 'eve', attributes: { email: 'eve@example.com' } })
  const atCarol = newcomer({ attributes: { email: 'carol@example.com' } })
  for (const room of ['full', 'filling', 'away'] as const) {
    world.room.is = room
    t.equal((await call('', eve)).statusCode, 503)
    t.equal(await accounts.find('eve'), undefined, `${room}: nothing is half done`)
    t.equal((await call('', atCarol)).statusCode, 503, 'no word of who has an address')
  }
  world.room.is = 'free'
  const size = sent.length
  t.equal((await call('', eve)).statusCode, 202)
  t.equal(sent.length, size + 1, 'and a second try does all of it')
}

async function takenTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store, { perTarget: { max: 3, window: HOUR } })
  const { call, accounts, logIn, sent, clock, ticketFor } = world
  const before = await accounts.find('alice')
  for (const name of ['alice', 'Ａｌｉｃｅ']) {
    const answer = await call('', newcomer({ name }))
    t.equal(answer.statusCode, 202, 'the same answer')
    t.equal(answer.body, '')
  }
  t.same(await accounts.find('alice'), before, 'nothing has changed')
  await call(
    '',
    newcomer({ name: 'mallory', attributes: { email: 'ALICE@example.com' } }),
  )
  t.equal(await accounts.find('mallory'), undefined, 'the address is taken')
  world.live.loginBy = ['name', 'email']
  await call('', newcomer({ name: ALICE, attributes: { email: 'm@example.com' } }))
  t.equal(await accounts.find(ALICE), undefined, 'the name is an address of somebody')

  const carol = newcomer({ name: 'carol', attributes: { email: 'c@example.com' } })
  await call('', carol)
  const first = await accounts.find('carol')
  await call('', { ...carol, password: PASSWORD })
  t.same(await accounts.find('carol'), first, 'the first one waits')
  clock.advance(DAY + MINUTE)
  await call('', { ...carol, password: PASSWORD })
  const second = await accounts.find('carol')
  t.not(second?.sub, first?.sub, 'a day later the name is free again')
  refused(t, await logIn('carol', PASSWORD), WRONG)

  const atAddress = { attributes: { email: 'owner@example.com' } }
  await call('', newcomer({ name: 'squatter', ...atAddress }))
  await call('', newcomer({ name: 'owner', ...atAddress }))
  t.equal(await accounts.find('owner'), undefined, 'the first one waits')
  const squatters = await ticketFor('squatter', 'recovery')
  clock.advance(DAY + MINUTE)
  const squatter = await accounts.find('squatter')
  await call('', newcomer({ name: 'owner', ...atAddress }))
  t.match(sent.at(-1), { whom: { sub: (await accounts.find('owner'))?.sub } })
  t.equal(await accounts.find('squatter'), undefined, 'a day later the address is free')
  const completion = { ticket: squatters, password: PASSWORD }
  refused(t, await call('/recovery/completion', completion), INVALID)
  const removed = world.lines.find(line => line.includes('"change":"removed"'))
  t.ok(removed, 'which the log says')
  await sweepTest(t, world, String(squatter?.sub))

  const size = sent.length
  for (let round = 0; round < 5; round++) {
    const name = `other${round}`
    await call('', newcomer({ name, attributes: { email: 'victim@example.com' } }))
  }
  t.equal(sent.length, size + 3, 'one address is not flooded under many names')
}

/** The servers take away what nobody verified, and nothing else. */
async function sweepTest(t: Test, { core, ...world }: World, gone: string) {
  const { call, accounts, clock, ticketFor } = world
  await core.staleSignUps.sweep()
  t.ok(await accounts.find('owner'), 'a young one stays')
  t.ok(await accounts.find('alice'), 'and whoever has an address')
  t.equal(await accounts.bySub(gone), undefined)
  await call('', newcomer({ name: 'proven', attributes: { email: 'p@example.com' } }))
  const unproven = await accounts.find('proven')
  const ticket = await ticketFor('proven', 'verification')
  t.equal((await call('/verification', { ticket })).statusCode, 204)
  const owner = await accounts.find('owner')
  clock.advance(DAY + MINUTE)
  await core.staleSignUps.sweep()
  t.equal(await accounts.find('owner'), undefined, 'an old one is taken away')
  await core.staleSignUps.free(unproven)
  const proven = await accounts.find('proven')
  t.match(proven, { emailVerified: true }, 'one that was verified stays, just now, too')
  await core.staleSignUps.free(owner)
  const removals = world.lines.filter(line => line.includes('"change":"removed"'))
  const ofOwner = removals.filter(line => line.includes(String(owner?.sub)))
  t.equal(ofOwner.length, 1, 'once')
}

async function invitationTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store, { registration: 'invite' })
  const { call, ticketFor, logIn, accounts } = world
  await accounts.add({ name: 'bob', password: PASSWORD, roles: ['buyer'], scopes: null })
  refused(t, await call('', newcomer()), MALFORMED, 'not without an invitation')
  const ticket = await ticketFor('bob', 'invitation')
  const short = await call('', { ticket, password: 'bob' })
  refused(t, short, { status: 400, error: 'password_is_name' })
  const email = 'bob@example.com'
  await accounts.setAttributes('bob', { attributes: { email } })
  refused(
    t,
    await call('', { ticket, password: NEW_PASSWORD }),
    INVALID,
    'another address',
  )
  const bobs = await ticketFor('bob', 'invitation')
  t.equal((await call('', { ticket: bobs, password: NEW_PASSWORD })).statusCode, 202)
  // An operator or an app may have had the ticket: only a verification proves an address.
  t.match(await accounts.find('bob'), { attributes: { email }, emailVerified: false })
  const { ticket: proof } = await makeFor(world, 'bob', { purpose: 'verification' })
  t.equal((await call('/verification', { ticket: proof })).statusCode, 204)
  t.match(await accounts.find('bob'), { emailVerified: true })
  t.equal((await logIn('bob', NEW_PASSWORD)).statusCode, 200)
  refused(t, await call('', { ticket: bobs, password: PASSWORD }), INVALID)
}

/** Strangers who sign up have places by network, and those who have a ticket go before them. */
async function turnsTest(t: Test, store: StoreName): Promise<void> {
  const turns: unknown[] = []
  const { call, ticketFor } = await worldOn(t, store, undefined, {
    overHasher: hasher => ({
      ...hasher,
      hash(password, turn) {
        turns.push(turn)
        return hasher.hash(password, turn)
      },
    }),
  })
  turns.length = 0
  t.equal((await call('', newcomer())).statusCode, 202)
  const stranger = { lane: ['self-service', '127.0.0.0/24'] }
  t.strictSame(turns.splice(0), [stranger])
  const known = { ...stranger, known: true }
  for (const [purpose, path] of [
    ['recovery', '/recovery/completion'],
    ['invitation', ''],
  ] as const) {
    const ticket = await ticketFor('alice', purpose)
    const answer = await call(path, { ticket, password: NEW_PASSWORD })
    t.ok(answer.statusCode < 300, purpose)
    t.strictSame(turns.splice(0), [known])
  }
}

/** Somebody who reads the address doesn't bring back an account that its user has deleted. */
async function deletedTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store)
  const { accounts, call, ticketFor } = world
  const { directory } = world.store
  const { tag = '' } = (await accounts.find('alice')) ?? {}
  const email = 'next@example.com'
  await notePending(directory, tag, { email })
  const ticket = await ticketFor('alice', 'verification', email)
  const deleteAt = world.clock() + HOUR
  const pending = { deleteAt, passwordChange: 'of some hash' }
  await notePending(directory, tag, { ...pending, email })
  const { sub = '', sessionsEpoch: epoch = 0 } = (await accounts.find('alice')) ?? {}
  const made = await world.makeTicket({
    purpose: 'verification',
    sub,
    epoch,
    address: email,
  })
  t.equal(made, undefined, 'no ticket while it is to be erased')
  t.equal((await call('/verification', { ticket })).statusCode, 204)
  const after = await accounts.find('alice')
  t.match(after, { attributes: { email }, emailVerified: true })
  t.same(after?.pending, pending, 'and is erased as before')
}

async function addressTest(t: Test, store: StoreName): Promise<void> {
  const world = await worldOn(t, store, { perTarget: { max: 3, window: HOUR } })
  const { app, call, sent, ticketFor, accounts } = world
  const { access_token: token } = await world.login({
    client_id: 'self',
    resource: ISSUER,
  })
  const headers = { authorization: `Bearer ${token}` }
  const patch = (attributes: object) =>
    app.inject({ method: 'PATCH', url: '/account', headers, payload: { attributes } })
  const next = 'next@example.com'
  t.equal((await patch({ email: next, given_name: 'Al' })).statusCode, 204)
  const { sub } = (await accounts.find('alice')) ?? {}
  t.match(sent, [{ purpose: 'verification', whom: { sub }, address: next }])
  t.match((await app.inject({ url: '/account', headers })).json(), {
    attributes: { email: ALICE, given_name: 'Al' },
    email_verified: true,
    pending_email: next,
  })
  const stale = await ticketFor('alice', 'verification', next)
  t.equal((await patch({ email: 'third@example.com' })).statusCode, 204)
  refused(t, await call('/verification', { ticket: stale }), INVALID, 'another one since')
  t.equal((await patch({ email: next })).statusCode, 204)
  const ticket = await ticketFor('alice', 'verification', next)
  t.equal((await call('/verification', { ticket })).statusCode, 204)
  const after = await accounts.find('alice')
  t.match(after, { attributes: { email: next }, emailVerified: true })
  t.equal(after?.pending, undefined)

  const invalid = { status: 400, error: 'attribute_invalid' }
  refused(t, await patch({ email: 'none' }), invalid)
  const size = sent.length
  const pending = after?.pending
  refused(t, await patch({ email: 'fourth@example.com', given_name: 7 }), invalid)
  const undeclaredFirst = { x: 1, email: 'fourth@example.com' }
  refused(t, await patch(undeclaredFirst), { status: 400, error: 'attribute_not_self' })
  t.equal(sent.length, size, 'nothing is sent where it is refused')
  t.same((await accounts.find('alice'))?.pending, pending, 'and nothing waits')
  await accounts.add({
    name: 'bob',
    password: PASSWORD,
    roles: [],
    scopes: null,
    attributes: { email: 'bob@example.com', nickname: 'bobby' },
  })
  const bobs = await patch({ email: 'fourth@example.com', nickname: 'bobby' })
  refused(t, bobs, { status: 400, error: 'attribute_taken' })
  t.equal(sent.length, size, 'nor where another one has it')
  t.equal((await patch({ email: 'bob@example.com' })).statusCode, 204, 'says nothing')
  const theirs = await ticketFor('alice', 'verification', 'bob@example.com')
  const taken = { status: 400, error: 'attribute_taken' }
  refused(t, await call('/verification', { ticket: theirs }), taken)
  t.match((await accounts.find('alice'))?.attributes, { email: next })
  const undeclared = await ticketFor('alice', 'verification', 'bob@example.com')
  world.live.attributes = {}
  const gone = { status: 400, error: 'attribute_undeclared' }
  refused(t, await call('/verification', { ticket: undeclared }), gone)
  world.live.attributes = { email: { list: false, unique: true, self: true } }
  t.equal((await patch({ email: null })).statusCode, 204, 'none at all')
  for (const status of [204, 204, 204, 429]) {
    t.equal((await patch({ email: 'often@example.com' })).statusCode, status)
  }
  world.live.attributes['given_name'] = { list: false, unique: false, self: true }
  world.room.is = 'full'
  t.equal((await patch({ email: 'full@example.com', given_name: 'Bo' })).statusCode, 503)
  const unchanged = await accounts.find('alice')
  t.match(unchanged?.attributes, { given_name: 'Al' }, 'nothing is half done')
  t.not(unchanged?.pending?.email, 'full@example.com')
  world.room.is = 'filling'
  t.equal((await patch({ email: 'full@example.com' })).statusCode, 503)
}

async function offTest(t: Test, store: StoreName): Promise<void> {
  const off = await worldOn(t, store, NO_SELF_SERVICE)
  for (const path of ['', '/verification', '/recovery', '/recovery/completion']) {
    t.equal((await off.call(path, {})).statusCode, 404, path)
  }
  const plain = await worldOn(t, store, { ...NO_SELF_SERVICE, registration: 'open' })
  const bare = { name: 'carol', password: NEW_PASSWORD }
  t.equal((await plain.call('', bare)).statusCode, 202)
  t.equal((await plain.logIn('carol', NEW_PASSWORD)).statusCode, 200, 'at once')
  t.equal(plain.sent.length, 0)
  t.equal((await plain.call('/verification', {})).statusCode, 404)
  const account = { ...NO_SELF_SERVICE, account: true, verify: 'email' }
  const own = await worldOn(t, store, account)
  const none = await own.call('/verification', { ticket: 'tk_' })
  refused(t, none, INVALID, 'for another address')
  t.equal((await own.call('', bare)).statusCode, 405)
  t.match(await plain.accounts.find('carol'), {
    scopes: null,
    roles: [],
    disabled: false,
  })
}
