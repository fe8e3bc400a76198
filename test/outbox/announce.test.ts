// What people and apps are told of what happens, and that whoever answers can wait until it is noted.
import t from 'tap'
import type { Aside, Event } from '../../src/base/events/events.ts'
import { MESSAGE_TYPES, type MessageType } from '../../src/base/events/message-types.ts'
import { createAnnouncer } from '../../src/outbox/announce.ts'
import { createPersonOf } from '../../src/outbox/compose.ts'
import type { Entry } from '../../src/outbox/messages.ts'
import type { Appended } from '../../src/outbox/outbox.ts'

const NOW = 5
const ALICE = {
  sub: 'a',
  name: 'alice',
  attributes: { email: 'alice@example.com' },
  emailVerified: true,
}
const ORIGIN = { id: 'req-1', headers: {} }
/** Another request, whose caller has chosen the same id. */
const OTHER = { ...ORIGIN }

function announcerOf(
  appendAll: (entries: readonly Entry[]) => Promise<Appended>,
  types: readonly MessageType[] = MESSAGE_TYPES,
  isTooMany: (type: MessageType, sub: string) => Promise<boolean> = async () => false,
) {
  const withheld: MessageType[] = []
  const lost: Array<readonly [readonly MessageType[], unknown]> = []
  const announcer = createAnnouncer({
    appendAll,
    isSent: type => types.includes(type),
    isTooMany,
    onWithheld: type => withheld.push(type),
    personOf: createPersonOf(() => true),
    clock: () => NOW,
    onLost: (...about) => lost.push(about),
  })
  return { ...announcer, lost, withheld }
}

/** What was noted of an event. */
async function noted(event: Event, aside?: Aside, types?: readonly MessageType[]) {
  const entries: Entry[] = []
  let calls = 0
  const { hear, settled } = announcerOf(async added => {
    calls += 1
    entries.push(...added)
    return 'appended'
  }, types)
  hear(event, undefined, aside)
  await settled()
  return { entries, calls }
}

const user = (change: string, more: object = {}) =>
  Object.assign({ type: 'user.changed', sub: 'a', change }, more) as Event
const login = { clientId: 'c', username: 'u', network: 'n', sub: 'a', sid: 's' }

t.test('what follows from what', async t => {
  const before = { before: ALICE }
  const rows: ReadonlyArray<readonly [Event, Aside | undefined, ...MessageType[]]> = [
    [user('added'), undefined, 'account.created'],
    [user('removed'), before, 'account.deleted', 'notice.account_deleted'],
    [user('removed'), undefined],
    [user('password'), before, 'notice.password_changed', 'session.revoked'],
    [user('disabled'), before, 'account.disabled', 'session.revoked'],
    [user('enabled'), before, 'account.updated'],
    [user('renamed'), before, 'account.updated'],
    [user('access'), before, 'account.updated'],
    [user('adopted'), before, 'account.updated'],
    [user('unlocked'), before],
    [user('invited'), before],
    [user('recovery_ticket'), before],
    [user('verification_ticket'), before],
    [
      user('deletion_begun'),
      before,
      'account.updated',
      'notice.deletion_begun',
      'session.revoked',
    ],
    [user('deletion_cancelled'), before, 'account.updated'],
    [user('sessions_ended'), undefined, 'session.revoked'],
    [user('attributes', { attributes: ['locale'] }), before, 'account.updated'],
    [user('attributes'), before, 'account.updated'],
    [
      user('attributes', { attributes: ['email', 'email_verified'] }),
      before,
      'account.updated',
      'notice.address_changed',
      'notice.address_changed',
    ],
    [
      user('attributes', { attributes: ['email'] }),
      { before: { ...ALICE, attributes: {} } },
      'account.updated',
    ],
    [user('attributes', { attributes: ['email'] }), undefined, 'account.updated'],
    [
      { type: 'login.succeeded', ...login, networkKnown: true },
      undefined,
      'session.started',
    ],
    [
      { type: 'login.succeeded', ...login, networkKnown: false },
      undefined,
      'session.started',
      'notice.new_network',
    ],
    [
      { type: 'session.ended', sub: 'a', sid: 's', actor: 'cli:x' },
      undefined,
      'session.ended',
    ],
    [{ type: 'refresh.reused', ...login }, undefined, 'session.revoked'],
    [
      {
        type: 'token.revoked',
        clientId: 'c',
        network: 'n',
        kind: 'refresh_token',
        sid: 's',
      },
      { userTag: 'tag' },
      'session.ended',
    ],
    [
      {
        type: 'token.revoked',
        clientId: 'c',
        network: 'n',
        kind: 'access_token',
        sid: 's',
      },
      undefined,
    ],
    [
      { type: 'token.revoked', clientId: 'c', network: 'n', kind: 'access_token' },
      { userTag: 'x' },
    ],
    [{ type: 'refresh.rotated', ...login }, undefined],
    [{ type: 'password.upgraded', sub: 'a' }, undefined],
  ]
  for (const [event, aside, ...types] of rows) {
    const { entries, calls } = await noted(event, aside)
    t.strictSame(
      entries.map(({ type }) => type),
      types,
      JSON.stringify(event),
    )
    t.equal(calls, types.length > 0 ? 1 : 0, 'at once or not at all')
    t.ok(entries.every(({ at }) => at === NOW))
  }
})

