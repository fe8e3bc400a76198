// SQLite's log when a file is opened: what the disk may not have of it, and where it is.
import {
  copyFileSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import {
  closeDatabase,
  openDatabase,
  writing,
} from '../../src/stores/sqlite/database/database.ts'
import { createLog, renewLog, type Sync } from '../../src/stores/sqlite/database/log.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { someAccount } from '../support/stores.ts'

function makeFolder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-disk-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return dir
}

const LONG_AGO = new Date('2001-01-01')

/** A file and its log as a process leaves them that is killed: some rows are in the log alone. */
async function leaveBehind(t: Test): Promise<string> {
  const dir = makeFolder(t)
  const [living, left] = [join(dir, 'living.db'), join(dir, 'left.db')]
  const db = openDatabase(living)
  const insert = db.prepare('INSERT INTO replays (id, expires_at) VALUES (?, 0)')
  for (const id of ['a', 'b', 'c']) await writing(db, () => insert.run(id))
  for (const end of ['', '-wal']) copyFileSync(`${living}${end}`, `${left}${end}`)
  await closeDatabase(db)
  utimesSync(`${left}-wal`, LONG_AGO, LONG_AGO)
  return left
}

const idsIn = (db: DatabaseSync) =>
  db
    .prepare('SELECT id FROM replays ORDER BY id')
    .all()
    .map(({ id }) => id)

t.test(
  'what an earlier process left in the log is written and synced anew before anything is added',
  async t => {
    const file = await leaveBehind(t)
    const before = readFileSync(`${file}-wal`)
    const synced: unknown[] = []
    const db = openDatabase(file, {
      syncNow(fd) {
        const { ino, mtime } = fstatSync(fd)
        synced.push({ ino, isWritten: mtime > LONG_AGO })
      },
    })
    t.teardown(() => closeDatabase(db))
    t.same(synced, [{ ino: statSync(`${file}-wal`).ino, isWritten: true }])
    t.same(readFileSync(`${file}-wal`), before, 'the same bytes in the same places')
    t.same(idsIn(db), ['a', 'b', 'c'])
    await writing(db, () => db.exec("INSERT INTO replays VALUES ('d', 0)"))
    t.same(idsIn(db), ['a', 'b', 'c', 'd'])
  },
)

t.test('where that fails the start is refused', async t => {
  const file = await leaveBehind(t)
  const syncNow = () => {
    throw new Error('EIO: i/o error, fdatasync')
  }
  t.throws(() => openDatabase(file, { syncNow }), {
    name: 'StoreUnavailable',
    message: `the SQLite file ${file} can't be used: EIO: i/o error, fdatasync`,
  })
})

t.test('what is left over from before in a log is left alone', async t => {
  const file = await leaveBehind(t)
  const wal = readFileSync(`${file}-wal`)
  writeFileSync(`${file}-wal`, Buffer.concat([wal, Buffer.alloc(9000, 1)]))
  const db = openDatabase(file)
  t.teardown(() => closeDatabase(db))
  t.same(idsIn(db), ['a', 'b', 'c'])
  const torn = await leaveBehind(t)
  truncateSync(`${torn}-wal`, 20)
  const other = openDatabase(torn)
  t.teardown(() => closeDatabase(other))
  t.equal(statSync(`${torn}-wal`).size > 0, true)
})

t.test('while another process writes it is not done, nor in a transaction', async t => {
  const file = join(makeFolder(t), 'latchkey.db')
  const db = openDatabase(file)
  const other = new DatabaseSync(file)
  t.teardown(async () => {
    other.close()
    await closeDatabase(db)
  })
  await writing(db, () => db.exec("INSERT INTO replays VALUES ('a', 0)"))
  let syncs = 0
  const renew = () =>
    renewLog(db, file, () => {
      syncs += 1
    })
  other.exec('BEGIN IMMEDIATE')
  renew()
  other.exec('ROLLBACK')
  t.equal(syncs, 0)
  renew()
  t.equal(syncs, 1)
  db.exec('BEGIN')
  t.throws(renew, /transaction/)
  db.exec('ROLLBACK')
})

t.test('the log of a file that a symbolic link leads to is beside the file', async t => {
  const dir = makeFolder(t)
  mkdirSync(join(dir, 'volume'))
  const [file, link] = [join(dir, 'volume', 'latchkey.db'), join(dir, 'link.db')]
  openDatabase(file).close()
  symlinkSync(file, link)
  // Something that looks as if it was the log.
  writeFileSync(`${link}-wal`, '')
  const synced: number[] = []
  const sync: Sync = async fd => {
    synced.push(fstatSync(fd).ino)
  }
  const store = createSqliteStore({ file: link, clock: Date.now, sync })
  t.equal(await store.directory.add(someAccount('alice')), 'added')
  t.same(synced, [statSync(`${file}-wal`).ino])
  t.equal(store.condition().isReached, true)
  await store.close()
})

t.test('a log that cannot be opened refuses the start', async t => {
  const file = join(makeFolder(t), 'latchkey.db')
  const syncNow = () => rmSync(`${file}-wal`)
  const first = openDatabase(file)
  await writing(first, () => first.exec("INSERT INTO replays VALUES ('a', 0)"))
  t.teardown(() => closeDatabase(first))
  t.throws(() => openDatabase(file, { syncNow }), {
    name: 'StoreUnavailable',
    message: /can't be used: ENOENT: .*-wal/,
  })
})

t.test('a log that may not be whole on the disk is not copied to the file', async t => {
  const file = await leaveBehind(t)
  const db = openDatabase(file)
  const log = createLog(file, () => Promise.reject(new Error('EIO: i/o error')))
  t.teardown(async () => {
    await log.close()
    await closeDatabase(db)
  })
  const before = readFileSync(`${file}-wal`)
  await t.rejects(log.sync(), { name: 'LostLog' })
  for (let commits = 0; commits < 64; commits++) await log.tidy()
  t.same(readFileSync(`${file}-wal`), before)
})
