// A text logs one account in: as the name of one or as a value of another, whoever is first, on both stores
// and on clusters, and also where both write at once.
import t, { type Test } from 'tap'
import type { LoginTexts, NewAccount } from '../../src/stores/ports/directory.ts'
import { andPostgres } from '../support/postgres-stores.ts'
import { someAccount, STORES_AND_MASTERS, type TestStore } from '../support/stores.ts'

const ROUNDS = 40
/** Longer than a writer takes: whoever has a text has it by its account. */
const LATER_MS = 20_000

for (const { name, create } of andPostgres(STORES_AND_MASTERS)) {
  t.test(`texts that log somebody in, in ${name}`, async t => {
    const world = await create()
    t.teardown(() => world.stop())
    await t.test('a name that is a value', t => nameTest(t, world))
    await t.test('a value that is a name', t => valueTest(t, world))
    await t.test('what an account has is no new text', t => keptTest(t, world))
    await t.test('both at once', t => raceTest(t, world))
  })
}

let texts = 0

/** A text of its own, as a name and as a value. */
function freshText() {
  texts += 1
  const text = `text-${texts}@example.com`
  const value = { attribute: 'email', value: text }
  const asName: LoginTexts = { ofName: [value], ofValues: [] }
  const asValue: LoginTexts = { ofName: [], ofValues: [{ ...value, foldedName: text }] }
  return {
    value,
    named: { name: text, foldedName: text, logins: asName },
    valued: {
      attributes: { email: text },
      uniqueValues: [value],
      emailVerified: false,
      logins: asValue,
    },
  }
}

let people = 0

async function added(
  t: Test,
  { store }: TestStore,
  changes?: Partial<NewAccount>,
): Promise<NewAccount> {
  people += 1
  const account = someAccount(`texter-${people}`, changes)
  t.equal(await store.directory.add(account), 'added')
  return account
}

const VALUE_TAKEN = { kind: 'value_taken', attribute: 'email' }

async function nameTest(t: Test, world: TestStore): Promise<void> {
  const { directory } = world.store
  const { named, valued } = freshText()
  await added(t, world, valued)
  world.clock.advance(LATER_MS)
  const { tag, foldedName } = await added(t, world)
  const before = await directory.byTag(tag)
  t.equal(await directory.add(someAccount('named', named)), 'name_taken')
  t.equal(await directory.rename({ tag, ...named }), 'name_taken')
  const { attributes, emailVerified } = someAccount('')
  const whole = { attributes, emailVerified, uniqueValues: [], endsSessions: true }
  t.same(await directory.change({ tag, version: 0, ...whole, ...named }), {
    kind: 'name_taken',
  })
  t.strictSame(await directory.byTag(tag), before, 'nothing has changed')
  t.equal(await directory.byName(named.foldedName), undefined)
  t.match(await directory.byName(foldedName), { tag })
  t.equal((await directory.addAll([someAccount('named', named)])).size, 0)
}

async function valueTest(t: Test, world: TestStore): Promise<void> {
  const { directory } = world.store
  const { named, valued, value } = freshText()
  await added(t, world, named)
  world.clock.advance(LATER_MS)
  const { tag } = await added(t, world)
  const before = await directory.byTag(tag)
  t.same(await directory.add(someAccount('valued', valued)), VALUE_TAKEN)
  t.same(await directory.setAttributes({ tag, version: 0, ...valued }), VALUE_TAKEN)
  t.same(
    await directory.change({ tag, version: 0, endsSessions: true, ...valued }),
    VALUE_TAKEN,
  )
  t.strictSame(await directory.byTag(tag), before, 'nothing has changed')
  t.equal(await directory.byValue(value), undefined)
  t.equal(await directory.byName(someAccount('valued').foldedName), undefined)
}

async function keptTest(t: Test, world: TestStore): Promise<void> {
  const { directory } = world.store
  const { named, valued } = freshText()
  const logins = { ...named.logins, ofValues: valued.logins.ofValues }
  const own = await added(t, world, { ...valued, ...named, logins })
  const change = { ...valued, tag: own.tag, endsSessions: false, logins }
  t.same(await directory.change({ ...change, ...named, logins, version: 0 }), {
    kind: 'changed',
  })
  t.same(await directory.setAttributes({ ...change, version: 1 }), { kind: 'changed' })
  const upper = { ...named, name: named.name.toUpperCase() }
  t.equal(await directory.rename({ tag: own.tag, ...upper }), 'renamed')

  // An earlier release has let two accounts have one text.
  const other = freshText()
  const first = await added(t, world, { ...other.named, logins: undefined })
  const second = await added(t, world, { ...other.valued, logins: undefined })
  t.same(
    await directory.change({
      ...other.valued,
      tag: second.tag,
      version: 0,
      endsSessions: false,
    }),
    { kind: 'changed' },
    'who has the value keeps it',
  )
  t.same(
    await directory.setAttributes({ ...other.valued, tag: second.tag, version: 1 }),
    { kind: 'changed' },
  )
  t.equal(
    await directory.rename({ tag: first.tag, ...other.named }),
    'renamed',
    'who has the name keeps it',
  )
}

async function raceTest(t: Test, world: TestStore): Promise<void> {
  const { directory } = world.store
  let both = 0
  let none = 0
  for (let round = 0; round < ROUNDS; round++) {
    const { named, valued, value } = freshText()
    const namer = await added(t, world)
    const valuer = await added(t, world)
    const change = { tag: valuer.tag, version: 0, ...valued }
    const namings = [
      () => directory.rename({ tag: namer.tag, ...named }),
      () => directory.add(someAccount(`racer-${round}`, named)),
      () =>
        directory.change({
          ...named,
          tag: namer.tag,
          version: 0,
          attributes: {},
          uniqueValues: [],
          emailVerified: false,
          endsSessions: false,
        }),
    ]
    const valuings = [
      () => directory.setAttributes(change),
      () => directory.add(someAccount(`valuer-${round}`, valued)),
      () => directory.change({ ...change, endsSessions: false }),
    ]
    const pair = [namings[round % 3], valuings[Math.floor(round / 3) % 3]]
    if (round % 2 === 0) pair.reverse()
    await Promise.all(pair.map(write => write?.()))
    const has = [await directory.byName(named.foldedName), await directory.byValue(value)]
    const winners = has.filter(found => found !== undefined).length
    if (winners === 2) both += 1
    if (winners === 0) none += 1
  }
  t.equal(both, 0, `${none} of ${ROUNDS} times neither got it`)
}
