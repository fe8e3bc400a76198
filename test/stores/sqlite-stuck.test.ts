// A disk that hangs, and a machine that has no thread left: what SQLite's store does about it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createCheckpoints } from '../../src/stores/sqlite/database/checkpoints.ts'
import { closeDatabase, openDatabase } from '../../src/stores/sqlite/database/database.ts'
import { createGroupCommits } from '../../src/stores/sqlite/database/group-commits.ts'
import { UNSYNCED } from '../../src/stores/sqlite/database/log.ts'
import { createSqliteStore } from '../../src/stores/sqlite/store.ts'
import { someAccount } from '../support/stores.ts'
import { until } from '../support/until.ts'

function makeFolder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-disk-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return dir
}

t.test('no thread to copy the log: what is answered is done once', async t => {
  const file = join(makeFolder(t), 'latchkey.db')
  const db = openDatabase(file)
  t.teardown(() => closeDatabase(db))
  const nowhere = new URL('https://thread.invalid/')
  for (const tidy of [
    () => createCheckpoints(file, nowhere).run(),
    () => Promise.reject(new Error('no thread')),
  ]) {
    const { write } = createGroupCommits(db, { ...UNSYNCED, tidy })
    const runs = [0, 0, 0]
    const count = (n: number) =>
      write(() => {
        runs[n] = (runs[n] ?? 0) + 1
      })
    await Promise.all([count(0), count(1)])
    await count(2)
    t.same(runs, [1, 1, 1])
  }
  await t.resolves(createCheckpoints(file, nowhere).run())
})

/** Something that ends when it is told to. */
function createGate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { promise, open: () => resolve() }
}

const STUCK = {
  name: 'StoreUnavailable',
  message: "the store is unavailable: the disk with SQLite's file doesn't answer",
}

t.test('a disk that hangs: all are refused in time, until it answers again', async t => {
  const gate = createGate()
  let syncs = 0
  const store = createSqliteStore({
    file: join(makeFolder(t), 'latchkey.db'),
    clock: Date.now,
    stuckMs: 200,
    sync() {
      syncs += 1
      return gate.promise
    },
  })
  const { directory, condition } = store
  const add = (name: string) => directory.add(someAccount(name))
  t.equal(condition().isReached, true)
  const refused: unknown[] = []
  const note = (error: unknown) => refused.push(error)
  add('alice').catch(note)
  await until(() => syncs === 1)
  add('bob').catch(note)
  directory.byName('name of alice').catch(note)
  store.probe().catch(note)
  await until(() => refused.length === 4)
  t.match(refused, [STUCK, STUCK, STUCK, STUCK])
  t.equal(condition().isReached, false)
  await t.rejects(store.probe(), STUCK, 'later ones at once')
  await t.rejects(directory.byName('name of alice'), STUCK)
  t.equal(syncs, 1)
  gate.open()
  await until(() => condition().isReached)
  t.equal(await add('carol'), 'added')
  t.match(await directory.byName('name of alice'), { sub: 'alice' }, 'it was written')
  t.equal(await directory.byName('name of bob'), undefined, 'it never was tried')
  await store.close()
})

t.test('copying the log that hangs refuses writes, and reads go on', async t => {
  const gate = createGate()
  const db = openDatabase(join(makeFolder(t), 'latchkey.db'))
  t.teardown(() => closeDatabase(db))
  const group = createGroupCommits(
    db,
    { ...UNSYNCED, tidy: () => gate.promise },
    { stuckMs: 200 },
  )
  await group.write(() => {})
  const outcomes: unknown[] = []
  group.write(() => {}).catch((error: unknown) => outcomes.push(error))
  await until(() => outcomes.length === 1)
  t.match(outcomes, [STUCK])
  t.ok(group.isStuck())
  t.equal(await group.read(() => 'read'), 'read')
  gate.open()
  await until(() => !group.isStuck())
  t.equal(await group.write(() => 'written'), 'written')
})
