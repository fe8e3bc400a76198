// Accounts in PostgreSQL beside sessions in SQLite: the two stores come together again after whatever one of
// them has lost, and each goes on as far as it can while the other is away. test/contracts/ has the rest.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { checkStore, openStore } from '../../src/stores/open.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import {
  openConnections,
  type Connections,
} from '../../src/stores/postgres/database/connections.ts'
import {
  checkFormat,
  formatOf,
  migrate,
} from '../../src/stores/postgres/database/migrations.ts'
import { POSTGRES_STEPS } from '../../src/stores/postgres/database/steps.ts'
import { createSettlement } from '../../src/stores/postgres/people/settle.ts'
import { withPostgres } from '../../src/stores/postgres/store.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { startPglite, type TestPostgres } from '../support/pglite.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { until } from '../support/until.ts'

const sqlite = () => createSqliteStore({ file: ':memory:', clock: systemClock })

interface World {
  readonly database: TestPostgres
  readonly sessions: Store
  readonly store: Store
}

async function start(t: Test): Promise<World> {
  const database = await startPglite()
  const sessions = sqlite()
  const { store } = await withPostgres(sessions, database.server)
  t.teardown(async () => {
    await store.close()
    await database.stop()
  })
  return { database, sessions, store }
}

const ann = someAccount('ann', { roles: ['reader'] })
const { tag, foldedName } = ann

t.test('the tables: made once, and not by who knows too little', async t => {
  const database = await startPglite()
  const connections = await openConnections(database.server)
  t.teardown(async () => {
    await connections.close()
    await database.stop()
  })
  const { ask, where } = connections
  t.equal(where.endsWith('/postgres'), true)
  t.same(await formatOf(ask, where), { steps: 0, readableFrom: 0 })
  t.equal(await checkFormat(connections), 'old')
  t.same(await ask({ text: "SELECT FROM pg_namespace WHERE nspname = 'latchkey'" }), [])
  await Promise.all([migrate(connections), migrate(connections)])
  const first = await formatOf(ask, where)
  const { length: steps } = POSTGRES_STEPS
  t.match(first, { steps, readableFrom: 1 })
  t.equal(await checkFormat(connections), 'ok')
  await migrate(connections)
  const next = [...POSTGRES_STEPS, 'CREATE TABLE latchkey.more (id integer)']
  await migrate(connections, next)
  t.same(await formatOf(ask, where), { steps: steps + 1, readableFrom: 1 })
  await t.resolves(migrate(connections), 'a release of before goes on')
  await migrate(connections, [...next, { breaking: 'DROP TABLE latchkey.more' }])
  t.same(await formatOf(ask, where), { steps: steps + 2, readableFrom: steps + 2 })
  const reason = new RegExp(`newer Latchkey.*format ${steps + 2}`, 's')
  const refused = { name: 'StoreUnavailable', reason }
  await t.rejects(migrate(connections), refused)
  const other = { ask: async () => [{ encoding: 'LATIN1' }], where: 'db' }
  await t.rejects(checkFormat({ ...connections, ...other }), { message: /LATIN1/ })
})

t.test('a store of sessions that has lost all gets the subjects again', async t => {
  const { store, database } = await start(t)
  await store.directory.add(ann)
  await store.directory.setPassword(tag, '$argon2id$second')
  const lost = sqlite()
  const { store: again } = await withPostgres(lost, database.server)
  t.match(await again.directory.page({ limit: 1 }), [{ sub: 'ann', sessionsEpoch: 2 }])
  t.match(await again.subjects.byTag(tag), { sub: 'ann', roles: ['reader'] })
  t.match(await again.directory.byName(foldedName), {
    passwordHash: '$argon2id$second',
    sessionsEpoch: 1,
  })
  await t.resolves(signIn(again, tag))
  t.match(await lost.directory.byTag(tag), { passwordHash: '!', uniqueValues: undefined })
  t.equal(await lost.directory.byName(foldedName), undefined)

  const gone = someAccount('gone')
  await store.directory.add(gone)
  t.equal(await again.directory.setPassword(gone.tag, '$argon2id$third'), true)
  t.match(await again.directory.byTag(gone.tag), { passwordHash: '$argon2id$third' })
  const third = someAccount('third')
  await store.directory.add(third)
  const ticket = { tag: third.tag, purpose: 'recovery' as const, hash: 'h', codes: [] }
  const change = { passwordHash: '$argon2id$x', provesAddress: false, version: 0 }
  t.match(
    await again.tickets.setPassword({ ticket: { ...ticket, address: 'a' }, ...change }),
    { kind: /ticket_refused|user_unknown/ },
  )
  t.match(await again.directory.byTag(third.tag), { passwordHash: '$argon2id$first' })
  await again.close()
})

