// What is noted of refused logins before it is written, who is found on record, and what it means.
import t, { type Test } from 'tap'
import type { Event } from '../../src/base/events/events.ts'
import { REASONS } from '../../src/base/events/reasons.ts'
import type { RefusedName } from '../../src/stores/ports/logins/refusals.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import type { Account } from '../../src/stores/ports/directory.ts'
import { createNameInLogs } from '../../src/users/names/name-in-logs.ts'
import { explain } from '../../src/users/refusals/explain.ts'
import { createLoginRefusals } from '../../src/users/refusals/login-refusals.ts'
import { createNotes, KEPT, type RefusedLogin } from '../../src/users/refusals/notes.ts'
import { createUnlock } from '../../src/users/refusals/unlock.ts'
import { createHandClock } from '../support/clock.ts'
import { someAccount } from '../support/stores.ts'

const [NEW, OLD] = ['n'.repeat(43), 'o'.repeat(43)]

const refused = (changes: Partial<RefusedLogin> = {}): RefusedLogin => ({
  name: 'ann',
  reason: 'password_wrong',
  network: '192.0.2.0/24',
  ...changes,
})

/** Notes whose batches are kept; `fail` makes the store reject. */
function setUp() {
  const clock = createHandClock()
  const batches: Array<readonly RefusedName[]> = []
  const store = { isAway: false }
  const notes = createNotes({
    store: {
      async add(names) {
        if (store.isAway) throw new Error('away')
        batches.push(names)
      },
    },
    hash: name => name,
    clock,
  })
  return { ...notes, clock, batches, store }
}

t.test(
  'what is refused alike is one note, and nothing is written without one',
  async t => {
    const { note, flush, clock, batches } = setUp()
    await flush()
    t.same(batches, [])
    const firstAt = clock()
    note(refused({ clientId: 'mobile' }))
    clock.advance(1000)
    note(refused({ clientId: 'mobile' }))
    note(refused({ reason: 'throttled_by_pair', retryAfterMs: 2000 }))
    await flush()
    const now = clock()
    const alike = { network: '192.0.2.0/24', firstAt, lastAt: now }
    t.strictSame(batches, [
      [
        {
          group: 'accounts',
          name: 'ann',
          refusals: [
            { reason: 'password_wrong', clientId: 'mobile', count: 2, ...alike },
          ],
        },
        {
          group: 'names',
          name: 'ann',
          refusals: [
            {
              reason: 'throttled_by_pair',
              count: 1,
              ...alike,
              firstAt: now,
              until: now + 2000,
            },
          ],
        },
      ],
    ])
    await flush()
    t.equal(batches.length, 1)
  },
)

t.test('a flood makes a small batch, and one network does not fill it', async t => {
  const { note, flush, batches } = setUp()
  note(refused({ name: 'victim', network: '198.51.100.0/24' }))
  for (let i = 0; i < 10_000; i++) note(refused({ name: `made up ${i}` }))
  await flush()
  t.same(
    batches[0]?.map(({ name }) => name),
    ['victim', ...Array.from({ length: 8 }, (_, i) => `made up ${i}`)],
  )
  for (let i = 0; i < 10_000; i++) {
    note(refused({ name: `name ${i}`, network: `network ${i}` }))
  }
  await flush()
  t.equal(batches[1]?.length, 64)
  t.equal(batches[1]?.at(-1)?.name, 'name 9999', 'the last ones')
  for (let i = 0; i < 100; i++) note(refused({ clientId: `client ${i}` }))
  await flush()
  t.equal(batches[2]?.[0]?.refusals.length, KEPT.refusals)
})

t.test('what could not be written is written with the next batch', async t => {
  const { note, flush, batches, store } = setUp()
  note(refused())
  note(refused({ name: 'bob' }))
  store.isAway = true
  const failing = flush()
  note(refused())
  note(refused({ name: 'eve' }))
  await t.rejects(failing, /away/)
  store.isAway = false
  await flush()
  t.same(
    batches[0]?.map(({ name, refusals }) => [name, refusals[0]?.count]),
    [
      ['bob', 1],
      ['ann', 2],
      ['eve', 1],
    ],
  )
})

/** The record on SQLite, of a server that has these secrets. */
async function recordOf(t: Test, secrets: readonly string[], store = newStore(t)) {
  const refusals = createLoginRefusals({
    store: store.loginRefusals,
    secrets,
    login: () => ['name', 'email', 'badge'],
    clock: store.clock,
  })
  return { ...refusals, store }
}

function newStore(t: Test) {
  const clock = createHandClock()
  const store = createSqliteStore({ file: ':memory:', clock })
  t.teardown(() => store.close())
  return { ...store, clock }
}

const account = (changes: Partial<Account> = {}): Account => ({
  ...someAccount('sub-of-ann'),
  name: 'Ann',
  foldedName: 'ann',
  sessionsEpoch: 1,
  version: 1,
  createdAt: 0,
  updatedAt: 0,
  ...changes,
})

