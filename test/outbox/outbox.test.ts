// What is appended, by which way it goes, what is looked up when it is sent, and that nobody reads the store.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { MESSAGE_TYPES, type MessageType } from '../../src/base/events/message-types.ts'
import { createPersonOf } from '../../src/outbox/compose.ts'
import { createEnvelope } from '../../src/outbox/envelope.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { waysOf } from '../../src/outbox/ways.ts'
import { buildTestApp } from '../support/app.ts'

const secret = () => randomBytes(32).toString('base64url')
const everywhere = () => true

const WEBHOOK = {
  url: 'https://app.example/hook',
  secrets: [],
  allowPrivate: false,
  timeout: 1000,
  attributes: [],
}
/** Of every outbox here. */
const LIMITS = { giveUp: 60_000, noticesPerAccount: { max: 2, window: 60_000 } }
const ALL = { ...WEBHOOK, types: [...MESSAGE_TYPES] }

/** A server whose messages go by webhook; nobody sends them but the test. */
async function serverOf(
  t: { teardown(work: () => Promise<void>): void },
  webhook: typeof WEBHOOK = WEBHOOK,
) {
  const server = await buildTestApp()
  t.teardown(() => server.close())
  const { live, core, store } = server
  live.attributes = { email: { type: 'email', list: false, unique: false } }
  live.notify = { ...LIMITS, maxItems: 10, webhook }
  /** What waits, as it would be sent. */
  async function take() {
    const items = await store.outbox.take('webhook', 10, 60_000)
    return Promise.all(
      items.map(item => core.compose(item, core.envelope.open(item.id, item.content))),
    )
  }
  return { ...server, take }
}

t.test('an envelope is opened under each of the secrets, and in its own place', t => {
  const [old, next] = [secret(), secret()]
  const entry = { type: 'ticket.recovery', whom: { name: 'alice' }, at: 1 } as const
  const sealed = createEnvelope([old], everywhere).seal('a', entry)
  t.notMatch(sealed, /alice|recovery/)
  t.strictSame(createEnvelope([next, old], everywhere).open('a', sealed), entry)
  t.throws(() => createEnvelope([next], everywhere).open('a', sealed), /missing here/)
  t.throws(() => createEnvelope([old], everywhere).open('b', sealed), /missing here/)
  t.throws(() => createEnvelope([old], everywhere).open('a', 'x'), /missing here/)
  const cut = sealed.split('.', 2).join('.')
  t.throws(() => createEnvelope([old], everywhere).open('a', cut), /missing here/)
  t.throws(() => createEnvelope([], everywhere), TypeError)
  t.end()
})

t.test('it is sealed under a secret that every server has', t => {
  const [old, next] = [secret(), secret()]
  const entry = { type: 'ticket.recovery', whom: { name: 'alice' }, at: 1 } as const
  const [, , nextId] = createEnvelope([next], everywhere).seal('a', entry).split(/[.]/, 3)
  const isEverywhere = (id: string) => id !== nextId
  const [, usedNow] = createEnvelope([next, old], isEverywhere)
    .seal('a', entry)
    .split('.')
  t.ok(usedNow)
  const [, nowhere] = createEnvelope([next, old], () => false)
    .seal('a', entry)
    .split('.')
  const [, first] = createEnvelope([next, old], everywhere).seal('a', entry).split('.')
  t.equal(nowhere, first)
  t.end()
})

t.test('what goes by which way', t => {
  const by = (ways: Parameters<typeof waysOf>[0]) =>
    MESSAGE_TYPES.map(type => `${type}: ${waysOf(ways, type).join(' ')}`)
  t.ok(by({}).every(line => line.endsWith(': ')))
  // Not everybody wants one for each login.
  const isUnasked = (line: string) => /^(session|notice.new_network)/.test(line)
  const isForPeople = (line: string) => /^(ticket|notice)/.test(line) && !isUnasked(line)
  t.ok(
    by({ webhook: {} }).every(line => line.endsWith(': webhook') === isForPeople(line)),
  )
  t.ok(by({ mail: {} }).every(line => line.endsWith(': mail') === isForPeople(line)))
  t.ok(
    by({ webhook: {}, mail: {} }).every(line =>
      line.endsWith(isUnasked(line) ? ': ' : isForPeople(line) ? ': mail' : ': webhook'),
    ),
  )
  t.ok(
    by({ webhook: { types: MESSAGE_TYPES } }).every(line => line.endsWith(': webhook')),
  )
  t.strictSame(
    waysOf(
      {
        webhook: { types: ['notice.new_network'] },
        mail: { types: ['notice.new_network'] },
      },
      'notice.new_network',
    ),
    ['webhook', 'mail'],
  )
  t.strictSame(waysOf({ mail: { types: [] } }, 'ticket.recovery'), [])
  t.end()
})

