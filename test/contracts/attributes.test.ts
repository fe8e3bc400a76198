// The contract of attributes and unique values in stores/ports/directory.ts, on both stores and on a cluster.
import t, { type Test } from 'tap'
import type { Attributes } from '../../src/stores/ports/subjects.ts'
import type { AttributesChange, NewAccount } from '../../src/stores/ports/directory.ts'
import { andPostgres } from '../support/postgres-stores.ts'
import {
  presented,
  signIn,
  someAccount,
  STORES_AND_MASTERS,
  type TestStore,
} from '../support/stores.ts'

/** So many writers want one value at the same time. */
const RIVALS = 200

const EVERY_KIND: Attributes = {
  text: 'Ádám ☃ "\'{*}\n',
  empty: '',
  zero: 0,
  large: 9_007_199_254_740_991,
  small: -9_007_199_254_740_991,
  yes: true,
  no: false,
  at: '2026-11-28T12:00:00Z',
  none: [],
  texts: ['', 'b', 'ß'],
  numbers: [0, -1, 9_007_199_254_740_991],
  flags: [false, true],
}

interface World extends TestStore {
  /** An account that was added. */
  added(changes?: Partial<NewAccount>): Promise<NewAccount>
}

for (const { name, create } of andPostgres(STORES_AND_MASTERS)) {
  t.test(`attributes in ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    let count = 0
    const world: World = {
      ...real,
      async added(changes) {
        count += 1
        const account = someAccount(`holder-${count}`, changes)
        t.equal(await real.store.directory.add(account), 'added')
        return account
      },
    }
    await t.test('values', t => valuesContract(t, world))
    await t.test('versions', t => versionsContract(t, world))
    await t.test('unique values', t => uniqueContract(t, world))
    await t.test('races', t => racesContract(t, world))
  })
}

const email = (value: string) => ({ attribute: 'email', value })

function change(tag: string, changes: Partial<AttributesChange> = {}): AttributesChange {
  return {
    tag,
    attributes: {},
    emailVerified: false,
    uniqueValues: [],
    version: 0,
    ...changes,
  }
}

async function valuesContract(t: Test, { store, added }: World): Promise<void> {
  const { directory, subjects, families, accessTokens } = store

  await t.test('come back as they were, from the first moment on', async t => {
    const { foldedName, tag } = await added({
      attributes: EVERY_KIND,
      emailVerified: true,
    })
    const expected = { attributes: EVERY_KIND, emailVerified: true }
    const { attributes, emailVerified } = (await directory.byName(foldedName)) ?? {}
    t.strictSame({ attributes, emailVerified }, expected)
    t.strictSame((await subjects.byTag(tag))?.attributes, EVERY_KIND)
  })

  await t.test(
    'are read with the session, and a change is in the next answer',
    async t => {
      const { tag } = await added({ attributes: { tenant: 'first', beta: false } })
      const ref = await signIn(store, tag)
      const before = await families.rotate(presented(ref, 1))
      t.match(before, { user: { attributes: { tenant: 'first' }, emailVerified: false } })
      await directory.setAttributes(
        change(tag, { attributes: EVERY_KIND, emailVerified: true }),
      )
      const rotated = await families.rotate(presented(ref, 2))
      t.equal(rotated.kind, 'rotated', 'the session lives on')
      const checked = await accessTokens.check({ ...ref, jti: 'a' })
      const peeked = await families.peek({ ...ref, generation: 3, reuseGraceMs: 0 })
      for (const outcome of [rotated, checked, peeked]) {
        const user = 'user' in outcome ? outcome.user : undefined
        t.strictSame(user?.attributes, EVERY_KIND)
        t.equal(user?.emailVerified, true)
      }
    },
  )

  await t.test('go with the account', async t => {
    const account = await added({
      attributes: EVERY_KIND,
      emailVerified: true,
      uniqueValues: [email('gone@example.com')],
    })
    await directory.remove(account.tag)
    t.equal(await directory.byValue(email('gone@example.com')), undefined)
    t.equal(
      await directory.add({ ...account, attributes: {}, emailVerified: false }),
      'added',
      'and whoever comes after takes the value, but nothing else',
    )
    t.match(await directory.byValue(email('gone@example.com')), {
      attributes: {},
      emailVerified: false,
      version: 0,
    })
    t.strictSame((await directory.byName(account.foldedName))?.attributes, {})
  })
}

async function versionsContract(t: Test, { store, clock, added }: World): Promise<void> {
  const { directory, subjects } = store

  await t.test('every change counts, with its time; ended sessions are none', async t => {
    const { tag, foldedName } = await added()
    const createdAt = clock()
    const now = async () => {
      const { version, updatedAt } = (await directory.byName(foldedName)) ?? {}
      return { version, updatedAt }
    }
    t.same(await now(), { version: 0, updatedAt: createdAt })
    clock.advance(1000)
    await subjects.endSessions(tag)
    await directory.upgradePassword(tag, '$argon2id$first', '$argon2id$better')
    t.same(await now(), { version: 0, updatedAt: createdAt })
    await directory.setAttributes(change(tag))
    t.same(await now(), { version: 1, updatedAt: createdAt + 1000 })
    clock.advance(1000)
    await subjects.setAccess(tag, { scopes: [], roles: [] })
    t.same(await now(), { version: 2, updatedAt: createdAt + 2000 })
  })

  await t.test('a change of another version than the last changes nothing', async t => {
    const { tag, foldedName } = await added({ attributes: { a: 1 } })
    for (const version of [1, -1]) {
      t.same(
        await directory.setAttributes(
          change(tag, {
            attributes: { a: 2 },
            uniqueValues: [email('superseded@example.com')],
            version,
          }),
        ),
        { kind: 'superseded' },
      )
    }
    t.match(await directory.byName(foldedName), { attributes: { a: 1 }, version: 0 })
    await added({ uniqueValues: [email('superseded@example.com')] })
  })

  await t.test("nobody's attributes can't be changed", async t => {
    const unknown = change('nobody', { uniqueValues: [email('nobody@example.com')] })
    t.same(await directory.setAttributes(unknown), { kind: 'user_unknown' })
    t.equal(await subjects.byTag('nobody'), undefined)
    await added({ uniqueValues: [email('nobody@example.com')] })
  })
}

async function uniqueContract(t: Test, { store, added }: World): Promise<void> {
  const { directory, subjects } = store

  await t.test('find their account, and only as they are', async t => {
    const { sub } = await added({
      uniqueValues: [email('ann@example.com'), { attribute: 'number', value: '7' }],
    })
    t.match(await directory.byValue(email('ann@example.com')), { sub })
    t.match(await directory.byValue({ attribute: 'number', value: '7' }), { sub })
    t.equal(
      await directory.byValue({ attribute: 'number', value: 'ann@example.com' }),
      undefined,
    )
    for (const value of ['', 'Ann@example.com', '__proto__', 'constructor']) {
      t.equal(await directory.byValue(email(value)), undefined, value)
    }
  })

  await t.test('that are taken leave both accounts as they are', async t => {
    const owner = await added({
      attributes: { email: 'taken@example.com' },
      emailVerified: true,
      uniqueValues: [email('taken@example.com')],
    })
    const before = await directory.byName(owner.foldedName)
    const taken = { kind: 'value_taken', attribute: 'email' }
    const other = { attribute: 'number', value: 'free' }
    const values = [other, email('taken@example.com')]
    const late = someAccount('late-for-value', { uniqueValues: values })
    t.same(await directory.add(late), taken)
    t.equal(await subjects.byTag(late.tag), undefined)
    t.equal(await directory.byName(late.foldedName), undefined)
    t.same(await directory.addAll([late]), new Set())

    const rival = await added({ attributes: { email: 'own@example.com' } })
    const rivalBefore = await directory.byName(rival.foldedName)
    t.same(
      await directory.setAttributes(
        change(rival.tag, {
          attributes: { email: 'taken@example.com' },
          uniqueValues: values,
        }),
      ),
      taken,
    )
    t.same(await directory.byName(rival.foldedName), rivalBefore)
    t.same(await directory.byName(owner.foldedName), before)
    t.same(await directory.byValue(email('taken@example.com')), before)
    await added({ foldedName: late.foldedName, uniqueValues: [other] })
  })

  await t.test('a name that is taken leaves a value free', async t => {
    const { foldedName } = await added()
    const uniqueValues = [email('left@example.com')]
    t.equal(
      await directory.add(someAccount('late-for-name', { foldedName, uniqueValues })),
      'name_taken',
    )
    await added({ uniqueValues })
  })

  await t.test('that an account gives up are free at once', async t => {
    const [old, next] = [email('old@example.com'), email('next@example.com')]
    const kept = { attribute: 'number', value: 'kept' }
    const { tag, sub } = await added({ uniqueValues: [old, kept] })
    t.same(await directory.setAttributes(change(tag, { uniqueValues: [kept, next] })), {
      kind: 'changed',
    })
    t.equal(await directory.byValue(old), undefined)
    t.match(await directory.byValue(next), { sub })
    t.match(await directory.byValue(kept), { sub })
    await added({ uniqueValues: [old] })
    t.same(await directory.setAttributes(change(tag, { uniqueValues: [], version: 1 })), {
      kind: 'changed',
    })
    await added({ uniqueValues: [next, kept] })
  })

  await t.test('adding the same account again takes nothing from it', async t => {
    const account = await added({ uniqueValues: [email('again@example.com')] })
    t.equal(await directory.add(account), 'name_taken')
    t.match(await directory.byValue(email('again@example.com')), { sub: account.sub })
  })
}

async function racesContract(t: Test, { store, added }: World): Promise<void> {
  const { directory } = store
  const isTaken = (outcome: unknown) => Object(outcome)['kind'] === 'value_taken'

  await t.test(`of ${RIVALS} who want one value at once, one gets it`, async t => {
    const wanted = email('the@example.com')
    const half = RIVALS / 2
    const there: NewAccount[] = []
    for (let index = 0; index < half; index++) there.push(await added())
    const outcomes = await Promise.all([
      ...there.map(({ tag }) =>
        directory.setAttributes(
          change(tag, {
            attributes: { email: wanted.value },
            uniqueValues: [wanted],
          }),
        ),
      ),
      ...there.map((_, index) =>
        directory.add(someAccount(`new-rival-${index}`, { uniqueValues: [wanted] })),
      ),
    ])
    t.equal(outcomes.filter(isTaken).length, RIVALS - 1)
    const owner = await directory.byValue(wanted)
    const place = outcomes.findIndex(outcome => !isTaken(outcome))
    t.equal(
      owner?.sub,
      place < half ? there[place]?.sub : `new-rival-${place - half}`,
      'who got it has it',
    )
    for (const { foldedName, sub } of there) {
      const { attributes } = (await directory.byName(foldedName)) ?? {}
      t.strictSame(attributes, sub === owner?.sub ? { email: wanted.value } : {})
    }
  })

  await t.test('of changes of one account at once, one is not superseded', async t => {
    const { tag, foldedName } = await added()
    const wanted = Array.from({ length: 20 }, (_, index) => email(`${index}@example.com`))
    const outcomes = await Promise.all(
      wanted.map(value =>
        directory.setAttributes(
          change(tag, { attributes: { email: value.value }, uniqueValues: [value] }),
        ),
      ),
    )
    const kinds = outcomes.map(({ kind }) => kind)
    t.equal(kinds.filter(kind => kind === 'changed').length, 1)
    t.equal(kinds.filter(kind => kind === 'superseded').length, wanted.length - 1)
    const winner = wanted[kinds.indexOf('changed')]
    t.match(await directory.byName(foldedName), {
      attributes: { email: winner?.value },
      version: 1,
    })
    for (const value of wanted) {
      const owner = await directory.byValue(value)
      t.equal(owner?.tag, value === winner ? tag : undefined, value.value)
      if (value !== winner) await added({ uniqueValues: [value] })
    }
  })
}
