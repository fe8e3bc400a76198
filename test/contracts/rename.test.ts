// The contract of renaming an account, on both stores and on a cluster, where two names are in two places.
import t, { type Test } from 'tap'
import { andPostgres } from '../support/postgres-stores.ts'
import {
  addSomeone,
  presented,
  signIn,
  someAccount,
  STORES_AND_MASTERS,
  type TestStore,
} from '../support/stores.ts'

for (const { name, create } of andPostgres(STORES_AND_MASTERS)) {
  t.test(`renaming in ${name}`, async t => {
    const world = await create()
    t.teardown(() => world.stop())
    await t.test('a new name', t => newNameTest(t, world))
    await t.test('the same name in other case', t => sameNameTest(t, world))
    await t.test('a name that somebody has', t => takenTest(t, world))
    await t.test('many at once', t => raceTest(t, world))
    await t.test('to and fro at once', t => toAndFroTest(t, world))
  })
}

let names = 0

function freshName(): { name: string; foldedName: string } {
  names += 1
  return { name: `Renamed ${names}`, foldedName: `renamed ${names}` }
}

async function newNameTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory, families, subjects } = store
  const [old, next] = [freshName(), freshName()]
  const tag = await addSomeone(store, old)
  const ref = await signIn(store, tag)
  const before = await directory.byName(old.foldedName)
  t.equal(await directory.rename({ tag, ...next }), 'renamed')
  const after = await directory.byName(next.foldedName)
  t.match(after, { ...before, ...next, version: 1 }, 'nothing else has changed')
  t.equal(await directory.byName(old.foldedName), undefined)
  t.match(await families.rotate(presented(ref, 1)), {
    kind: 'rotated',
    user: { sub: before?.sub, name: next.name },
  })
  t.equal(
    await directory.add(someAccount(`heir of ${tag}`, old)),
    'added',
    'the old name is free at once',
  )
  t.match(await subjects.byTag(tag), { name: next.name })
  t.equal(await directory.rename({ tag: 'nobody', ...freshName() }), 'user_unknown')
}

async function sameNameTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const old = freshName()
  const tag = await addSomeone(store, old)
  for (const name of [old.name.toUpperCase(), old.name]) {
    t.equal(await directory.rename({ tag, name, foldedName: old.foldedName }), 'renamed')
    t.match(await directory.byName(old.foldedName), { tag, name })
  }
  t.equal(await directory.add(someAccount(`rival of ${tag}`, old)), 'name_taken')
  t.equal(await directory.remove(tag), true)
  t.equal(await directory.add(someAccount(`heir of ${tag}`, old)), 'added')
}

async function takenTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const [theirs, mine] = [freshName(), freshName()]
  const [owner, tag] = [await addSomeone(store, theirs), await addSomeone(store, mine)]
  t.equal(await directory.rename({ tag, ...theirs }), 'name_taken')
  t.match(await directory.byName(theirs.foldedName), { tag: owner })
  t.match(await directory.byName(mine.foldedName), { tag, ...mine, version: 0 })
}

async function raceTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const wanted = freshName()
  const old = Array.from({ length: 20 }, freshName)
  const tags = await Promise.all(old.map(each => addSomeone(store, each)))
  const outcomes = await Promise.all(
    tags.map(tag => directory.rename({ tag, ...wanted })),
  )
  t.equal(outcomes.filter(outcome => outcome === 'renamed').length, 1)
  t.equal(outcomes.filter(outcome => outcome === 'name_taken').length, 19)
  const winner = tags[outcomes.indexOf('renamed')]
  t.match(await directory.byName(wanted.foldedName), { tag: winner })
  for (const [index, { foldedName }] of old.entries()) {
    const found = await directory.byName(foldedName)
    t.equal(found?.tag, tags[index] === winner ? undefined : tags[index], foldedName)
  }
}

async function toAndFroTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const both = [freshName(), freshName()]
  const [first = freshName()] = both
  const tag = await addSomeone(store, first)
  await Promise.all(
    Array.from({ length: 20 }, (_, turn) =>
      directory.rename({ tag, ...(both[turn % 2] ?? first) }),
    ),
  )
  const found = await Promise.all(both.map(each => directory.byName(each.foldedName)))
  t.equal(found.filter(account => account?.tag === tag).length, 1, 'one of the two')
  for (const [index, account] of found.entries()) {
    const rival = someAccount(`rival ${index} of ${tag}`, both[index])
    t.equal(await directory.add(rival), account === undefined ? 'added' : 'name_taken')
  }
}