t.test('one that was put back ends the sessions of before', async t => {
  const { store, database } = await start(t)
  await store.directory.add(ann)
  const session = await signIn(store, tag)
  await database.run('UPDATE latchkey.accounts SET sessions_epoch = 7')
  t.match(await store.directory.byName(foldedName), { sessionsEpoch: 2 })
  t.match(await store.families.rotate(presented(session, 1)), {
    reason: 'sessions_ended',
  })
})

t.test('whoever died between the two stores: sessions have ended, no more', async t => {
  const { store, sessions } = await start(t)
  await store.directory.add(ann)
  const before = await store.directory.byName(foldedName)
  const session = await signIn(store, tag)
  await sessions.subjects.endSessions(tag)
  await t.rejects(signIn(store, tag, { sessionsEpoch: Number(before?.sessionsEpoch) }))
  t.match(await store.directory.page({ limit: 1 }), [{ sessionsEpoch: 2 }])
  const after = await store.directory.byName(foldedName)
  t.match(after, { sessionsEpoch: 2, passwordHash: '$argon2id$first', version: 0 })
  await t.resolves(signIn(store, tag, { sessionsEpoch: 2 }))
  t.match(await store.families.rotate(presented(session, 1)), { kind: 'refused' })
})

t.test('what nobody has told the store of the sessions is told later', async t => {
  const { store, sessions, database } = await start(t)
  const many = Array.from({ length: 120 }, (_, at) => someAccount(`many-${at}`))
  t.equal((await store.directory.addAll([ann, ...many])).size, 121)
  await database.run(
    "UPDATE latchkey.accounts SET roles = '{boss}', disabled = true, unsettled = true",
  )
  t.match(await sessions.subjects.byTag(tag), { roles: ['reader'], disabled: false })
  await store.directory.settle()
  t.match(await sessions.subjects.byTag(tag), { roles: ['boss'], disabled: true })
  t.same(await database.run('SELECT FROM latchkey.accounts WHERE unsettled'), [])
})

t.test('a change that was made is one, whatever comes after it', async t => {
  const { sessions, database } = await start(t)
  let isDeaf = true
  const away = () => Promise.reject(new StoreUnavailable(undefined, 'away'))
  const { add, change } = sessions.directory
  const directory: Store['directory'] = {
    ...sessions.directory,
    add: account => (isDeaf ? away() : add(account)),
    change: changed => (isDeaf ? away() : change(changed)),
  }
  const { store } = await withPostgres({ ...sessions, directory }, database.server)
  t.teardown(() => store.close())
  t.equal(await store.directory.add(ann), 'added')
  t.equal(await sessions.directory.byTag(tag), undefined)
  isDeaf = false
  t.match(await store.directory.byName(foldedName), { roles: ['reader'] })
  isDeaf = true
  t.equal(await store.subjects.setAccess(tag, { scopes: null, roles: ['boss'] }), true)
  t.match(await sessions.subjects.byTag(tag), { roles: ['reader'] })
  await t.rejects(store.directory.byName(foldedName), StoreUnavailable)
  isDeaf = false
  t.match(await store.directory.byName(foldedName), { roles: ['boss'] })
  t.match(await sessions.subjects.byTag(tag), { roles: ['boss'] })
})

