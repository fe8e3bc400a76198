// Writes of one turn of the event loop share a transaction of SQLite, and nothing else: each has its own
// verdict, and is on the disk when it is answered.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import {
  closeDatabase,
  openDatabase,
  reading,
  writing,
} from '../../src/stores/sqlite/database/database.ts'
import { SOON_MS } from '../support/until.ts'

const WAL_HEADER = 32
const FRAME_HEADER = 24

interface Scene {
  readonly db: DatabaseSync
  /** Writes a number to the table. */
  readonly put: (n: number) => Promise<unknown>
  /** What another process reads in the order of writing. */
  readonly seen: () => number[]
  /** How many transactions are in the write-ahead log. */
  readonly commits: () => number
  /** A connection of another process. */
  readonly other: DatabaseSync
}

function setScene(t: Test): Scene {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-groups-'))
  const file = join(dir, 'latchkey.db')
  // What a busy machine holds up waits as long as it takes.
  const db = openDatabase(file, { busyMs: SOON_MS })
  const other = new DatabaseSync(file)
  t.teardown(async () => {
    other.close()
    await closeDatabase(db)
    rmSync(dir, { recursive: true })
  })
  db.exec(`CREATE TABLE numbers (n INTEGER NOT NULL UNIQUE) STRICT;
    CREATE TABLE owed (n INTEGER REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED) STRICT`)
  const insert = db.prepare('INSERT INTO numbers (n) VALUES (?)')
  const all = other.prepare('SELECT n FROM numbers ORDER BY rowid')
  const count = () => commitsIn(readFileSync(`${file}-wal`), pageSizeOf(db))
  const before = count()
  return {
    db,
    put: n => writing(db, () => insert.run(n)),
    seen: () => all.all().map(row => Number(row['n'])),
    commits: () => count() - before,
    other,
  }
}

function pageSizeOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA page_size').get()?.['page_size'])
}

/** The last frame of a transaction says how many pages the file has then; the others say 0. */
function commitsIn(wal: Buffer, pageSize: number): number {
  let commits = 0
  for (let at = WAL_HEADER; at < wal.length; at += FRAME_HEADER + pageSize) {
    if (wal.readUInt32BE(at + 4) !== 0) commits += 1
  }
  return commits
}

t.test(
  'writes of one turn are one transaction, and answered when it is written',
  async t => {
    const { put, seen, commits } = setScene(t)
    const answers = [1, 2, 3].map(async n => {
      await put(n)
      return { seen: seen(), commits: commits() }
    })
    t.same(seen(), [], 'nothing is written before the turn is over')
    t.same(
      await Promise.all(answers),
      Array.from({ length: 3 }, () => ({ seen: [1, 2, 3], commits: 1 })),
    )
    await put(4)
    t.equal(commits(), 2, 'the next turn has its own')
  },
)

t.test('one that fails leaves nothing behind, and takes no other along', async t => {
  const { db, put, seen, commits } = setScene(t)
  const half = writing(db, () => {
    db.exec('INSERT INTO numbers (n) VALUES (7)')
    throw new Error('half way')
  })
  const outcomes = await Promise.allSettled([put(1), half, put(1), put(2)])
  t.match(outcomes, [
    { status: 'fulfilled' },
    { reason: { name: 'StoreUnavailable', cause: { message: 'half way' } } },
    { reason: { name: 'StoreUnavailable', cause: { message: /UNIQUE/ } } },
    { status: 'fulfilled' },
  ])
  t.same(seen(), [1, 2])
  t.equal(commits(), 1)
  t.notOk(db.isTransaction)
})

t.test(
  'one that ends the transaction, as a full disk does, takes no other along',
  async t => {
    const { db, put, seen } = setScene(t)
    db.exec(`CREATE TRIGGER full BEFORE INSERT ON numbers WHEN new.n = 13
    BEGIN SELECT RAISE(ROLLBACK, 'full'); END`)
    const outcomes = await Promise.allSettled([put(1), put(13), put(2)])
    t.match(outcomes, [
      { status: 'fulfilled' },
      { reason: { name: 'StoreUnavailable', cause: { message: 'full' } } },
      { status: 'fulfilled' },
    ])
    t.same(seen(), [1, 2])
  },
)

t.test('those that failed together keep their order', async t => {
  const { db, put, seen, other } = setScene(t)
  db.exec(`CREATE TRIGGER full BEFORE INSERT ON numbers WHEN new.n = 13
    BEGIN SELECT RAISE(ROLLBACK, 'full'); END`)
  const insert = db.prepare('INSERT INTO numbers (n) VALUES (13)')
  let tries = 0
  const failing = writing(db, () => {
    tries += 1
    try {
      insert.run()
    } catch (error) {
      // Before any of them is tried again, another process writes.
      if (tries === 1) other.exec('BEGIN IMMEDIATE')
      throw error
    }
  })
  const all = Promise.allSettled([failing, ...[1, 2, 3].map(put), closeDatabase(db)])
  await new Promise(resolve => setTimeout(resolve, 30))
  other.exec('COMMIT')
  const [first, ...others] = await all
  t.match(first, { reason: { cause: { message: 'full' } } })
  t.same(
    others.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'],
    'what waits is written before the file is closed',
  )
  t.same(seen(), [1, 2, 3])
})

