// What SQLite has committed goes to the disk away from the event loop, and nobody is answered before it is
// there.
import { fstatSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { createCheckpoints } from '../../src/stores/sqlite/database/checkpoints.ts'
import {
  closeDatabase,
  openDatabase,
  reading,
  writing,
} from '../../src/stores/sqlite/database/database.ts'
import type { Sync } from '../../src/stores/sqlite/database/log.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { someAccount } from '../support/stores.ts'
import { until } from '../support/until.ts'

/** A disk that does as it is told. */
function createDisk() {
  const ends: Array<(error?: Error) => void> = []
  const files: number[] = []
  let isFree = false
  const sync: Sync = fd => {
    files.push(fstatSync(fd).ino)
    if (isFree) return Promise.resolve()
    return new Promise((resolve, reject) => {
      ends.push(error => (error === undefined ? resolve() : reject(error)))
    })
  }
  return {
    sync,
    /** What was synced. */
    files,
    /** How many syncs have begun. */
    began: () => files.length,
    /** Ends the oldest one that lasts. */
    end: (error?: Error) => ends.shift()?.(error),
    /** From now on syncs end at once: closing the file waits for one, too. */
    free() {
      isFree = true
    },
  }
}

function setScene(t: Test, sync?: Sync) {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-log-'))
  const file = join(dir, 'latchkey.db')
  const db = openDatabase(file, { sync })
  const other = new DatabaseSync(file)
  t.teardown(async () => {
    other.close()
    await closeDatabase(db)
    rmSync(dir, { recursive: true })
  })
  const insert = db.prepare('INSERT INTO replays (id, expires_at) VALUES (?, 0)')
  const own = db.prepare('SELECT id FROM replays ORDER BY id')
  const all = other.prepare('SELECT id FROM replays ORDER BY id')
  const answered: string[] = []
  const note = (what: string) => () => {
    answered.push(what)
  }
  return {
    file,
    db,
    other,
    answered,
    /** Writes a row; notes the answer. */
    put: (id: string) => writing(db, () => insert.run(id)).then(note(id)),
    /** Reads all rows; notes the answer. */
    get: () => reading(db, () => own.all()).then(note('read')),
    /** What another process reads. */
    seen: () => all.all().map(({ id }) => id),
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

t.test('a write is answered once a sync has ended that began after it', async t => {
  const disk = createDisk()
  const { file, put, seen, answered } = setScene(t, disk.sync)
  const first = put('a')
  await until(() => disk.began() === 1)
  t.same(disk.files, [statSync(`${file}-wal`).ino], 'it is the log that is synced')
  t.same(seen(), ['a'])
  const later = put('b')
  for (let turns = 0; turns < 5; turns++) await turn()
  t.same(answered, [])
  t.same(seen(), ['a'], 'what comes meanwhile is written afterwards')
  disk.end()
  await first
  await until(() => disk.began() === 2)
  t.same(seen(), ['a', 'b'])
  for (let turns = 0; turns < 5; turns++) await turn()
  t.same(answered, ['a'])
  disk.end()
  await later
  t.same(answered, ['a', 'b'])
  disk.free()
})

t.test('what is read is on the disk when it is answered', async t => {
  const disk = createDisk()
  const { put, get, answered } = setScene(t, disk.sync)
  await get()
  t.same(answered, ['read'], 'where nothing is on its way, at once')
  const writes = put('a')
  await until(() => disk.began() === 1)
  const reads = get()
  for (let turns = 0; turns < 5; turns++) await turn()
  t.same(answered, ['read'])
  disk.end()
  await Promise.all([writes, reads])
  t.same(answered.toSorted(), ['a', 'read', 'read'])
  disk.free()
})

t.test(
  'a disk that fails: nobody is answered any more, and the log says why',
  async t => {
    const disk = createDisk()
    const { put, get, seen, answered } = setScene(t, disk.sync)
    const lost = {
      name: 'StoreUnavailable',
      message:
        "the store is unavailable: the disk with SQLite's file fails (EIO: i/o error, fdatasync), so what " +
        'was written last may be lost: nothing is read or written until Latchkey is started anew',
      cause: { name: 'LostLog', cause: { message: 'EIO: i/o error, fdatasync' } },
    }
    const writes = put('a')
    await until(() => disk.began() === 1)
    const meanwhile = [get(), put('c'), put('d')]
    const all = [writes, ...meanwhile].map(one => t.rejects(one, lost))
    disk.end(new Error('EIO: i/o error, fdatasync'))
    await Promise.all(all)
    await t.rejects(put('e'), lost)
    await t.rejects(get(), lost)
    t.same(answered, [])
    t.same(seen(), ['a'], 'nothing more is written')
    t.equal(disk.began(), 1)
  },
)

t.test('such a store is not reached', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-log-'))
  const file = join(dir, 'latchkey.db')
  const store = createSqliteStore({
    file,
    clock: Date.now,
    sync: () => Promise.reject(new Error('EIO: i/o error, fdatasync')),
  })
  t.teardown(async () => {
    await store.close()
    rmSync(dir, { recursive: true })
  })
  t.equal(store.condition().isReached, true)
  await t.rejects(store.directory.add(someAccount('alice')), { name: 'StoreUnavailable' })
  t.equal(store.condition().isReached, false)
  await t.rejects(store.probe(), { name: 'StoreUnavailable' })
})

/** How often the log was begun anew. */
const generationOf = (file: string) => readFileSync(`${file}-wal`).readUInt32BE(12)

t.test('the log is copied to the file now and then, and begun anew', async t => {
  const { file, put, seen } = setScene(t)
  const before = generationOf(file)
  for (let n = 0; n < 200; n++) await put(String(n).padStart(3, '0'))
  t.equal(generationOf(file) - before, 3)
  t.equal(seen().length, 200)
  t.ok(readFileSync(file).includes('100'), 'without its log it has what was copied')
})

t.test('where another process has the file, the next time', async t => {
  const { file, put, other } = setScene(t)
  const checkpoints = createCheckpoints(file)
  t.teardown(() => checkpoints.close())
  await put('a')
  const before = generationOf(file)
  other.exec('BEGIN IMMEDIATE')
  await checkpoints.run()
  other.exec('COMMIT')
  t.equal(generationOf(file), before)
  await checkpoints.run()
  t.equal(generationOf(file), before + 1)
})

t.test('a thread that falls is replaced', async t => {
  const checkpoints = createCheckpoints('/dev/null/nowhere.db')
  t.teardown(() => checkpoints.close())
  await checkpoints.run()
  await checkpoints.run()
})

t.test('a store in memory has no log', async t => {
  const store = createSqliteStore({ file: ':memory:', clock: Date.now })
  t.equal(store.condition().isReached, true)
  await store.close()
  t.equal(store.condition().isReached, false)
})

t.test('only what was opened here is read and written', async t => {
  const db = new DatabaseSync(':memory:')
  t.teardown(() => db.close())
  await t.rejects(async () => writing(db, () => {}), TypeError)
})
