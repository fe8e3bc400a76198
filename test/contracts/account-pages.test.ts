// The contract of pages of accounts and of the search by a prefix, on both stores and on a cluster, where the
// index lies in many slots.
import t, { type Test } from 'tap'
import type { Account, BuiltInDirectory } from '../../src/stores/ports/directory.ts'
import { andPostgres } from '../support/postgres-stores.ts'
import {
  addSomeone,
  everyOne,
  someAccount,
  STORES_AND_MASTERS,
  type TestStore,
} from '../support/stores.ts'

for (const { name, create } of andPostgres(STORES_AND_MASTERS)) {
  t.test(`pages of accounts in ${name}`, async t => {
    const world = await create()
    t.teardown(() => world.stop())
    await t.test('by creation', t => orderTest(t, world))
    await t.test('by name', t => namesTest(t, world))
    await t.test('by a unique value', t => valuesTest(t, world))
    await t.test('after changes', t => changesTest(t, world))
    await t.test('after changes at once', t => racesTest(t, world))
  })
}

/** All pages of so many, one after the other. */
async function walk(directory: BuiltInDirectory, limit: number): Promise<string[]> {
  const subs: string[] = []
  let after: Account | undefined
  for (;;) {
    const page = await directory.page({ after, limit })
    subs.push(...page.map(({ sub }) => sub))
    if (page.length < limit) return subs
    after = page.at(-1)
  }
}

/** All texts that are found, by pages of so many. */
async function find(
  directory: BuiltInDirectory,
  {
    prefix,
    attribute,
    limit = 2,
  }: { prefix: string; attribute?: string; limit?: number },
): Promise<string[]> {
  const texts: string[] = []
  let after: string | undefined
  for (;;) {
    const found = await directory.search({ attribute, prefix, after, limit })
    texts.push(...found.map(({ text }) => text))
    if (found.length < limit) return texts
    after = found.at(-1)?.text
  }
}

const inBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

async function orderTest(t: Test, { store, clock }: TestStore): Promise<void> {
  const { directory } = store
  t.same(await directory.page({ limit: 5 }), [], 'nobody yet')
  const subs: string[] = []
  for (const part of [
    ['z', 'a!', 'a', '~', 'aa', 'A'],
    ['0', 'b', 'a-later'],
  ]) {
    for (const sub of part) await directory.add(someAccount(sub))
    subs.push(...part.toSorted(inBytes))
    clock.advance(1)
  }
  for (const limit of [1, 2, 3, 8, 9, 10, 1000]) {
    t.same(await walk(directory, limit), subs, `pages of ${limit}`)
  }
  t.same(
    (await everyOne(directory.all())).map(({ sub }) => sub),
    subs,
  )
  const [first] = await directory.page({ limit: 1 })
  t.same(first, await directory.byTag(someAccount('A').tag), 'whole accounts')
  const { createdAt = 0 } = first ?? {}
  const next = async (sub: string, at = createdAt) =>
    (await directory.page({ after: { createdAt: at, sub }, limit: 1 }))[0]?.sub
  await directory.remove(someAccount('aa').tag)
  t.equal(await next('aa'), 'z', 'behind one that is gone')
  t.equal(await next('a '), 'a!', 'behind one that never was')
  t.equal(await next('', 0), 'A')
  t.equal(await next('', createdAt + 1), '0')
  t.equal(await next('', createdAt + 2), undefined, 'behind all')
}

async function namesTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const names = [
    'jö',
    'jörg',
    'jörgen',
    'jorg',
    'jös',
    'edge',
    'edge\uD7FF',
    'edge\uD7FFb',
    'edge\uE000',
    'edge\uFFFF',
    'edge\uFFFFb',
    'edge\u{10000}',
    'edge\u{10FFFF}',
    'edge\u{10FFFF}b',
    'edgf',
    '\u{10FFFF}',
    '\u{10FFFF}\u{10FFFF}b',
  ]
  for (const foldedName of names) await addSomeone(store, { name: 'X', foldedName })
  const everybody = await find(directory, { prefix: '', limit: 1000 })
  t.same(everybody, everybody.toSorted(inBytes), 'the order is that of bytes')
  t.ok(names.every(name => everybody.includes(name)))
  for (const prefix of [
    '',
    'j',
    'jö',
    'jörg',
    'jörgen',
    ...names,
    'jx',
    'edg',
    'edge!',
  ]) {
    for (const limit of [1, 2, 1000]) {
      t.same(
        await find(directory, { prefix, limit }),
        everybody.filter(name => name.startsWith(prefix)),
        `${JSON.stringify(prefix)}, ${limit} a page`,
      )
    }
  }
  const [jörg] = await directory.search({ prefix: 'jörg', limit: 1 })
  t.same(jörg?.account, await directory.byName('jörg'), 'whole accounts')
}