t.test('an account that could not be committed leaves no subject', async t => {
  const { store, sessions, database } = await start(t)
  await database.run(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RAISE EXCEPTION ''no''; END'`)
  await database.run(`CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON latchkey.accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`)
  await t.rejects(store.directory.add(ann), StoreUnavailable)
  t.equal(await sessions.directory.byTag(tag), undefined)
})

t.test('stores that never agree are no store', async t => {
  const { store, sessions } = await start(t)
  await store.directory.add(ann)
  const account = await store.directory.byTag(tag)
  if (account === undefined) throw new Error('nobody')
  const connections: Connections = {
    where: '',
    ask: async () => [],
    within: (_, work) => work(async () => []),
    async close() {},
  }
  const deaf = {
    ...sessions.directory,
    change: async () => ({ kind: 'changed' }) as const,
  }
  const { settleIn, settle } = createSettlement(connections, {
    ...sessions,
    directory: deaf,
  })
  t.equal(await settle('nobody'), undefined)
  await t.rejects(
    settleIn(async () => [], { ...account, roles: ['other'] }),
    {
      name: 'StoreUnavailable',
    },
  )
})

t.test('attributes that jsonb can not hold', async t => {
  const { store, database } = await start(t)
  const attributes = { note: 'a\0b', list: ['\\u0000', '\0'], seats: 3 }
  await store.directory.add({ ...ann, attributes })
  t.same((await store.directory.byTag(tag))?.attributes, attributes)
  t.match(
    await database.run("SELECT attributes->>'note' AS note FROM latchkey.accounts"),
    [{ note: 'a\uFFFDb' }],
  )
  t.same(await store.directory.search({ prefix: '\0', limit: 5 }), [])
  // What is there and undefined is as good as absent.
  const change = { tag, version: 0, attributes, emailVerified: true, uniqueValues: [] }
  const nothing: object = { roles: undefined }
  t.same(await store.directory.change({ ...change, ...nothing, endsSessions: false }), {
    kind: 'changed',
  })
  t.match(await store.directory.byTag(tag), { roles: ['reader'], emailVerified: true })
})

t.test('the shadow of somebody elsewhere, and one that is adopted', async t => {
  const { store } = await start(t)
  const external = { directory: 'app', id: 'a\0b' }
  await store.directory.add({ ...ann, external })
  t.same((await store.directory.byTag(tag))?.external, external)
  t.equal(await store.directory.adopt(tag), true)
  t.match(await store.directory.byTag(tag), { external: undefined, version: 1 })
  t.equal(await store.directory.adopt('nobody'), false)
})

t.test('PostgreSQL away: logins wait for it, sessions do not', async t => {
  const { store, database } = await start(t)
  await store.directory.add(ann)
  const session = await signIn(store, tag)
  await database.away()
  for (let count = 0; count < 8; count++) {
    await t.rejects(store.directory.byName(foldedName), {
      name: 'StoreUnavailable',
      reason: /^PostgreSQL at 127\.0\.0\.1:\d+\/postgres, which has the accounts/,
    })
  }
  await t.rejects(store.directory.setPassword(tag, 'x'), StoreUnavailable)
  t.match(await store.families.rotate(presented(session, 1)), { kind: 'rotated' })
  t.equal(await store.subjects.endSessions(tag), true)
  await database.back()
  await until(() => store.directory.byName(foldedName).then(found => found !== undefined))
  t.match(await store.directory.byName(foldedName), {
    sessionsEpoch: 2,
    passwordHash: '$argon2id$first',
  })
})

t.test('a store of sessions that fails changes nothing in PostgreSQL', async t => {
  const { store, sessions, database } = await start(t)
  await store.directory.add(ann)
  await sessions.close()
  await t.rejects(store.directory.setPassword(tag, '$argon2id$second'), {
    name: 'StoreUnavailable',
    reason: /SQLite/,
  })
  t.match(await database.run('SELECT password_hash AS hash FROM latchkey.accounts'), [
    { hash: '$argon2id$first' },
  ])
})

t.test('a password file is read at the connection', async t => {
  const database = await startPglite()
  t.teardown(() => database.stop())
  const passwordFile = join(t.testdir(), 'none')
  await t.rejects(withPostgres(sqlite(), { ...database.server, passwordFile }), {
    message: /passwordFile: expected/,
  })
})

t.test('opened and checked by the settings', async t => {
  const database = await startPglite()
  t.teardown(() => database.stop())
  const file = join(t.testdir(), 'latchkey.db')
  const settings = { url: `sqlite:${file}`, clock: systemClock }
  const accounts = database.server
  t.match(await checkStore({ ...settings, accounts }), { state: 'new' })
  t.same(await database.run("SELECT FROM pg_namespace WHERE nspname = 'latchkey'"), [])
  const { store } = await openStore({ ...settings, accounts })
  t.equal(await store.directory.add(ann), 'added')
  await store.close()
  await t.rejects(openStore(settings), /name it in store\.accounts/)
  const alone = await openStore({ ...settings, isAlone: true })
  t.equal(await alone.store.directory.byName(foldedName), undefined)
  await alone.store.directory.add(someAccount('own'))
  await alone.store.close()
  await database.away()
  await t.rejects(checkStore({ ...settings, accounts }), StoreUnavailable)
})
