import t from 'tap'
import type { Event } from '../../src/base/events/events.ts'
import { userTag } from '../../src/base/ids.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import type { Account } from '../../src/stores/ports/directory.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createAccounts } from '../../src/users/accounts.ts'
import { createBuiltInDirectory } from '../../src/users/directory/built-in.ts'
import type { Directory } from '../../src/users/directory/directory.ts'
import { createCheckNewPassword } from '../../src/users/new-password.ts'
import { createPasswordHasher } from '../../src/users/hashing/hasher.ts'
import { createHandClock } from '../support/clock.ts'
import { NO_ATTRIBUTES } from '../support/stores.ts'

const cheap = createPasswordHasher({
  memoryKiB: 16,
  passes: 2,
  parallelism: 1,
  concurrency: 2,
  memoryShare: 50,
  queue: 64,
  maxWait: 60_000,
})
const checkNewPassword = createCheckNewPassword({
  minLength: () => 8,
  issuer: 'https://id.example.com',
  isBreached: async () => false,
})
const free = { scopes: null, roles: [] }

/** Accounts on a new directory; `over` replaces some of what the store does. */
function setUp(
  t: Tap,
  {
    over = () => ({}),
    attributes = NO_ATTRIBUTES,
  }: {
    over?: (directory: Directory) => Partial<Directory>
    attributes?: typeof NO_ATTRIBUTES
  } = {},
) {
  const store = createSqliteStore({ file: ':memory:', clock: createHandClock() })
  t.teardown(() => store.close())
  const events: Event[] = []
  const builtIn = createBuiltInDirectory({ ...store, ...attributes })
  return {
    ...createAccounts({
      directory: { ...builtIn, ...over(builtIn) },
      hasher: cheap,
      emit: event => events.push(event),
      checkNewPassword,
      ...attributes,
    }),
    events,
  }
}
type Tap = Pick<typeof t, 'teardown'>

const belongs = (account: Account | undefined, password: string) =>
  cheap.enqueue({ lane: ['test', ''] }, ({ verify }) =>
    verify(account?.passwordHash ?? '', password),
  )

/** Adds Ann and gives her account. */
async function addAnn({ add, find, events }: ReturnType<typeof setUp>) {
  await add({
    name: 'Ann',
    password: 'correct horse',
    scopes: ['a'],
    roles: ['admin'],
  })
  events.length = 0
  const ann = await find('ann')
  if (ann === undefined) throw new Error('Ann is not there')
  return ann
}

t.test('an added user is found by any form of the name', async t => {
  const { add, find, events } = setUp(t)
  const outcome = await add({
    name: 'Zoë',
    password: 'correct horse',
    scopes: ['a', 'b'],
    roles: ['admin'],
  })
  t.match(outcome, { kind: 'added', account: { name: 'Zoë', sub: /^[0-9a-f-]{36}$/ } })
  const account = await find('zoe\u0308')
  t.match(account, {
    name: 'Zoë',
    foldedName: 'zoë',
    scopes: ['a', 'b'],
    roles: ['admin'],
    disabled: false,
    sessionsEpoch: 1,
  })
  t.equal(account?.tag, userTag(account?.sub ?? ''))
  t.ok(await belongs(account, 'correct horse'))
  t.same(events, [{ type: 'user.changed', sub: account?.sub, change: 'added' }])
})

t.test('a name is kept without what stands around it', async t => {
  const { add, find } = setUp(t)
  t.match(await add({ name: ' Zoë\u00A0', password: 'correct horse', ...free }), {
    account: { name: 'Zoë' },
  })
  t.match(await find('zoë '), { name: 'Zoë', foldedName: 'zoë' })
})

