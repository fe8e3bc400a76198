// What is SQLite's own: the file, its schema, transactions, and expired rows that go in small steps.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { failureOf } from '../../src/cli/terminal/refused.ts'
import { userTag } from '../../src/base/ids.ts'
import { openStore } from '../../src/stores/open.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import {
  openDatabase,
  reading,
  writing,
} from '../../src/stores/sqlite/database/database.ts'
import { formatOf, migrate } from '../../src/stores/sqlite/database/migrations.ts'
import { SQLITE_STEPS } from '../../src/stores/sqlite/database/steps.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { createHandClock } from '../support/clock.ts'
import { locksOn } from '../support/file-locks.ts'
import { everyOne, presented, signIn, someAccount, someLogin } from '../support/stores.ts'
import { PATIENT, SOON_MS } from '../support/until.ts'

const DAY = 86_400_000

const dir = mkdtempSync(join(tmpdir(), 'latchkey-sqlite-'))
t.teardown(() => rmSync(dir, { recursive: true }))
let files = 0
const freshFile = () => {
  files += 1
  return join(dir, `${files}.db`)
}

t.test('a fresh file gets its folder, the schema and a write-ahead log', async t => {
  const file = join(dir, 'made', 'for', 'it.db')
  const db = openDatabase(file)
  t.teardown(() => db.close())
  t.equal(statSync(join(dir, 'made')).mode & 0o777, 0o700)
  t.match(db.prepare('PRAGMA journal_mode').get(), { journal_mode: 'wal' })
  // NORMAL: log.ts waits for the disk.
  t.match(db.prepare('PRAGMA synchronous').get(), { synchronous: 1 })
  t.match(db.prepare('PRAGMA foreign_keys').get(), { foreign_keys: 1 })
  const strict = db
    .prepare(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 " +
        "AND name NOT LIKE 'sqlite_%'",
    )
    .all()
  t.same(strict, [], 'every table is strict')
})

t.test('a second opening keeps what is there', async t => {
  const file = freshFile()
  const clock = createHandClock()
  const first = createSqliteStore({ file, clock })
  await first.directory.add(someAccount('kept'))
  await first.close()
  const second = createSqliteStore({ file, clock })
  t.teardown(() => second.close())
  t.match(await second.directory.byName('name of kept'), { sub: 'kept' })
})

t.test(
  'no other opening in the process takes the locks away that keep the write-ahead log alive',
  async t => {
    const file = freshFile()
    const clock = createHandClock()
    const first = createSqliteStore({ file, clock })
    t.teardown(() => first.close())
    await first.directory.add(someAccount('kept'))
    t.ok(locksOn(file, process.pid) > 0, 'after the start')
    const second = createSqliteStore({ file, clock })
    t.ok(locksOn(file, process.pid) > 0, 'after another opening')
    await second.close()
    t.ok(locksOn(file, process.pid) > 0, 'after its end')
  },
)

/** The format of a file as the pragma and the mark have it. */
function formatOfFile(file: string): { steps: number; readableFrom: number } {
  const db = new DatabaseSync(file)
  const format = formatOf(db)
  db.close()
  return format
}

/** Does what a newer release does when it starts on the file. */
function changeByNewer(file: string, ...newer: typeof SQLITE_STEPS): void {
  const db = new DatabaseSync(file)
  migrate(db, { steps: [...SQLITE_STEPS, ...newer] })
  db.close()
}

t.test('a file that a newer release has added to is worked on and keeps it', async t => {
  const file = freshFile()
  const [clock, known] = [createHandClock(), SQLITE_STEPS.length]
  openDatabase(file).close()
  changeByNewer(
    file,
    "ALTER TABLE users ADD COLUMN mail TEXT NOT NULL DEFAULT 'none'",
    'CREATE TABLE invoices (id TEXT PRIMARY KEY)',
  )
  const store = createSqliteStore({ file, clock })
  t.equal(await store.directory.add(someAccount('kept')), 'added')
  t.ok(await store.subjects.setAccess(userTag('kept'), { scopes: null, roles: ['a'] }))
  t.match(await store.inspect(), [{ check: 'format', advice: `knows ${known}` }])
  await store.close()
  t.equal(formatOfFile(file).steps, known + 2, 'the newer release need not do it again')
  const db = openDatabase(file)
  t.match(db.prepare('SELECT mail FROM users').all(), [{ mail: 'none' }])
  db.close()
  const own = createSqliteStore({ file: freshFile(), clock })
  t.teardown(() => own.close())
  t.same(await own.inspect(), [], 'its own format is nothing to speak of')
})