async function valuesTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const values = ['', 'a', 'a\0b', 'a\0', 'a\u0001', 'a\u0001b', 'ab', 'ä', 'b:c', '\0']
  for (const value of values) {
    await addSomeone(store, {
      uniqueValues: [
        { attribute: 'badge', value },
        { attribute: 'badgee', value: `x${value}` },
        { attribute: 'name', value: `n${value}` },
      ],
    })
  }
  const badges = { attribute: 'badge' }
  for (const prefix of ['', 'a', 'a\0', 'a\u0001', 'b', 'b:', 'e', 'x', '\0']) {
    t.same(
      await find(directory, { ...badges, prefix }),
      values.filter(value => value.startsWith(prefix)).toSorted(inBytes),
      JSON.stringify(prefix),
    )
  }
  t.same(
    (await find(directory, { attribute: 'name', prefix: 'n' })).length,
    values.length,
  )
  t.same(await find(directory, { attribute: 'nothing', prefix: '' }), [])
}

async function changesTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const emails = (prefix: string) => find(directory, { attribute: 'email', prefix })
  const names = (prefix: string) => find(directory, { prefix })
  const withEmail = (value: string) => [{ attribute: 'email', value }]
  const tag = await addSomeone(store, {
    foldedName: 'before',
    uniqueValues: withEmail('before@example.com'),
  })
  await directory.rename({ tag, name: 'After', foldedName: 'after' })
  t.same([await names('befor'), await names('afte')], [[], ['after']])
  t.same(await emails('be'), ['before@example.com'])
  const change = {
    tag,
    attributes: { email: 'after@example.com' },
    emailVerified: false,
    uniqueValues: withEmail('after@example.com'),
  }
  t.same(await directory.setAttributes({ ...change, version: 1 }), { kind: 'changed' })
  t.same([await emails('be'), await emails('af')], [[], ['after@example.com']])
  t.same(await directory.setAttributes({ ...change, version: 1 }), { kind: 'superseded' })
  t.same(await emails('af'), ['after@example.com'])

  const rival = someAccount('rival', { foldedName: 'after' })
  t.equal(await directory.add(rival), 'name_taken')
  t.same(await names('afte'), ['after'], 'what was refused leaves nothing')
  await directory.remove(tag)
  t.same([await names('afte'), await emails('af')], [[], []])
  t.equal(await directory.add(rival), 'added')
  t.same(await names('afte'), ['after'])
}

async function racesTest(t: Test, { store }: TestStore): Promise<void> {
  const { directory } = store
  const tag = await addSomeone(store, { foldedName: 'race 0' })
  const setValue = async (turn: number): Promise<void> => {
    const { version = 0 } = (await directory.byTag(tag)) ?? {}
    const { kind } = await directory.setAttributes({
      tag,
      attributes: {},
      emailVerified: false,
      uniqueValues: [{ attribute: 'race', value: `value ${turn % 2}` }],
      version,
    })
    // Another change was faster, and not in vain: this ends.
    if (kind === 'superseded') await setValue(turn)
  }
  const rename = async (turn: number): Promise<void> => {
    const name = `race ${turn % 2}`
    await directory.rename({ tag, name, foldedName: name })
  }
  await Promise.all(
    Array.from({ length: 20 }, (_, turn) =>
      turn % 4 > 1 ? setValue(turn) : rename(turn),
    ),
  )
  const account = await directory.byTag(tag)
  t.same(await find(directory, { prefix: 'race ' }), [account?.foldedName])
  const found = await find(directory, { attribute: 'race', prefix: 'value ' })
  t.equal(found.length, 1)
  const owner = await directory.byValue({ attribute: 'race', value: String(found[0]) })
  t.equal(owner?.tag, tag)
  // Those that are added and removed at once leave their entries only where they are there.
  const heirs = Array.from({ length: 10 }, (_, heir) => someAccount(`heir ${heir % 3}`))
  await Promise.all(
    heirs.map(async (heir, place) => {
      if (place % 2 === 0) await directory.add(heir)
      else await directory.remove(heir.tag)
    }),
  )
  const there = await Promise.all(
    [0, 1, 2].map(async heir => {
      const { tag: heirTag, foldedName } = someAccount(`heir ${heir}`)
      return (await directory.byTag(heirTag)) === undefined ? [] : [foldedName]
    }),
  )
  t.same(await find(directory, { prefix: 'name of heir' }), there.flat())
}