t.test(
  'a name is found however it is written, by its hash, and under every secret',
  async t => {
    const before = await recordOf(t, [OLD])
    before.note(refused({ name: 'ANN' }))
    before.note(refused({ name: 'Ann@Example.com', reason: 'user_disabled' }))
    await before.flush()
    const { ofName, ofAccount } = await recordOf(t, [NEW, OLD], before.store)
    const reasons = (found: readonly { reason: string }[]) => found.map(one => one.reason)
    const hash = createNameInLogs({ secrets: [OLD], plain: () => false })('ann')
    for (const text of ['ann', ' Ann ', hash]) {
      t.same(reasons(await ofName(text)), ['password_wrong'], text)
    }
    t.same(await ofName('bob'), [])
    t.same(
      reasons(
        await ofAccount(account({ attributes: { email: 'ann@example.com', badge: 7 } })),
      ).sort(),
      ['password_wrong', 'user_disabled'],
      'by all that it logs in with',
    )
    before.store.clock.advance(KEPT.keepMs)
    t.same(await ofName('ann'), [], 'also where nothing was added since')
  },
)

t.test('unlocking forgets what was counted of the name, and leaves the rest', async t => {
  const { note, flush, ofAccount, lift, store } = await recordOf(t, [NEW])
  const throttled = { reason: 'throttled_by_pair', retryAfterMs: 60_000 } as const
  note(refused(throttled))
  note(refused({ reason: 'throttled_by_network', retryAfterMs: 60_000 }))
  note(refused({ ...throttled, name: 'ann@example.com', network: '2001:db8::/64' }))
  await flush()
  const asked: unknown[] = []
  const events: Event[] = []
  const unlock = createUnlock({
    refusals: { ofAccount, lift },
    failedLogins: {
      async forget(name, networks) {
        asked.push([name, [...networks].sort()])
        return 2
      },
    },
    emit: event => events.push(event),
  })
  const ann = account({ attributes: { email: 'ann@example.com' } })
  const done = await unlock(ann, { networks: ['203.0.113.9'] })
  t.equal(done.cleared, 2)
  t.same(asked, [['ann', ['192.0.2.0/24', '2001:db8::/64', '203.0.113.9']]])
  t.same(events, [{ type: 'user.changed', sub: 'sub-of-ann', change: 'unlocked' }])
  const left = await ofAccount(ann)
  t.same(
    left.map(({ reason, count, until }) => [reason, count, until]).sort(),
    [
      ['throttled_by_network', 1, store.clock() + 60_000],
      ['throttled_by_pair', 1, undefined],
      ['throttled_by_pair', 1, undefined],
    ],
    'what happened stays on record',
  )
  await unlock(account({ name: 'nobody yet' }))
  t.same(asked.at(-1), ['ann', []])
})

t.test(
  'what was refused stays with the account, whatever it is called later',
  async t => {
    const { note, flush, ofAccount, ofName, lift, store } = await recordOf(t, [NEW])
    const [sub, throttled] = [
      'sub-of-ann',
      { reason: 'throttled_by_pair', retryAfterMs: 60_000 } as const,
    ]
    note(refused({ sub }))
    note(refused({ sub, name: 'ann@example.com' }))
    note(refused({ sub, ...throttled }))
    note(refused({ reason: 'client_unknown' }))
    await flush()
    const ann = account({ attributes: { email: 'ann@example.com' } })
    const { tag } = ann
    const rows = async (of: Account) =>
      (await ofAccount(of))
        .map(({ reason, count, until }) => [reason, count, until])
        .sort()
    const until = store.clock() + 60_000
    t.same(await rows(ann), [
      ['client_unknown', 1, undefined],
      ['password_wrong', 2, undefined],
      ['throttled_by_pair', 1, until],
    ])
    const renamed = account({ name: 'eve', foldedName: 'eve' })
    const own = [
      ['password_wrong', 2, undefined],
      ['throttled_by_pair', 1, undefined],
    ]
    t.same(await rows(renamed), own, 'failures of a former name delay nothing')
    const next = account({
      ...someAccount('sub-of-next'),
      name: 'Ann',
      foldedName: 'ann',
    })
    t.same(
      await rows(next),
      [['client_unknown', 1, undefined]],
      'who is called so now has none of them',
    )
    t.ok((await ofName('ann')).some(refusal => refusal.tag === tag))
    await lift(ann)
    t.same((await rows(ann)).at(-1), ['throttled_by_pair', 1, undefined])
  },
)

t.test('every reason has words, and an unknown one has its code', t => {
  for (const reason of Object.keys(REASONS)) t.match(explain({ reason }).meaning, /\.$/)
  t.match(explain({ reason: 'user_disabled' }).advice, 'users enable')
  t.match(explain({ reason: 'directory_unavailable' }).advice, 'directories')
  t.same(explain({ reason: 'active' }).advice, '')
  t.same(explain({ reason: 'toString' }), { meaning: 'Refused: toString.', advice: '' })
  t.end()
})

t.test('a store that is away is no empty record', async t => {
  const { ofName } = createLoginRefusals({
    store: {
      add: async () => {},
      of: async () => {
        throw new StoreUnavailable(undefined, 'away')
      },
    },
    secrets: [NEW],
    login: () => ['name'],
    clock: createHandClock(),
  })
  await t.rejects(ofName('ann'), { name: 'StoreUnavailable' })
})