t.test('a file that the release before has made is added to, and still its own', t => {
  const file = freshFile()
  const db = new DatabaseSync(file)
  migrate(db, { upTo: 5 })
  db.close()
  t.same(formatOfFile(file), { steps: 5, readableFrom: 5 })
  openDatabase(file).close()
  t.same(formatOfFile(file), { steps: SQLITE_STEPS.length, readableFrom: 5 })
  t.end()
})

t.test('a file that a newer release has broken with is refused as it is', async t => {
  const file = freshFile()
  openDatabase(file).close()
  changeByNewer(file, 'CREATE TABLE a (b)', { breaking: 'DROP TABLE probes' })
  const before = readFileSync(file)
  const newer = SQLITE_STEPS.length + 2
  t.same(formatOfFile(file), { steps: newer, readableFrom: newer })
  t.throws(() => openDatabase(file), {
    name: 'StoreUnavailable',
    message: `a newer Latchkey has changed it to format ${newer}`,
  })
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
  t.same(
    after
      .prepare('SELECT name FROM sqlite_master')
      .all()
      .map(row => row['name']),
    ['families'],
  )
  t.match(after.prepare('PRAGMA user_version').get(), { user_version: 0 })
})

/** A file with some hundred pages. */
function filledFile(): string {
  const file = freshFile()
  const db = openDatabase(file)
  db.exec(
    'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO ' +
      'replays (id, expires_at) SELECT i, i FROM n',
  )
  db.close()
  return file
}

const PAGE = 4096
const DAMAGES: Record<string, (bytes: Buffer) => Buffer> = {
  'another file': bytes =>
    Buffer.from(
      'this is no database, but long enough to be taken for one: '.repeat(
        bytes.length / 58,
      ),
    ),
  'one that was cut short': bytes =>
    bytes.subarray(0, Math.floor(bytes.length / PAGE / 2) * PAGE),
  'a page of noise in the middle': bytes => {
    // Behind the first page of every table.
    const at = Math.floor(bytes.length / PAGE / 2) * PAGE
    const behind = bytes.subarray(at + PAGE)
    return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(PAGE, 0xa5), behind])
  },
}

for (const [name, damage] of Object.entries(DAMAGES)) {
  t.test(`a damaged file stops the start, and says what to do: ${name}`, async t => {
    const file = filledFile()
    writeFileSync(file, damage(readFileSync(file)))
    const before = readFileSync(file)
    const failure = await openStore({
      ...PATIENT,
      url: `sqlite:${file}`,
      clock: Date.now,
    }).then(
      () => undefined,
      (error: unknown) => error,
    )
    t.ok(failure instanceof StoreUnavailable)
    const { message } = failureOf(failure)
    t.ok(
      message.startsWith(
        `the store is unavailable: the SQLite file ${file} is damaged (`,
      ),
      message,
    )
    t.match(
      message,
      new RegExp(
        'Stop every Latchkey .* restore a back-up, or save what can be read: ' +
          'sqlite3 latchkey\\.db \\.recover .*docs/operations\\.md.*\\)$',
      ),
    )
    t.same(readFileSync(file), before, 'it is left as it is')
  })
}

t.test(
  'a damaged page of a file that is too large to be read at the start: 503, and the log says what to do',
  async t => {
    const file = filledFile()
    writeFileSync(
      file,
      DAMAGES['a page of noise in the middle']?.(readFileSync(file)) ?? '',
    )
    const db = openDatabase(file, { checkUpTo: 30 * PAGE })
    t.teardown(() => db.close())
    await t.rejects(
      reading(db, () =>
        db
          .prepare(
            // The table, and its index: the damage may be in either.
            "SELECT (SELECT count(*) FROM replays WHERE expires_at + 1 > 0 AND id > ''), " +
              '(SELECT count(*) FROM replays INDEXED BY replays_expires_at WHERE expires_at > 0)',
          )
          .get(),
      ),
      {
        name: 'StoreUnavailable',
        message: new RegExp(
          "^the store is unavailable: SQLite's file is damaged " +
            '\\(database disk image is malformed\\)\\. Stop every Latchkey',
        ),
        cause: { errcode: 11 },
      },
    )
  },
)