t.test('both addresses hear of a change, each by what was known', async t => {
  const event = user('attributes', { attributes: ['email'] })
  const { entries } = await noted(event, { before: ALICE }, ['notice.address_changed'])
  t.match(entries, [
    { person: { email: 'alice@example.com', isAddressProven: true }, whom: { sub: 'a' } },
    { person: undefined, whom: { sub: 'a' } },
  ])
})

t.test('what goes out by no way is not noted', async t => {
  const { calls } = await noted(user('password'), undefined, ['ticket.recovery'])
  t.equal(calls, 0)
})

t.test('an answer waits for what its own request has to tell', async t => {
  const waiting: Array<(outcome: Appended) => void> = []
  const { hear, isBusyFor, settled } = announcerOf(
    () => new Promise(resolve => waiting.push(resolve)),
  )
  t.notOk(isBusyFor(ORIGIN))
  hear(user('added'), ORIGIN)
  t.ok(isBusyFor(ORIGIN))
  t.notOk(isBusyFor(OTHER))
  await settled(OTHER)
  let isSettled = false
  const settling = Promise.all([settled(ORIGIN), settled()]).then(() => {
    isSettled = true
  })
  await new Promise(setImmediate)
  t.notOk(isSettled)
  waiting[0]?.('appended')
  await settling
  t.notOk(isBusyFor(ORIGIN))
})

t.test('what can not be noted is said', async t => {
  const full = announcerOf(async () => 'full')
  full.hear(user('password'))
  await full.settled()
  t.match(full.lost, [[['notice.password_changed', 'session.revoked'], 'full']])
  const away = new Error('away')
  const broken = announcerOf(() => Promise.reject(away))
  broken.hear(user('added'))
  await broken.settled()
  t.strictSame(broken.lost, [[['account.created'], away]])
})

t.test('notices that are too many are left out, and nothing else is', async t => {
  const entries: Entry[] = []
  const append = async (added: readonly Entry[]) => {
    entries.push(...added)
    return 'appended' as const
  }
  const asked: string[] = []
  const { hear, settled, withheld } = announcerOf(
    append,
    MESSAGE_TYPES,
    async (type, sub) => {
      asked.push(`${type} ${sub}`)
      return type !== 'notice.new_network'
    },
  )
  const email = { attributes: ['email'] }
  hear(user('attributes', email), undefined, { before: ALICE })
  hear(user('disabled'))
  await settled()
  t.same(asked, ['notice.address_changed a'], 'one event counts once')
  t.same(withheld, ['notice.address_changed'])
  const types = entries.map(({ type }) => type).toSorted()
  t.same(types, ['account.disabled', 'account.updated', 'session.revoked'])
  const alone = announcerOf(append, ['notice.password_changed'], async () => true)
  alone.hear(user('password'))
  await alone.settled()
  t.equal(entries.length, 3, 'and where nothing is left nothing is noted')
  const away = () => Promise.reject(new Error('away'))
  const uncounted = announcerOf(append, ['notice.password_changed'], away)
  uncounted.hear(user('password'))
  await uncounted.settled()
  t.equal(
    entries.at(-1)?.type,
    'notice.password_changed',
    'what can not be counted is noted',
  )
})
