// A database and the store of its sessions belong together: nobody decides for the servers of one store where
// the accounts are beside another one, and nobody works on a store alone whose accounts have been moved.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'
import { NO_ACCOUNTS_HOME } from '../../src/stores/ports/documents/accounts-home.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import type { Connections } from '../../src/stores/postgres/database/connections.ts'
import { pairUp, tellElsewhere } from '../../src/stores/postgres/moving/pair.ts'
import { withPostgres } from '../../src/stores/postgres/store.ts'
import { startServer } from '../../src/server.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { configOf } from '../support/in-process.ts'
import { startPglite, type TestPostgres } from '../support/pglite.ts'
import { startRedis } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'

/** Somebody who looks at no bar. */
const QUIET = { show() {}, moved() {} }
const OTHER =
  /127\.0\.0\.1:\d+\/postgres \(store\.accounts\) belongs to another store.*DROP SCHEMA/
const ELSEWHERE = /127\.0\.0\.1:\d+\/postgres \(store\.accounts\) does not have them/

async function databaseOf(t: Test): Promise<TestPostgres> {
  const database = await startPglite()
  t.teardown(() => database.stop())
  return database
}

async function storeWith(t: Test, ...subs: readonly string[]): Promise<Store> {
  const store = createSqliteStore({ file: ':memory:', clock: systemClock })
  t.teardown(() => store.close())
  await store.directory.addAll(subs.map(sub => someAccount(sub)))
  return store
}

/** Opens them and does something; the store stays open. */
async function beside<Result>(
  sessions: Store,
  { server }: TestPostgres,
  work: (opened: Awaited<ReturnType<typeof withPostgres>>) => Promise<Result>,
): Promise<Result> {
  const opened = await withPostgres({ ...sessions, close: async () => {} }, server)
  try {
    return await work(opened)
  } finally {
    await opened.store.close()
  }
}

const isMoved = ({ run }: TestPostgres) => run('SELECT moved FROM latchkey.format')

const open = (sessions: Store, database: TestPostgres) =>
  beside(sessions, database, async ({ move }) => (await move.state()).isMoved)

t.test(
  'beside a store without accounts nothing is decided for those of another',
  async t => {
    const database = await databaseOf(t)
    const [theirs, empty, other] = [
      await storeWith(t, 'ann', 'bob'),
      await storeWith(t),
      await storeWith(t, 'eve'),
    ]
    t.equal(await open(theirs, database), false)
    for (const wrong of [empty, other]) {
      await t.rejects(open(wrong, database), OTHER)
      t.same(await isMoved(database), [{ moved: false }])
      t.same(await wrong.accountsHome.load(), NO_ACCOUNTS_HOME, 'it is told nothing')
    }
    await beside(theirs, database, async ({ store, move }) => {
      t.match(await store.directory.byName('name of ann'), { sub: 'ann' })
      t.equal(await move.run(QUIET), 2)
    })
    await t.rejects(open(other, database), /store\.url has accounts/)
    t.equal(await open(empty, database), true, 'a store that was lost begins anew')
    t.equal(await open(theirs, database), true)
  },
)

t.test("a store is no other database's", async t => {
  const [one, two] = [await databaseOf(t), await databaseOf(t)]
  const [first, second] = [await storeWith(t), await storeWith(t)]
  t.equal(await open(first, one), true)
  t.equal(await open(second, two), true)
  await t.rejects(open(first, two), OTHER)
  const fresh = await databaseOf(t)
  await t.rejects(open(first, fresh), ELSEWHERE)
  t.same(await isMoved(fresh), [{ moved: false }])
  await two.run('UPDATE latchkey.format SET moved = false')
  await t.rejects(open(second, two), ELSEWHERE, 'a database from before the move')
})

t.test('a move that died between its last two steps is made again', async t => {
  const database = await databaseOf(t)
  const sessions = await storeWith(t, 'ann')
  t.equal(await open(sessions, database), false)
  await tellElsewhere(sessions)
  await t.rejects(open(sessions, await databaseOf(t)), ELSEWHERE)
  await beside(sessions, database, async ({ store, move }) => {
    t.match(await store.directory.byName('name of ann'), { sub: 'ann' })
    t.equal(await move.run(QUIET), 1)
    t.match(await store.directory.byName('name of ann'), { sub: 'ann' })
  })
})