t.test('a ticket is made when it is sent, and is good', async t => {
  const { core, take, accounts, clock } = await serverOf(t)
  await accounts.setAttributes('alice', { attributes: { email: 'alice@example.com' } })
  let calls = 0
  core.outbox.onAppended(() => {
    calls += 1
  })
  const wanted = { purpose: 'recovery', whom: { name: 'alice' } } as const
  t.equal(await core.outbox.append({ ...wanted, locale: 'fr', network: 'n' }), 'appended')
  t.equal(calls, 1)
  const [message] = await take()
  t.match(message, {
    type: 'ticket.recovery',
    at: clock(),
    name: 'alice',
    email: 'alice@example.com',
    locale: 'fr',
    network: 'n',
    ticket: { ticket: /^tk_/, code: /^[0-9]{8}$/, expiresAt: clock() + 1_800_000 },
  })
  const shown = core.tickets.read(String(message?.ticket?.ticket))
  if (shown === undefined) throw new Error('it is none of ours')
  const presented = core.tickets.presented(shown, 'recovery', 'alice@example.com')
  t.equal(await core.store.tickets.look(presented), undefined)
})

t.test('each try of a ticket has an id of its own, as its ticket has', async t => {
  const { core, accounts } = await serverOf(t, ALL)
  const alice = await accounts.find('alice')
  const whom = { sub: String(alice?.sub) }
  const compose = async (type: 'ticket.recovery' | 'account.updated') => {
    const tries = [1, 2].map(tries =>
      core.compose({ id: 'item', tries }, { type, whom, at: 1 }),
    )
    return Promise.all(tries)
  }
  const [first, second] = await compose('ticket.recovery')
  t.not(first?.ticket?.ticket, second?.ticket?.ticket)
  t.strictSame([first?.id, second?.id], ['item-1', 'item-2'])
  const events = await compose('account.updated')
  t.strictSame(
    events.map(message => message?.id),
    ['item', 'item'],
    'what says the same is the same',
  )
})

t.test(
  'nobody is told of an unknown name, or lets a disabled account recover',
  async t => {
    const { core, take, accounts } = await serverOf(t)
    await accounts.disable('alice')
    const alice = await accounts.find('alice')
    const asked = [
      { purpose: 'recovery', whom: { name: 'nobody' } },
      { purpose: 'recovery', whom: { sub: 'no-sub' } },
      { purpose: 'recovery', whom: { name: 'alice' } },
      {
        purpose: 'verification',
        whom: { sub: String(alice?.sub) },
        address: 'a@b.example',
      },
    ] as const
    for (const wanted of asked) t.equal(await core.outbox.append(wanted), 'appended')
    const taken = await take()
    t.equal(taken.length, asked.length)
    // What was appended in one millisecond comes in any order.
    t.match(
      taken.filter(message => message !== undefined),
      [{ type: 'ticket.verification', email: 'a@b.example', locale: undefined }],
    )
  },
)

t.test('where no address is known the app is told, and finds its own way', async t => {
  const { core, take } = await serverOf(t)
  await core.outbox.append({ purpose: 'recovery', whom: { name: 'alice' } })
  t.match(await take(), [{ name: 'alice', email: undefined, ticket: { ticket: /^tk_/ } }])
})

t.test('somebody who is gone is told what was known', async t => {
  const { core, take } = await serverOf(t, ALL)
  const known = { sub: 's', name: 'bob', email: 'bob@example.com', locale: 'de' }
  const person = { ...known, isAddressProven: true }
  const entry = { whom: { sub: 's' }, at: 5, sid: 'sid-1' } as const
  await core.outbox.appendAll([
    { ...entry, type: 'notice.account_deleted', person },
    { ...entry, type: 'account.deleted', person: { sub: 's', name: 'bob' } },
    { ...entry, type: 'notice.password_changed', person: known },
  ])
  const taken = await take()
  t.equal(
    taken.find(message => message?.type === 'notice.password_changed'),
    undefined,
    'nothing goes to an address that nobody proved',
  )
  const of = (type: string) => taken.find(message => message?.type === type)
  t.match(of('notice.account_deleted'), {
    email: 'bob@example.com',
    locale: 'de',
    sid: 'sid-1',
    ticket: undefined,
  })
  t.match(of('account.deleted'), { email: undefined, locale: undefined, attributes: {} })
})

