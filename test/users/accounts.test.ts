import t from 'tap'
import type { Event } from '../../src/events.ts'
import { userTag } from '../../src/ids.ts'
import { StoreUnavailable, type Users } from '../../src/stores/ports.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createAccounts } from '../../src/users/accounts.ts'
import { createPasswordHasher } from '../../src/users/passwords.ts'
import { createHandClock } from '../support/clock.ts'

const cost = { memoryKiB: 16, passes: 2, parallelism: 1, concurrency: 2, queue: 64 }
const cheap = createPasswordHasher(cost)
const dearer = createPasswordHasher({ ...cost, memoryKiB: 24 })
const free = { scopes: null, roles: [] }

/** Accounts on a new store; `over` replaces some of what the store does. */
function setUp (t: Tap, { hasher = cheap, over = () => ({}) }: { hasher?: typeof cheap, over?: (users: Users) => Partial<Users> } = {}) {
  const store = createSqliteStore({ file: ':memory:', clock: createHandClock() })
  t.teardown(() => store.close())
  const events: Event[] = []
  const users = { ...store.users, ...over(store.users) }
  const accounts = (use = hasher) => createAccounts({ users, hasher: use, emit: event => events.push(event), minLength: () => 8 })
  return { ...accounts(), accounts, events, users: store.users }
}
type Tap = Pick<typeof t, 'teardown'>

/** Adds Ann and gives her account. */
async function addAnn ({ add, find, events }: ReturnType<typeof setUp>) {
  await add({ name: 'Ann', password: 'correct horse', scopes: ['a'], roles: ['admin'] })
  events.length = 0
  const ann = await find('ann')
  if (ann === undefined) throw new Error('Ann is not there')
  return ann
}

t.test('an added user gets in by any form of the name', async t => {
  const { add, authenticate, find, events } = setUp(t)
  const outcome = await add({ name: 'Zoë', password: 'correct horse', scopes: ['a', 'b'], roles: ['admin'] })
  t.match(outcome, { kind: 'added', account: { name: 'Zoë', sub: /^[0-9a-f-]{36}$/ } })
  const account = await find('zoe\u0308')
  t.match(account, { name: 'Zoë', foldedName: 'zoë', scopes: ['a', 'b'], roles: ['admin'], disabled: false, epoch: 1 })
  t.equal(account?.tag, userTag(account?.sub ?? ''))
  t.same(await authenticate('ZOË', 'correct horse'), { kind: 'ok', account })
  t.same(events, [{ type: 'user.changed', sub: account?.sub, change: 'added' }])
})

t.test('who does not get in is told why, for the log', async t => {
  const set = setUp(t)
  const { sub } = await addAnn(set)
  t.same(await set.authenticate('bob', 'correct horse'), { kind: 'refused', reason: 'user_unknown' })
  t.same(await set.authenticate('a name that nobody has', 'correct horse'), { kind: 'refused', reason: 'user_unknown' })
  t.same(await set.authenticate('ann', 'wrong horse'), { kind: 'refused', reason: 'password_wrong', sub })
  await set.disable('ann')
  t.same(await set.authenticate('ann', 'wrong horse'), { kind: 'refused', reason: 'password_wrong', sub }, 'only the password tells that it is disabled')
  t.same(await set.authenticate('ann', 'correct horse'), { kind: 'refused', reason: 'user_disabled', sub })
})

t.test('every refusal costs one hash', async t => {
  const done: string[] = []
  const hasher = {
    ...cheap,
    verify: (hash: string, password: string) => { done.push('verify'); return cheap.verify(hash, password) },
    verifyNothing: (password: string) => { done.push('nothing'); return cheap.verifyNothing(password) },
  }
  const set = setUp(t, { hasher })
  await addAnn(set)
  await set.disable('ann')
  for (const name of ['bob', '', 'ann lee', 'ann']) await set.authenticate(name, 'wrong horse')
  await set.authenticate('ann', 'correct horse')
  t.same(done, ['nothing', 'nothing', 'nothing', 'verify', 'verify'])
})