t.test('each of them has a turn of the event loop', async t => {
  const { db, put, seen } = setScene(t)
  db.exec(`CREATE TRIGGER full BEFORE INSERT ON numbers WHEN new.n = 13
    BEGIN SELECT RAISE(ROLLBACK, 'full'); END`)
  const numbers = Array.from({ length: 20 }, (_, n) => n)
  let answered = 0
  let afterOneTurn = 0
  const all = numbers.map(async n => {
    await put(n).catch(() => {})
    answered += 1
    if (answered === 1) {
      setImmediate(() => {
        afterOneTurn = answered
      })
    }
  })
  await Promise.all(all)
  await new Promise(resolve => setImmediate(resolve))
  t.ok(afterOneTurn < numbers.length, `${afterOneTurn} in the first turn`)
  t.same(
    seen(),
    numbers.filter(n => n !== 13),
  )
})

t.test('nor does one whose fault shows only at the end of the transaction', async t => {
  const { db, put, seen } = setScene(t)
  const owing = writing(db, () => db.exec('INSERT INTO owed (n) VALUES (99)'))
  const outcomes = await Promise.allSettled([put(1), owing, put(2)])
  t.match(outcomes, [
    { status: 'fulfilled' },
    { reason: { name: 'StoreUnavailable', cause: { message: /FOREIGN KEY/ } } },
    { status: 'fulfilled' },
  ])
  t.same(seen(), [1, 2])
  t.notOk(db.isTransaction)
})

t.test('a transaction that could not be undone is, before anything else', async t => {
  const { db, put, seen } = setScene(t)
  let denied = 0
  db.setAuthorizer((action, what) => {
    const isRefused =
      action === constants.SQLITE_TRANSACTION && what === 'ROLLBACK' && denied < 2
    denied += Number(isRefused)
    return isRefused ? constants.SQLITE_DENY : constants.SQLITE_OK
  })
  const owe = () =>
    t.rejects(writing(db, () => db.exec('INSERT INTO owed (n) VALUES (99)')))
  await owe()
  t.ok(db.isTransaction)
  await t.rejects(put(1), { name: 'StoreUnavailable' })
  await put(2)
  t.same(seen(), [2])
  denied = 1
  await owe()
  t.ok(db.isTransaction)
  const owed = await reading(db, () => db.prepare('SELECT n FROM owed').all())
  t.same(owed, [], 'nobody reads what is not committed')
})

t.test(
  'a transaction that takes long is cut, so that the event loop comes round',
  async t => {
    const { db, put, seen, commits } = setScene(t)
    const slow = () =>
      writing(db, () => {
        const until = performance.now() + 30
        while (performance.now() < until);
      })
    const first = [put(1), slow()].map(each => each.then(() => t.same(seen(), [1])))
    const later = [put(2), put(3)].map(each => each.then(() => t.same(seen(), [1, 2, 3])))
    await Promise.all([...first, ...later])
    t.equal(commits(), 2)
  },
)

t.test(
  'while another process writes all wait, and are done in the order they came',
  async t => {
    const { put, seen, other, commits } = setScene(t)
    other.exec('BEGIN IMMEDIATE')
    const first = [put(1), put(2)]
    await new Promise(resolve => setTimeout(resolve, 30))
    const later = [put(3), put(4)]
    t.same(seen(), [])
    other.exec('COMMIT')
    await Promise.all([...first, ...later])
    t.same(seen(), [1, 2, 3, 4])
    t.equal(commits(), 1)
  },
)

t.test('so does what only reads, where it has to', async t => {
  const { db, other } = setScene(t)
  other.exec('BEGIN IMMEDIATE')
  const reads = reading(db, () => db.exec('BEGIN IMMEDIATE; ROLLBACK'))
  await new Promise(resolve => setTimeout(resolve, 30))
  other.exec('COMMIT')
  await t.resolves(reads)
})

t.test('what waits is written before the file is closed', async t => {
  const { db, put, seen } = setScene(t)
  const waiting = put(1)
  await Promise.all([closeDatabase(db), closeDatabase(db)])
  await waiting
  t.same(seen(), [1])
  await closeDatabase(db)
  await t.rejects(put(2), {
    name: 'StoreUnavailable',
    cause: { message: 'database is not open' },
  })
})