const additions = [
  {
    name: 'a name that nobody can have',
    user: { name: 'ann lee' },
    reason: 'name_invalid',
  },
  { name: 'a name that is taken', user: { name: 'ANN' }, reason: 'name_taken' },
  {
    name: 'a role that is none',
    user: { roles: ['a', '\u001B]0;title\u0007'] },
    reason: 'role_invalid',
  },
  { name: 'a short password', user: { password: 'short' }, reason: 'password_too_short' },
  {
    name: 'a long password',
    user: { password: 'x'.repeat(257) },
    reason: 'password_too_long',
  },
  {
    name: 'the name as password',
    user: { name: 'benjamin', password: 'Benjamin' },
    reason: 'password_is_name',
  },
  {
    name: 'a password that no form carries',
    user: { password: 'correct\nhorse' },
    reason: 'password_malformed',
  },
]

for (const { name, user, reason } of additions) {
  t.test(`no user is added with ${name}`, async t => {
    const set = setUp(t)
    await addAnn(set)
    t.same(
      await set.add({
        name: 'bob',
        password: 'correct horse',
        ...free,
        ...user,
      }),
      { kind: 'refused', reason },
    )
    t.same(set.events, [])
    for await (const { name } of set.all()) t.equal(name, 'Ann')
  })
}

t.test('a new password replaces the old one and ends all sessions', async t => {
  const set = setUp(t)
  const { sub } = await addAnn(set)
  t.same(await set.setPassword('ANN', 'battery staple'), { kind: 'done', sub })
  const ann = await set.find('ann')
  t.match(ann, { sessionsEpoch: 2 })
  t.ok(await belongs(ann, 'battery staple'))
  t.notOk(await belongs(ann, 'correct horse'))
  t.same(set.events, [{ type: 'user.changed', sub, change: 'password' }])
  t.same(await set.setPassword('ann', 'short'), {
    kind: 'refused',
    reason: 'password_too_short',
  })
  t.same(await set.setPassword('bob', 'battery staple'), {
    kind: 'refused',
    reason: 'user_unknown',
  })
})

t.test('what an operator does is done and told', async t => {
  const set = setUp(t)
  const { sub } = await addAnn(set)
  const done = { kind: 'done', sub }
  t.same(await set.disable('ann'), done)
  t.match(await set.find('ann'), { disabled: true, sessionsEpoch: 2 })
  t.same(await set.enable('ann'), done)
  t.match(await set.find('ann'), { disabled: false, sessionsEpoch: 2 })
  t.same(await set.setAccess('ann', { scopes: null, roles: ['clerk'] }), done)
  t.match(await set.find('ann'), { scopes: null, roles: ['clerk'] })
  t.same(await set.remove('ann'), done)
  t.equal(await set.find('ann'), undefined)
  const changes = ['disabled', 'enabled', 'access', 'removed']
  t.same(
    set.events,
    changes.map(change => ({ type: 'user.changed', sub, change })),
  )
})

const roles = [
  { name: 'a word', role: 'admin', is: true },
  { name: 'what Keycloak makes', role: 'default-roles-shop', is: true },
  { name: 'a path', role: '/groups/a:b|c"d', is: true },
  { name: 'any letters', role: 'Käufer買い手', is: true },
  { name: '128 characters', role: '🐴'.repeat(128), is: true },
  { name: 'nothing', role: '', is: false },
  { name: 'a blank', role: ' ', is: false },
  { name: 'a blank within', role: 'sales team', is: false },
  { name: 'a no-break space', role: 'a\u00A0b', is: false },
  { name: 'a comma', role: 'a,b', is: false },
  { name: 'NUL', role: 'a\u0000b', is: false },
  { name: 'a line break', role: 'a\nb', is: false },
  { name: 'an escape sequence', role: '\u001B[2J', is: false },
  { name: 'a C1 control', role: 'a\u009B', is: false },
  { name: 'a bidi override', role: 'a\u202E', is: false },
  { name: 'a zero-width space', role: 'a\u200Bb', is: false },
  { name: 'a lone surrogate', role: 'a\uD800', is: false },
  { name: '129 characters', role: 'a'.repeat(129), is: false },
]