const additions = [
  { name: 'a name that nobody can have', user: { name: 'ann lee' }, reason: 'name_invalid' },
  { name: 'a name that is taken', user: { name: 'ANN' }, reason: 'name_taken' },
  { name: 'a short password', user: { password: 'short' }, reason: 'password_too_short' },
  { name: 'a long password', user: { password: 'x'.repeat(257) }, reason: 'password_too_long' },
  { name: 'the name as password', user: { name: 'benjamin', password: 'Benjamin' }, reason: 'password_is_name' },
  { name: 'a password that no form carries', user: { password: 'correct\nhorse' }, reason: 'password_malformed' },
]

for (const { name, user, reason } of additions) {
  t.test(`no user is added with ${name}`, async t => {
    const set = setUp(t)
    await addAnn(set)
    t.same(await set.add({ name: 'bob', password: 'correct horse', ...free, ...user }), { kind: 'refused', reason })
    t.same(set.events, [])
    for await (const { name } of set.all()) t.equal(name, 'Ann')
  })
}

t.test('an account comes with its hash, its id and its state', async t => {
  const { importHash, find, authenticate, events } = setUp(t)
  const passwordHash = await cheap.hash('correct horse')
  t.same(await importHash({ name: 'Ann', passwordHash, sub: 'auth0|1', scopes: ['a'], roles: [], disabled: true }),
    { kind: 'added', account: { sub: 'auth0|1', name: 'Ann' } })
  t.match(await find('ann'), { sub: 'auth0|1', tag: userTag('auth0|1'), passwordHash, scopes: ['a'], disabled: true })
  t.match(await importHash({ name: 'Bob', passwordHash, ...free, disabled: false }), { kind: 'added', account: { sub: /^[0-9a-f-]{36}$/ } })
  t.match(await authenticate('bob', 'correct horse'), { kind: 'ok', account: { name: 'Bob' } })
  t.same(events.map(({ type }) => type), ['user.changed', 'user.changed'])
})

const COSTLY = '$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs'
const imports = [
  { name: 'another hash', user: { passwordHash: '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy' }, reason: 'hash_unsupported' },
  { name: 'an argon2i hash', user: { passwordHash: COSTLY.replace('argon2id', 'argon2i') }, reason: 'hash_unsupported' },
  { name: 'a hostile hash', user: { passwordHash: COSTLY }, reason: 'hash_too_costly' },
  { name: 'a name that nobody can have', user: { name: '' }, reason: 'name_invalid' },
  { name: 'a name that is taken', user: { name: 'ann', sub: 'other' }, reason: 'name_taken' },
  { name: 'an id that is taken', user: { sub: 'ann-1' }, reason: 'sub_taken' },
  { name: 'an empty id', user: { sub: '' }, reason: 'sub_invalid' },
  { name: 'an id with a blank', user: { sub: 'a b' }, reason: 'sub_invalid' },
  { name: 'an endless id', user: { sub: 'a'.repeat(256) }, reason: 'sub_invalid' },
]

for (const { name, user, reason } of imports) {
  t.test(`no account is imported with ${name}`, async t => {
    const { importHash, events } = setUp(t)
    const passwordHash = await cheap.hash('correct horse')
    await importHash({ name: 'Ann', passwordHash, sub: 'ann-1', ...free, disabled: false })
    t.same(await importHash({ name: 'bob', passwordHash, ...free, disabled: false, ...user }), { kind: 'refused', reason })
    t.equal(events.length, 1)
  })
}

t.test('a new password replaces the old one and ends all sessions', async t => {
  const set = setUp(t)
  const { sub } = await addAnn(set)
  t.same(await set.setPassword('ANN', 'battery staple'), { kind: 'done', sub })
  t.match(await set.authenticate('ann', 'battery staple'), { kind: 'ok', account: { epoch: 2 } })
  t.match(await set.authenticate('ann', 'correct horse'), { reason: 'password_wrong' })
  t.same(set.events, [{ type: 'user.changed', sub, change: 'password' }])
  t.same(await set.setPassword('ann', 'short'), { kind: 'refused', reason: 'password_too_short' })
  t.same(await set.setPassword('bob', 'battery staple'), { kind: 'refused', reason: 'user_unknown' })
})