t.test('a full disk is named', async t => {
  const db = openDatabase(freshFile())
  t.teardown(() => db.close())
  db.exec('PRAGMA max_page_count = 1')
  const fillUp = () =>
    writing(db, () =>
      db.exec(
        'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT ' +
          'INTO replays (id, expires_at) SELECT i, i FROM n',
      ),
    )
  await t.rejects(fillUp(), {
    name: 'StoreUnavailable',
    message: "the store is unavailable: the disk with SQLite's file is full",
    cause: { errcode: 13 },
  })
  db.exec('PRAGMA max_page_count = 1073741823')
  await t.resolves(fillUp(), 'with room again, it goes on')
})

t.test("a place that can't be written is named", async t => {
  t.throws(() => openDatabase('/dev/null/latchkey.db'), {
    name: 'StoreUnavailable',
    message:
      /^the store is unavailable: the SQLite file \/dev\/null\/latchkey\.db can't be used: .*\/dev\/null/,
  })
})

t.test(
  "a start writes nothing where there is nothing to do: it waits for nobody's turn",
  async t => {
    const file = freshFile()
    openDatabase(file).close()
    const other = new DatabaseSync(file)
    t.teardown(() => other.close())
    other.exec('BEGIN IMMEDIATE')
    t.doesNotThrow(() => openDatabase(file).close())
  },
)

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
  const patient = createSqliteStore({ file, clock: createHandClock(), busyMs: SOON_MS })
  const other = new DatabaseSync(file)
  t.teardown(async () => {
    other.close()
    await Promise.all([store.close(), patient.close()])
  })
  other.exec('BEGIN IMMEDIATE')
  const start = performance.now()
  const turns = setInterval(() => {}, 5)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const added = await Promise.allSettled(
    Array.from({ length: 50 }, (_, user) =>
      store.directory.add(someAccount(`waiting-${user}`)),
    ),
  )
  t.ok(
    added.every(
      ({ status, ...result }) =>
        status === 'rejected' &&
        'reason' in result &&
        result.reason instanceof StoreUnavailable,
    ),
  )
  loop.disable()
  clearInterval(turns)
  t.ok(performance.now() - start < SOON_MS, 'they wait beside each other')
  t.ok(loop.percentile(90) < 100e6, 'all others go on meanwhile')
  const later = patient.directory.add(someAccount('in time'))
  await wait(50)
  other.exec('COMMIT')
  t.equal(await later, 'added')
  other.exec('BEGIN IMMEDIATE')
  t.match(
    await everyOne(store.directory.all()),
    [{ sub: 'in time' }],
    "readers don't wait",
  )
  other.exec('ROLLBACK')
  t.equal(await store.directory.add(someAccount('waiting')), 'added')
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
  const count = (table: string) =>
    Number(beside.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
  const account = someAccount('swept')
  await store.directory.add(account)

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
    t.match(await store.families.rotate(presented(ended, 1)), {
      kind: 'refused',
      reason: 'family_ended',
    })
    t.match(await store.families.rotate(presented(living, 1)), { kind: 'rotated' })
    clock.advance(76 * DAY)
    await signIn(store, account.tag)
    t.equal(count('families'), 1)
  })

  await t.test('revocations', async t => {
    const ref = await signIn(store, account.tag)
    for (let token = 0; token < 50; token++) {
      await store.accessTokens.revoke({
        ...ref,
        jti: `t${token}`,
        expiresAt: clock() + DAY,
      })
    }
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
    t.equal(
      await store.replays.once('id-49', DAY),
      true,
      'whose time is over, whether it is still there or not',
    )
  })

  await t.test("a family that can't be opened leaves nothing", async t => {
    const before = count('families')
    await store.families.open(someLogin(account.tag, { sessionsEpoch: 9 }))
    t.equal(count('families'), before)
  })
})
