// What is appended, by which way it goes, what is looked up when it is sent, and that nobody reads the store.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { MESSAGE_TYPES } from '../../src/base/events/message-types.ts'
import { createEnvelope } from '../../src/outbox/envelope.ts'
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

/** A server whose messages go by webhook; nobody sends them but the test. */
async function serverOf(t: { teardown(work: () => Promise<void>): void }) {
  const server = await buildTestApp()
  t.teardown(() => server.close())
  const { live, core, store } = server
  live.attributes = { email: { type: 'email', list: false, unique: false } }
  live.notify = { giveUp: 60_000, maxItems: 10, webhook: WEBHOOK }
  /** What waits, as it would be sent. */
  async function take() {
    const items = await store.outbox.take('webhook', 10, 60_000)
    return Promise.all(
      items.map(({ id, content }) => core.compose(id, core.envelope.open(id, content))),
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
  t.ok(by({ webhook: {} }).every(line => line.endsWith(': webhook')))
  t.ok(
    by({ webhook: {}, mail: {} }).every(line =>
      line.endsWith(/^(ticket|notice)/.test(line) ? ': mail' : ': webhook'),
    ),
  )
  t.strictSame(
    waysOf(
      { webhook: { types: ['notice.new_network'] }, mail: {} },
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
  const { core, take } = await serverOf(t)
  const person = { sub: 's', name: 'bob', email: 'bob@example.com', locale: 'de' }
  const entry = { whom: { sub: 's' }, at: 5, sid: 'sid-1' } as const
  await core.outbox.appendAll([
    { ...entry, type: 'notice.account_deleted', person },
    { ...entry, type: 'account.deleted', person: { sub: 's', name: 'bob' } },
  ])
  const taken = await take()
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
  const { core, take, accounts, live } = await serverOf(t)
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
  live.notify = { giveUp: 60_000, maxItems: 1 }
  t.equal(await core.outbox.append(wanted), 'appended')
  t.match(await store.outbox.backlog('webhook'), { length: 0 })
  live.notify = { giveUp: 60_000, maxItems: 1, webhook: WEBHOOK }
  t.equal(await core.outbox.append(wanted), 'appended')
  t.equal(await core.outbox.append(wanted), 'full')
})