for (const { name, role, is } of roles) {
  t.test(`${is ? 'a' : 'no'} role, to be given at any time: ${name}`, async t => {
    const { add, setAccess, find } = setUp(t)
    const user = { name: 'bob', password: 'correct horse', scopes: null }
    const added = await add({ ...user, roles: [role] })
    t.match(added, is ? { kind: 'added' } : { kind: 'refused', reason: 'role_invalid' })
    await add({ ...user, roles: [] })
    const set = await setAccess('bob', { scopes: null, roles: [role] })
    t.match(set, is ? { kind: 'done' } : { kind: 'refused', reason: 'role_invalid' })
    t.same((await find('bob'))?.roles, is ? [role] : [])
  })
}

t.test('an unknown user is changed by nothing', async t => {
  const set = setUp(t)
  const changes = [
    set.disable,
    set.enable,
    set.remove,
    (name: string) => set.setAccess(name, free),
  ]
  for (const change of changes) {
    t.same(await change('bob'), { kind: 'refused', reason: 'user_unknown' })
  }
  t.same(set.events, [])
})

t.test('a user who is removed meanwhile is unknown', async t => {
  const set = setUp(t, { over: () => ({ setDisabled: async () => false }) })
  await addAnn(set)
  t.same(await set.disable('ann'), { kind: 'refused', reason: 'user_unknown' })
  t.same(set.events, [])
})

t.test('a user whose access others always change first is not unknown', async t => {
  const set = setUp(t, { over: () => ({ change: async () => ({ kind: 'superseded' }) }) })
  await addAnn(set)
  const refused = { kind: 'refused', reason: 'changed_meanwhile' }
  t.same(await set.setAccess('ann', free), refused)
  t.same(set.events, [])
})

t.test('a fault is no verdict', async t => {
  const fault = async () => {
    throw new StoreUnavailable(undefined, 'away')
  }
  await t.rejects(
    setUp(t, { over: () => ({ find: fault }) }).find('ann'),
    StoreUnavailable,
  )
  await t.rejects(
    setUp(t, { over: () => ({ add: fault }) }).add({
      name: 'Ann',
      password: 'correct horse',
      ...free,
    }),
    StoreUnavailable,
  )
})

t.test('a rename changes the name alone, and says so once', async t => {
  const accounts = setUp(t)
  const ann = await addAnn(accounts)
  t.same(await accounts.rename('ann', 'Anna'), {
    kind: 'done',
    sub: ann.sub,
    name: 'Anna',
  })
  const { sub, passwordHash } = ann
  t.match(await accounts.find('anna'), { sub, passwordHash, name: 'Anna' })
  t.equal(await accounts.find('ann'), undefined)
  t.same(accounts.events, [{ type: 'user.changed', sub, change: 'renamed' }])
  for (const [name, newName, reason] of [
    ['ann', 'other', 'user_unknown'],
    ['anna', ' ', 'name_invalid'],
  ] as const) {
    t.same(await accounts.rename(name, newName), { kind: 'refused', reason })
  }
  await accounts.add({ name: 'Bob', password: 'correct horse', ...free })
  const taken = { kind: 'refused', reason: 'name_taken' }
  t.same(await accounts.rename('anna', 'BOB'), taken)
  t.equal(accounts.events.length, 2, 'a refusal is no event')
})

t.test('who is removed while being renamed is unknown', async t => {
  const accounts = setUp(t, {
    over: directory => ({
      async rename(change) {
        await directory.remove(change.tag)
        return directory.rename(change)
      },
    }),
  })
  await addAnn(accounts)
  t.same(await accounts.rename('ann', 'Anna'), {
    kind: 'refused',
    reason: 'user_unknown',
  })
  t.same(accounts.events, [])
})

t.test('a name that somebody takes meanwhile is taken', async t => {
  const { add } = setUp(t, { over: () => ({ add: async () => 'name_taken' }) })
  t.match(await add({ name: 'ann', password: 'correct horse', ...free }), {
    kind: 'refused',
    reason: 'name_taken',
  })
})

t.test('a value that somebody takes meanwhile is taken', async t => {
  const taken = { kind: 'value_taken', attribute: 'email' } as const
  const { add } = setUp(t, { over: () => ({ add: async () => taken }) })
  t.match(await add({ name: 'ann', password: 'correct horse', ...free }), {
    kind: 'refused',
    reason: 'attribute_taken',
    path: 'email',
  })
})
