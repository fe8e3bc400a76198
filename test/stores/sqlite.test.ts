// What is SQLite's own: the file, its schema, transactions, and expired rows that go in small steps.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { StoreUnavailable } from '../../src/stores/ports.ts'
import { openDatabase, writing } from '../../src/stores/sqlite/database.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createHandClock } from '../support/clock.ts'
import { everyOne, presented, signIn, someAccount, someLogin } from '../support/stores.ts'

const DAY = 86_400_000

const dir = mkdtempSync(join(tmpdir(), 'latchkey-sqlite-'))
t.teardown(() => rmSync(dir, { recursive: true }))
let files = 0
const freshFile = () => {
  files += 1
  return join(dir, `${files}.db`)
}

t.test('a fresh file gets its folder, the schema, WAL, and writes that reach the disk', async t => {
  const file = join(dir, 'made', 'for', 'it.db')
  const db = openDatabase(file)
  t.teardown(() => db.close())
  t.equal(statSync(join(dir, 'made')).mode & 0o777, 0o700)
  t.match(db.prepare('PRAGMA journal_mode').get(), { journal_mode: 'wal' })
  t.match(db.prepare('PRAGMA synchronous').get(), { synchronous: 2 })
  t.match(db.prepare('PRAGMA foreign_keys').get(), { foreign_keys: 1 })
  const strict = db.prepare('SELECT name FROM pragma_table_list WHERE schema = \'main\' AND type = \'table\' AND strict = 0 AND name NOT LIKE \'sqlite_%\'').all()
  t.same(strict, [], 'every table is strict')
})

t.test('a second opening keeps what is there', async t => {
  const file = freshFile()
  const clock = createHandClock()
  const first = createSqliteStore({ file, clock })
  await first.users.add(someAccount('kept'))
  await first.close()
  const second = createSqliteStore({ file, clock })
  t.teardown(() => second.close())
  t.match(await second.users.byName('name of kept'), { sub: 'kept' })
})

t.test('a file of a newer schema is refused and left as it is', async t => {
  const file = freshFile()
  openDatabase(file).close()
  const db = new DatabaseSync(file)
  db.exec('PRAGMA user_version = 999')
  db.close()
  const before = readFileSync(file)
  t.throws(() => openDatabase(file), { name: 'StoreUnavailable', cause: { message: /schema 999/ } })
  t.same(readFileSync(file), before)
})

t.test('a step that fails takes back those before it', async t => {
  const file = freshFile()
  const db = new DatabaseSync(file)
  // The schema's second table can't be made where one of its name is.
  db.exec('CREATE TABLE families (mine TEXT)')
  db.close()
  t.throws(() => openDatabase(file), StoreUnavailable)
  const after = new DatabaseSync(file)
  t.teardown(() => after.close())
  t.same(after.prepare('SELECT name FROM sqlite_master').all().map(row => row['name']), ['families'])
  t.match(after.prepare('PRAGMA user_version').get(), { user_version: 0 })
})

t.test('what is no database, and a place that can\'t be written', async t => {
  const file = freshFile()
  writeFileSync(file, 'this is no database, but long enough to be taken for one: '.repeat(100))
  t.throws(() => openDatabase(file), StoreUnavailable)
  t.throws(() => openDatabase('/dev/null/latchkey.db'), StoreUnavailable)
})

t.test('a step that throws is rolled back', async t => {
  const db = openDatabase(':memory:')
  t.teardown(() => db.close())
  const half = writing(db, () => {
    db.exec('INSERT INTO probes (id) VALUES (1)')
    throw new Error('half way')
  })
  await t.rejects(half, { name: 'StoreUnavailable', cause: { message: 'half way' } })
  t.equal(db.isTransaction, false)
  t.same(db.prepare('SELECT * FROM probes').all(), [])
})

t.test('one whose transaction the database has ended itself, too', async t => {
  const db = openDatabase(':memory:')
  t.teardown(() => db.close())
  const ended = writing(db, () => {
    db.exec('ROLLBACK')
    throw new Error('ended')
  })
  await t.rejects(ended, { name: 'StoreUnavailable', cause: { message: 'ended' } })
})

t.test('a writer waits for another process, but not for ever', async t => {
  const file = freshFile()
  const store = createSqliteStore({ file, clock: createHandClock() })
  const other = new DatabaseSync(file)
  t.teardown(async () => {
    other.close()
    await store.close()
  })
  other.exec('BEGIN IMMEDIATE')
  const start = performance.now()
  await t.rejects(store.users.add(someAccount('waiting')), StoreUnavailable)
  t.ok(performance.now() - start < 2000)
  t.same(await everyOne(store.users.all()), [], 'readers don\'t wait')
  other.exec('ROLLBACK')
  t.equal(await store.users.add(someAccount('waiting')), 'added')
})

t.test('expired rows go in small steps, with the calls that add some', async t => {
  const file = freshFile()
  const clock = createHandClock()
  const store = createSqliteStore({ file, clock })
  const beside = new DatabaseSync(file)
  t.teardown(async () => {
    beside.close()
    await store.close()
  })
  const count = (table: string) => Number(beside.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
  const account = someAccount('swept')
  await store.users.add(account)

  await t.test('families', async t => {
    const ended = await signIn(store, account.tag)
    await store.families.end({ ...ended, clientId: null })
    for (let family = 0; family < 50; family++) await signIn(store, account.tag)
    clock.advance(14 * DAY)
    t.equal(count('families'), 51)
    const living = await signIn(store, account.tag)
    t.equal(count('families'), 32, 'twenty of the idle went')
    await signIn(store, account.tag)
    await signIn(store, account.tag)
    t.equal(count('families'), 4, 'the living and the tombstone stay')
    t.match(await store.families.rotate(presented(ended, 1)), { kind: 'refused', reason: 'family_ended' })
    t.match(await store.families.rotate(presented(living, 1)), { kind: 'rotated' })
    clock.advance(76 * DAY)
    await signIn(store, account.tag)
    t.equal(count('families'), 1)
  })

  await t.test('revocations', async t => {
    const ref = await signIn(store, account.tag)
    for (let token = 0; token < 50; token++) await store.accessTokens.revoke({ ...ref, jti: `t${token}`, expiresAt: clock() + DAY })
    clock.advance(DAY)
    t.equal(count('revocations'), 50)
    await store.accessTokens.revoke({ ...ref, jti: 'new', expiresAt: clock() + DAY })
    t.equal(count('revocations'), 31)
    await store.accessTokens.revoke({ ...ref, jti: 'new', expiresAt: clock() + DAY })
    await store.accessTokens.revoke({ ...ref, jti: 'newer', expiresAt: clock() + DAY })
    t.equal(count('revocations'), 2)
  })

  await t.test('ids that were used', async t => {
    for (let id = 0; id < 50; id++) await store.replays.once(`id-${id}`, DAY)
    clock.advance(DAY)
    t.equal(await store.replays.once('new', DAY), true)
    t.equal(count('replays'), 31)
    t.equal(await store.replays.once('id-49', DAY), true, 'whose time is over, whether it is still there or not')
  })

  await t.test('a family that can\'t be opened leaves nothing', async t => {
    const before = count('families')
    await store.families.open(someLogin(account.tag, { epoch: 9 }))
    t.equal(count('families'), before)
  })
})