t.test('an event says the account as it is when it is sent', async t => {
  const { core, take, accounts, live } = await serverOf(t, ALL)
  live.attributes = {
    email: { type: 'email', list: false, unique: false },
    locale: { type: 'string', list: false, unique: false },
  }
  const alice = await accounts.find('alice')
  const whom = { sub: String(alice?.sub) }
  await core.outbox.appendAll([{ type: 'account.updated', whom, at: 1 }])
  await accounts.setAttributes('alice', { attributes: { locale: 'nl' } })
  t.match(await take(), [{ name: 'alice', locale: 'nl', attributes: { locale: 'nl' } }])
})

t.test('without a way out nothing waits, and a full outbox says so', async t => {
  const { core, live, store } = await serverOf(t)
  const wanted = { purpose: 'recovery', whom: { name: 'alice' } } as const
  live.notify = { ...LIMITS, maxItems: 1 }
  t.equal(await core.outbox.append(wanted), 'appended')
  t.match(await store.outbox.backlog('webhook'), { length: 0 })
  live.notify = { ...LIMITS, maxItems: 1, webhook: WEBHOOK }
  t.ok(await core.outbox.hasRoom('recovery'))
  t.equal(await core.outbox.append(wanted), 'appended')
  t.notOk(await core.outbox.hasRoom('recovery'))
  t.equal(await core.outbox.append(wanted), 'full')
})

t.test('whose address is already taken is told so, and gets no ticket', async t => {
  const { core, take, accounts, live } = await serverOf(t)
  await accounts.setAttributes('alice', {
    attributes: { email: 'alice@example.com' },
    emailVerified: true,
  })
  const alice = await accounts.find('alice')
  const whom = { sub: String(alice?.sub) }
  const wanted = { purpose: 'verification', isTaken: true, network: 'n' } as const
  await core.outbox.append({ ...wanted, whom })
  await core.outbox.append({ ...wanted, whom: { sub: 'nobody' } })
  t.match(
    (await take()).filter(message => message !== undefined),
    [{ type: 'notice.already_registered', network: 'n', ticket: undefined }],
  )
  const types = ['ticket.verification']
  live.notify = { ...LIMITS, maxItems: 10, webhook: { ...WEBHOOK, types } }
  await core.outbox.append({ ...wanted, whom })
  t.same(
    await take(),
    [],
    'unless nobody wants that: by the way of the ticket it never goes',
  )
  const earlier = { type: 'ticket.verification', whom, at: 1, isTaken: true } as const
  await core.outbox.appendAll([earlier])
  t.match(await take(), [undefined], 'nor what a server of before has noted')
})

t.test(
  'a ticket to sign up and the notice to whoever has the address fill it alike',
  async t => {
    const { core, live, store } = await serverOf(t)
    const purpose = 'verification'
    const ticket = { purpose, whom: { sub: 'new' } } as const
    const notice = { purpose, whom: { sub: 'old' }, isTaken: true } as const
    // Only one of the two goes by the way that is full: the other must not be taken, either.
    const onlyOne: MessageType[] = ['ticket.verification', 'notice.already_registered']
    for (const type of onlyOne) {
      live.notify = { ...LIMITS, maxItems: 1, webhook: ALL }
      const filler = { type: 'account.updated', whom: { sub: 'any' }, at: 1 } as const
      await core.outbox.appendAll([filler])
      live.notify = { ...LIMITS, maxItems: 1, webhook: { ...WEBHOOK, types: [type] } }
      t.notOk(await core.outbox.hasRoom(purpose), type)
      t.equal(await core.outbox.append(ticket), 'full')
      t.equal(await core.outbox.append(notice), 'full')
      t.match(await store.outbox.backlog('webhook'), { length: 1 })
    }
  },
)

t.test('a session is known by the tag of whose it is', async t => {
  const { core, take, accounts } = await serverOf(t, ALL)
  const alice = await accounts.find('alice')
  const entry = { type: 'session.ended', sid: 'sid-1', at: 1 } as const
  await core.outbox.appendAll([{ ...entry, whom: { tag: String(alice?.tag) } }])
  t.match(await take(), [{ type: 'session.ended', name: 'alice', sid: 'sid-1' }])
})

