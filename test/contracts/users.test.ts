// The contracts of BuiltInDirectory and Subjects in stores/ports, sentence by sentence, on both stores.
import t, { type Test } from 'tap'
import { userTag } from '../../src/base/ids.ts'
import type { Account, NewAccount } from '../../src/stores/ports/directory.ts'
import type { Subject } from '../../src/stores/ports/subjects.ts'
import { andPostgres } from '../support/postgres-stores.ts'
import {
  everyOne,
  presented,
  signIn,
  someAccount,
  STORES_AND_CLUSTER,
  type TestStore,
} from '../support/stores.ts'

interface World extends TestStore {
  /** An account that was added. */
  added(changes?: Partial<NewAccount>): Promise<NewAccount>
}

for (const { name, create } of andPostgres(STORES_AND_CLUSTER)) {
  t.test(`users in ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    let users = 0
    const world: World = {
      ...real,
      async added(changes) {
        users += 1
        const account = someAccount(`added-${users}`, changes)
        await real.store.directory.add(account)
        return account
      },
    }
    await t.test('add and find', t => addContract(t, world))
    await t.test('add all', t => addAllContract(t, world))
    await t.test('change', t => changeContract(t, world))
    await t.test('remove', t => removeContract(t, world))
    await t.test('all', t => allContract(t, world))
  })
}

async function addContract(t: Test, { store, clock, added }: World): Promise<void> {
  const { directory, subjects } = store

  await t.test('an account is found by name, whole, in its first epoch', async t => {
    const account = await added({
      name: 'Ádám ☃ "\'{*}',
      foldedName: 'ádám ☃ "\'{*}',
      scopes: ['a', 'b c'],
      roles: ['x'],
      disabled: true,
      attributes: { seats: 3 },
      emailVerified: true,
    })
    const { uniqueValues: _, ...members } = account
    const now = clock()
    const expected: Account = {
      ...members,
      sessionsEpoch: 1,
      createdAt: now,
      updatedAt: now,
      version: 0,
    }
    t.same(await directory.byName(account.foldedName), expected)
  })

  await t.test('its subject is found by tag, without name and hash', async t => {
    const {
      foldedName: _,
      passwordHash: __,
      uniqueValues: ___,
      ...subject
    } = await added({
      scopes: ['a', 'b c'],
      roles: ['x'],
      disabled: true,
    })
    const expected: Subject = { ...subject, sessionsEpoch: 1 }
    t.same(await subjects.byTag(subject.tag), expected)
  })

  await t.test('no scopes are null, an empty list is an empty list', async t => {
    for (const scopes of [null, []]) {
      t.same((await subjects.byTag((await added({ scopes })).tag))?.scopes, scopes)
    }
  })

  await t.test('nobody has an unknown name or tag', async t => {
    t.equal(await directory.byName('nobody'), undefined)
    t.equal(await subjects.byTag('nobody'), undefined)
    t.equal(await directory.byName(''), undefined)
    for (const name of ['__proto__', 'constructor', 'toString']) {
      t.equal(await directory.byName(name), undefined, name)
    }
  })

  await t.test('a name that is taken changes nothing', async t => {
    const account = await added()
    t.equal(
      await directory.add(someAccount('late', { foldedName: account.foldedName })),
      'name_taken',
    )
    t.match(await directory.byName(account.foldedName), {
      sub: account.sub,
      passwordHash: account.passwordHash,
    })
    t.equal(await subjects.byTag(userTag('late')), undefined)
  })

  await t.test(
    'a sub that is taken changes nothing, and its other name stays free',
    async t => {
      const account = await added()
      t.equal(
        await directory.add({ ...account, foldedName: 'another name' }),
        'name_taken',
      )
      t.match(await directory.byName(account.foldedName), { sub: account.sub })
      t.equal(await directory.byName('another name'), undefined)
      t.equal(
        await directory.add(someAccount('free', { foldedName: 'another name' })),
        'added',
      )
    },
  )

  await t.test('adding the same account again changes nothing', async t => {
    const account = await added()
    await directory.setPassword(account.tag, '$argon2id$newer')
    t.equal(await directory.add(account), 'name_taken')
    t.match(await directory.byName(account.foldedName), {
      passwordHash: '$argon2id$newer',
      sessionsEpoch: 2,
    })
  })

  await t.test('of many who want one name at once, one gets it', async t => {
    const rivals = Array.from({ length: 12 }, (_, index) =>
      someAccount(`rival-${index}`, { foldedName: 'the name' }),
    )
    const outcomes = await Promise.all(rivals.map(rival => directory.add(rival)))
    t.equal(outcomes.filter(outcome => outcome === 'added').length, 1)
    const winner = rivals[outcomes.indexOf('added')]
    t.equal((await directory.byName('the name'))?.sub, winner?.sub)
    for (const rival of rivals) {
      t.equal(
        (await subjects.byTag(rival.tag))?.sub,
        rival === winner ? rival.sub : undefined,
      )
    }
  })
}

async function changeContract(t: Test, { store, added }: World): Promise<void> {
  const { directory, subjects, families } = store

  interface Row {
    readonly name: string
    readonly act: (tag: string) => Promise<boolean>
    readonly then: Partial<Account>
    readonly sessions: 'live' | 'sessions_ended' | 'user_disabled'
  }
  const rows: readonly Row[] = [
    {
      name: 'setPassword',
      act: tag => directory.setPassword(tag, '$argon2id$new'),
      then: { passwordHash: '$argon2id$new', sessionsEpoch: 2, version: 1 },
      sessions: 'sessions_ended',
    },
    {
      name: 'upgradePassword',
      act: tag => directory.upgradePassword(tag, '$argon2id$first', '$argon2id$better'),
      then: { passwordHash: '$argon2id$better', sessionsEpoch: 1 },
      sessions: 'live',
    },
    {
      name: 'setDisabled(true)',
      act: tag => subjects.setDisabled(tag, true),
      then: { disabled: true, sessionsEpoch: 2, version: 1 },
      sessions: 'user_disabled',
    },
    {
      name: 'setDisabled(false)',
      act: tag => subjects.setDisabled(tag, false),
      then: { disabled: false, sessionsEpoch: 1, version: 1 },
      sessions: 'live',
    },
    {
      name: 'setAccess',
      act: tag => subjects.setAccess(tag, { scopes: ['s'], roles: ['r'] }),
      then: { scopes: ['s'], roles: ['r'], sessionsEpoch: 1, version: 1 },
      sessions: 'live',
    },
    {
      name: 'setAccess to whatever the client may',
      act: tag => subjects.setAccess(tag, { scopes: null, roles: [] }),
      then: { scopes: null, roles: [], version: 1 },
      sessions: 'live',
    },
    {
      name: 'endSessions',
      act: tag => subjects.endSessions(tag),
      then: { sessionsEpoch: 2 },
      sessions: 'sessions_ended',
    },
  ]
  for (const { name, act, then, sessions } of rows) {
    await t.test(
      `${name} changes that, its sessions are ${sessions}, and everything else stays`,
      async t => {
        const { tag, foldedName } = await added({ scopes: ['old'], roles: ['old'] })
        const bystander = await added()
        const ref = await signIn(store, tag)
        const others = await signIn(store, bystander.tag)
        const before = await directory.byName(foldedName)
        t.equal(await act(tag), true)
        t.same(await directory.byName(foldedName), { ...before, ...then })
        t.match(
          await families.rotate(presented(ref, 1)),
          sessions === 'live'
            ? { kind: 'rotated' }
            : { kind: 'refused', reason: sessions },
        )
        t.match(
          await families.rotate(presented(others, 1)),
          { kind: 'rotated' },
          "another user's session lives on",
        )
      },
    )

    await t.test(`${name} of an unknown tag is false and makes no account`, async t => {
      t.equal(await act('nobody'), false)
      t.equal(await subjects.byTag('nobody'), undefined)
    })
  }

  await t.test(
    'roles and scopes are told with the next exchange and the next check',
    async t => {
      const { tag } = await added()
      const ref = await signIn(store, tag)
      await subjects.setAccess(tag, { scopes: ['s'], roles: ['r'] })
      const user = { scopes: ['s'], roles: ['r'] }
      t.match(await families.rotate(presented(ref, 1)), { user })
      t.match(await store.accessTokens.check({ ...ref, jti: 'a' }), { user })
      t.match(await families.peek({ ...ref, generation: 2, reuseGraceMs: 0 }), { user })
    },
  )

  await t.test('a hash is upgraded only while it is the expected one', async t => {
    const { tag, foldedName } = await added({ passwordHash: '$argon2id$now' })
    t.equal(
      await directory.upgradePassword(tag, '$argon2id$then', '$argon2id$better'),
      false,
    )
    t.match(await directory.byName(foldedName), { passwordHash: '$argon2id$now' })
  })

  await t.test(
    'disabling twice, and changing a password twice, is as good as once',
    async t => {
      const { tag } = await added()
      await subjects.setDisabled(tag, true)
      t.equal(await subjects.setDisabled(tag, true), true)
      t.match(await subjects.byTag(tag), { disabled: true })
      await directory.setPassword(tag, '$argon2id$x')
      t.equal(await directory.setPassword(tag, '$argon2id$x'), true)
    },
  )
}

async function addAllContract(t: Test, { store, added }: World): Promise<void> {
  const { directory, subjects } = store

  await t.test('tells which of several accounts were added', async t => {
    const taken = await added()
    const [one, two] = [someAccount('all-1'), someAccount('all-2')]
    const others = [
      someAccount('all-3', { foldedName: taken.foldedName }),
      someAccount('all-2'),
    ]
    t.same(await directory.addAll([]), new Set())
    const result = await directory.addAll([one, ...others, two])
    t.ok(result.has(one), 'one is added')
    t.equal(
      [...others, two].filter(account => result.has(account)).length,
      1,
      'and one of the two that share a sub',
    )
    t.match(await directory.byName(one.foldedName), { sub: one.sub, name: one.name })
    t.match(await subjects.byTag(two.tag), { sub: 'all-2' })
    t.match(await directory.byName(taken.foldedName), { sub: taken.sub })
    t.same(
      await directory.addAll([one, two]),
      new Set(),
      'a second time there is nothing to add',
    )
  })
}

async function removeContract(t: Test, { store, added }: World): Promise<void> {
  const { directory, subjects, families } = store

  await t.test(
    'takes the account, its name and its sessions, and nothing of others',
    async t => {
      const account = await added()
      const bystander = await added()
      const ref = await signIn(store, account.tag)
      t.equal(await directory.remove(account.tag), true)
      t.equal(await subjects.byTag(account.tag), undefined)
      t.equal(await directory.byName(account.foldedName), undefined)
      t.match(await families.rotate(presented(ref, 1)), {
        kind: 'refused',
        reason: 'family_unknown',
      })
      t.match(await directory.byName(bystander.foldedName), { sub: bystander.sub })
    },
  )

  await t.test('again, or of an unknown tag, is false', async t => {
    const { tag } = await added()
    await directory.remove(tag)
    t.equal(await directory.remove(tag), false)
    t.equal(await directory.remove('nobody'), false)
  })

  await t.test("what is removed can't be changed", async t => {
    const { tag } = await added()
    await signIn(store, tag)
    await directory.remove(tag)
    t.equal(await directory.setPassword(tag, 'x'), false)
    t.equal(await subjects.setDisabled(tag, false), false)
    t.equal(await subjects.setAccess(tag, { scopes: null, roles: [] }), false)
    t.equal(await subjects.endSessions(tag), false)
    t.equal(await directory.upgradePassword(tag, '$argon2id$first', 'x'), false)
    t.equal(await subjects.byTag(tag), undefined)
  })

  await t.test('the name is free again, and so is the sub', async t => {
    const account = await added()
    await directory.remove(account.tag)
    t.equal(
      await directory.add(someAccount('heir', { foldedName: account.foldedName })),
      'added',
    )
    t.equal(await directory.add({ ...account, foldedName: 'other words' }), 'added')
    t.match(await directory.byName(account.foldedName), { sub: 'heir' })
  })
}

async function allContract(t: Test, { store, added }: World): Promise<void> {
  const { directory } = store
  const everybody = async () => (await everyOne(directory.all())).map(({ sub }) => sub)

  await t.test(
    "every account, each once, also beyond a page; removed ones aren't among them",
    async t => {
      const before = await everybody()
      const accounts: NewAccount[] = []
      for (let count = 0; count < 250; count++) accounts.push(await added())
      const [gone, ...left] = accounts
      await directory.remove(String(gone?.tag))
      t.same(
        (await everybody()).toSorted(),
        [...before, ...left.map(({ sub }) => sub)].toSorted(),
      )
    },
  )

  await t.test("accounts that come and go meanwhile don't disturb it", async t => {
    const seen: string[] = []
    for await (const { sub, tag } of directory.all()) {
      seen.push(sub)
      if (seen.length % 50 === 0) await directory.remove(tag)
      if (seen.length % 60 === 0) await added()
    }
    t.equal(new Set(seen).size, seen.length)
    t.ok(seen.length >= 249)
  })
}