t.test('what an operator does is done and told', async t => {
  const set = setUp(t)
  const { sub } = await addAnn(set)
  const done = { kind: 'done', sub }
  t.same(await set.disable('ann'), done)
  t.match(await set.find('ann'), { disabled: true, epoch: 2 })
  t.same(await set.enable('ann'), done)
  t.match(await set.find('ann'), { disabled: false, epoch: 2 })
  t.same(await set.endSessions('ann'), done)
  t.match(await set.find('ann'), { epoch: 3 })
  t.same(await set.setAccess('ann', { scopes: null, roles: ['clerk'] }), done)
  t.match(await set.find('ann'), { scopes: null, roles: ['clerk'] })
  t.same(await set.remove('ann'), done)
  t.equal(await set.find('ann'), undefined)
  const changes = ['disabled', 'enabled', 'sessions_ended', 'access', 'removed']
  t.same(set.events, changes.map(change => ({ type: 'user.changed', sub, change })))
})

t.test('an unknown user is changed by nothing', async t => {
  const set = setUp(t)
  const changes = [set.disable, set.enable, set.endSessions, set.remove, (name: string) => set.setAccess(name, free)]
  for (const change of changes) t.same(await change('bob'), { kind: 'refused', reason: 'user_unknown' })
  t.same(set.events, [])
})

t.test('a user who is removed meanwhile is unknown', async t => {
  const set = setUp(t, { over: () => ({ setDisabled: async () => false }) })
  await addAnn(set)
  t.same(await set.disable('ann'), { kind: 'refused', reason: 'user_unknown' })
  t.same(set.events, [])
})

t.test('a hash of an old cost is made anew at the next login, once', async t => {
  const set = setUp(t)
  const { sub } = await addAnn(set)
  const { authenticate } = set.accounts(dearer)
  t.match(await authenticate('ann', 'wrong horse'), { kind: 'refused' })
  t.same(set.events, [], 'not by a wrong password')
  t.match(await authenticate('ann', 'correct horse'), { kind: 'ok' })
  t.match(await authenticate('ann', 'correct horse'), { kind: 'ok' })
  t.same(set.events, [{ type: 'password.upgraded', sub }])
  t.match(await set.find('ann'), { passwordHash: /m=24/, epoch: 1 })
})

t.test('of two logins at once one upgrades', async t => {
  const set = setUp(t)
  await addAnn(set)
  const { authenticate } = set.accounts(dearer)
  const outcomes = await Promise.all([authenticate('ann', 'correct horse'), authenticate('ann', 'correct horse')])
  t.same(outcomes.map(({ kind }) => kind), ['ok', 'ok'])
  t.equal(set.events.length, 1)
})

t.test('an upgrade that finds the queue full is put off', async t => {
  const set = setUp(t)
  await addAnn(set)
  const narrow = createPasswordHasher({ ...cost, memoryKiB: 24, concurrency: 1, queue: 0 })
  // The queue fills between the check and the upgrade.
  const hasher = {
    ...narrow,
    hash: (password: string) => {
      narrow.verifyNothing('').catch(() => {})
      return narrow.hash(password)
    },
  }
  t.match(await set.accounts(hasher).authenticate('ann', 'correct horse'), { kind: 'ok' })
  t.same(set.events, [])
  t.match(await set.find('ann'), { passwordHash: /m=16/ })
})

t.test('a fault is no verdict', async t => {
  const fault = async () => { throw new StoreUnavailable('away') }
  const set = setUp(t, { over: () => ({ upgradePassword: fault }) })
  await addAnn(set)
  await t.rejects(set.accounts(dearer).authenticate('ann', 'correct horse'), StoreUnavailable)
  const broken = { ...dearer, hash: async () => { throw new TypeError('a fault of ours') } }
  await t.rejects(set.accounts(broken).authenticate('ann', 'correct horse'), TypeError)
  await t.rejects(setUp(t, { over: () => ({ byName: fault }) }).authenticate('ann', 'correct horse'), StoreUnavailable)
})