t.test("an address that users type is nobody's until it is proved", t => {
  const known = { sub: 's', name: 'n', attributes: { email: 'a@b.example' } }
  for (const [mayType, emailVerified, pending, isAddressProven] of [
    [false, false, undefined, true],
    [false, false, { signUp: true }, false],
    [true, false, undefined, false],
    [true, true, undefined, true],
  ] as const) {
    const personOf = createPersonOf(() => mayType)
    t.match(personOf({ ...known, emailVerified, pending }), {
      isAddressProven,
      email: 'a@b.example',
    })
  }
  t.end()
})

t.test('what can not be noted is in the audit log, and counted', async t => {
  const { core, store, accounts, live, lines, metrics } = await serverOf(t)
  const lost = () =>
    lines
      .filter(line => line.includes('message.abandoned'))
      .map(line => JSON.parse(line).audit)
  live.notify = { ...LIMITS, maxItems: 1, webhook: ALL }
  await accounts.setPassword('alice', 'another horse battery')
  await core.announcer.settled()
  const about = { type: 'message.abandoned', way: 'webhook', tries: 0 }
  t.match(lost(), [
    { ...about, message: 'notice.password_changed', error: 'the outbox is full' },
    { ...about, message: 'session.revoked', error: 'the outbox is full' },
  ])
  Object.assign(store.outbox, {
    append: () => Promise.reject(new StoreUnavailable(new Error('gone'), 'gone')),
  })
  await accounts.disable('alice')
  await core.announcer.settled()
  t.match(lost().slice(2), [
    { ...about, message: 'account.disabled', error: 'the store is away' },
    { ...about, message: 'session.revoked', error: 'the store is away' },
  ])
  Object.assign(store.outbox, { append: () => Promise.reject(new TypeError('alice')) })
  await accounts.enable('alice')
  await core.announcer.settled()
  const error = 'it could not be noted (TypeError)'
  t.match(lost().slice(4), [{ ...about, message: 'account.updated', error }])
  const counted = 'latchkey_outbox_deliveries_total{way="webhook",result="abandoned"} 5\n'
  t.ok((await metrics.render()).includes(counted), 'an alert hears of it')
})

t.test(
  'where nobody types their own address, a notice goes to what is there',
  async t => {
    const { core, take, accounts, live } = await serverOf(t)
    live.attributes = { email: { type: 'email', list: false, unique: false, self: true } }
    const attributes = { email: 'alice@example.com' }
    await accounts.setAttributes('alice', { attributes })
    await accounts.setPassword('alice', 'another horse battery')
    await core.announcer.settled()
    t.match(await take(), [
      { type: 'notice.password_changed', email: attributes.email, isAddressProven: true },
    ])
  },
)

t.test(
  'an account gets so many notices of a type, and no other is told less',
  async t => {
    const { core, accounts, live, clock, lines, store } = await serverOf(t, ALL)
    live.notify = { ...LIMITS, maxItems: 100, webhook: ALL }
    await accounts.add({ name: 'bob', password: 'x', roles: [], scopes: null })
    const noted = async (act: () => Promise<unknown>) => {
      await act()
      await core.announcer.settled()
      const items = await store.outbox.take('webhook', 100, 60_000)
      for (const item of items) await store.outbox.remove(item)
      return items
        .map(({ id, content }) => core.envelope.open(id, content).type)
        .toSorted()
    }
    const change = (name = 'alice') =>
      noted(() => accounts.setPassword(name, 'another horse'))
    await noted(async () => {})
    const both = ['notice.password_changed', 'session.revoked']
    for (const round of ['first', 'second']) t.same(await change(), both, round)
    t.same(await change(), ['session.revoked'], 'apps hear of all')
    t.same(await change('bob'), both, 'others hear of theirs')
    const attributes = (email: string) => ({ attributes: { email } })
    await noted(() => accounts.setAttributes('alice', attributes('a@example.com')))
    const address = [
      'account.updated',
      'notice.address_changed',
      'notice.address_changed',
    ]
    for (const email of ['b@example.com', 'c@example.com']) {
      const act = () => accounts.setAttributes('alice', attributes(email))
      t.same(await noted(act), address, 'of another type, to both addresses')
    }
    const events = lines.filter(line => line.includes('"message.withheld"'))
    const sub = (await accounts.find('alice'))?.sub
    const audit = { type: 'message.withheld', message: 'notice.password_changed', sub }
    t.match(
      events.map(line => JSON.parse(line)),
      [{ audit }],
      'the audit log says it',
    )
    clock.advance(60_000)
    t.same(await change(), both, 'and later they are told again')
  },
)