t.test('what stands in a database without a pair is not covered', async t => {
  for (const trace of [
    "INSERT INTO latchkey.touched VALUES ('tag')",
    `INSERT INTO latchkey.accounts VALUES
      ('tag', 'sub', 'Ann', 'ann', '!', NULL, '{}', '{}', NULL, false, false, NULL, NULL, 1, true, 1, 1, 1)`,
  ]) {
    const database = await databaseOf(t)
    await open(await storeWith(t, 'ann'), database)
    await database.run("UPDATE latchkey.format SET pair = ''")
    await database.run(trace)
    const empty = await storeWith(t)
    await t.rejects(open(empty, database), OTHER)
    t.same(await isMoved(database), [{ moved: false }])
  }
})

t.test('a database of before there were pairs', async t => {
  const database = await databaseOf(t)
  const sessions = await storeWith(t)
  await beside(sessions, database, ({ store }) => store.directory.add(someAccount('ann')))
  const forget = async () => {
    await database.run("UPDATE latchkey.format SET moved = false, pair = ''")
    const { version } = await sessions.accountsHome.load()
    await sessions.accountsHome.save({ ...NO_ACCOUNTS_HOME, version })
  }
  await forget()
  t.equal(await open(sessions, database), true, 'has the accounts of the subjects')
  await forget()
  await database.run('DELETE FROM latchkey.accounts')
  await t.rejects(open(sessions, database), ELSEWHERE, 'or it has not')
})

t.test('of two that name a database for a store at once one is refused', async t => {
  const sessions = await storeWith(t)
  const accountsHome = { ...sessions.accountsHome, save: async () => false }
  const database = await databaseOf(t)
  await t.rejects(open({ ...sessions, accountsHome }, database), /start again/)
  t.same(await isMoved(database), [{ moved: false }])
})

t.test('without PostgreSQL nobody works on a store whose accounts are there', async t => {
  const database = await databaseOf(t)
  const url = `sqlite:${join(t.testdir(), 'latchkey.db')}`
  const settings = { url, clock: systemClock }
  const accounts = database.server
  const before = await openStore(settings)
  await before.store.directory.add(someAccount('ann'))
  await before.store.close()
  const both = await openStore({ ...settings, accounts })
  const beside = await openStore(settings)
  await beside.store.close()
  await both.move?.run(QUIET)
  await both.store.close()
  await t.rejects(openStore(settings), {
    name: 'StoreUnavailable',
    message: /moved to PostgreSQL: name it in store\.accounts/,
  })
  await database.away()
  const alone = await openStore({ ...settings, accounts, isAlone: true })
  t.equal(await alone.store.directory.count(), 1, 'but on the store itself')
  await alone.store.close()
})

t.test('a store that must not be used decides nothing', async t => {
  const database = await databaseOf(t)
  const unsafe = new Error('it may evict keys')
  const judge = async () => {
    throw unsafe
  }
  const settings = {
    url: 'sqlite::memory:',
    clock: systemClock,
    accounts: database.server,
  }
  await t.rejects(openStore({ ...settings, judge }), unsafe)
  const redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
  t.teardown(() => redis.stop())
  const { url } = database.server
  const store = { url: redis.url, accounts: { url, connections: 1 } }
  await t.rejects(startServer({ config: configOf('', { store }) }), {
    message: /store\.allowEviction/,
  })
  t.same(await database.run("SELECT FROM pg_namespace WHERE nspname = 'latchkey'"), [])
})

t.test('a large store is looked through before the transaction, not within', async t => {
  const store = await storeWith(t, 'ann')
  let isWithin = false
  const searches: boolean[] = []
  const directory = {
    ...store.directory,
    search: (...args: Parameters<Store['directory']['search']>) => {
      searches.push(isWithin)
      return store.directory.search(...args)
    },
  }
  const ask: Connections['ask'] = async () => [{ pair: '', moved: false }]
  const connections: Connections = {
    where: 'db:5432/postgres',
    ask,
    async within(_locks, work) {
      isWithin = true
      return work(ask)
    },
    close: async () => {},
  }
  await pairUp({ connections, sessions: { ...store, directory } })
  t.same(searches, [false, false, true, true], 'PostgreSQL ends one that is silent')
})
