// The contract of Users in stores/ports, sentence by sentence, on both stores.
import t, { type Test } from 'tap'
import { userTag } from '../../src/base/ids.ts'
import type { Account, NewAccount } from '../../src/stores/ports/users.ts'
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

for (const { name, create } of STORES_AND_CLUSTER) {
  t.test(`users in ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    let users = 0
    const world: World = {
      ...real,
      async added(changes) {
        users += 1
        const account = someAccount(`added-${users}`, changes)
        await real.store.users.add(account)
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
  const { users } = store

  await t.test(
    'an account is found by name and by tag, whole, in its first epoch',
    async t => {
      const account = await added({
        name: 'Ádám ☃ "\'{*}',
        foldedName: 'ádám ☃ "\'{*}',
        scopes: ['a', 'b c'],
        roles: ['x'],
        disabled: true,
      })
      const expected: Account = { ...account, epoch: 1, createdAt: clock() }
      t.same(await users.byName(account.foldedName), expected)
      t.same(await users.byTag(account.tag), expected)
    },
  )

  await t.test('no scopes are null, an empty list is an empty list', async t => {
    for (const scopes of [null, []]) {
      t.same((await users.byTag((await added({ scopes })).tag))?.scopes, scopes)
    }
  })

  await t.test('nobody has an unknown name or tag', async t => {
    t.equal(await users.byName('nobody'), undefined)
    t.equal(await users.byTag('nobody'), undefined)
    t.equal(await users.byName(''), undefined)
    for (const name of ['__proto__', 'constructor', 'toString']) {
      t.equal(await users.byName(name), undefined, name)
    }
  })

  await t.test('a name that is taken changes nothing', async t => {
    const account = await added()
    t.equal(
      await users.add(someAccount('late', { foldedName: account.foldedName })),
      'name_taken',
    )
    t.match(await users.byName(account.foldedName), {
      sub: account.sub,
      passwordHash: account.passwordHash,
    })
    t.equal(await users.byTag(userTag('late')), undefined)
  })

  await t.test(
    'a sub that is taken changes nothing, and its other name stays free',
    async t => {
      const account = await added()
      t.equal(await users.add({ ...account, foldedName: 'another name' }), 'name_taken')
      t.match(await users.byTag(account.tag), { foldedName: account.foldedName })
      t.equal(await users.byName('another name'), undefined)
      t.equal(
        await users.add(someAccount('free', { foldedName: 'another name' })),
        'added',
      )
    },
  )

  await t.test('adding the same account again changes nothing', async t => {
    const account = await added()
    await users.setPassword(account.tag, '$argon2id$newer')
    t.equal(await users.add(account), 'name_taken')
    t.match(await users.byName(account.foldedName), {
      passwordHash: '$argon2id$newer',
      epoch: 2,
    })
  })

  await t.test('of many who want one name at once, one gets it', async t => {
    const rivals = Array.from({ length: 12 }, (_, index) =>
      someAccount(`rival-${index}`, { foldedName: 'the name' }),
    )
    const outcomes = await Promise.all(rivals.map(rival => users.add(rival)))
    t.equal(outcomes.filter(outcome => outcome === 'added').length, 1)
    const winner = rivals[outcomes.indexOf('added')]
    t.equal((await users.byName('the name'))?.sub, winner?.sub)
    for (const rival of rivals) {
      t.equal(
        (await users.byTag(rival.tag))?.sub,
        rival === winner ? rival.sub : undefined,
      )
    }
  })
}

async function changeContract(t: Test, { store, added }: World): Promise<void> {
  const { users, families } = store

  interface Row {
    readonly name: string
    readonly act: (tag: string) => Promise<boolean>
    readonly then: Partial<Account>
    readonly sessions: 'live' | 'sessions_ended' | 'user_disabled'
  }
  const rows: readonly Row[] = [
    {
      name: 'setPassword',
      act: tag => users.setPassword(tag, '$argon2id$new'),
      then: { passwordHash: '$argon2id$new', epoch: 2 },
      sessions: 'sessions_ended',
    },
    {
      name: 'upgradePassword',
      act: tag => users.upgradePassword(tag, '$argon2id$first', '$argon2id$better'),
      then: { passwordHash: '$argon2id$better', epoch: 1 },
      sessions: 'live',
    },
    {
      name: 'setDisabled(true)',
      act: tag => users.setDisabled(tag, true),
      then: { disabled: true, epoch: 2 },
      sessions: 'user_disabled',
    },
    {
      name: 'setDisabled(false)',
      act: tag => users.setDisabled(tag, false),
      then: { disabled: false, epoch: 1 },
      sessions: 'live',
    },
    {
      name: 'setAccess',
      act: tag => users.setAccess(tag, { scopes: ['s'], roles: ['r'] }),
      then: { scopes: ['s'], roles: ['r'], epoch: 1 },
      sessions: 'live',
    },
    {
      name: 'setAccess to whatever the client may',
      act: tag => users.setAccess(tag, { scopes: null, roles: [] }),
      then: { scopes: null, roles: [] },
      sessions: 'live',
    },
    {
      name: 'endSessions',
      act: tag => users.endSessions(tag),
      then: { epoch: 2 },
      sessions: 'sessions_ended',
    },
  ]
  for (const { name, act, then, sessions } of rows) {
    await t.test(
      `${name} changes that, its sessions are ${sessions}, and everything else stays`,
      async t => {
        const { tag } = await added({ scopes: ['old'], roles: ['old'] })
        const bystander = await added()
        const ref = await signIn(store, tag)
        const others = await signIn(store, bystander.tag)
        const before = await users.byTag(tag)
        t.equal(await act(tag), true)
        t.same(await users.byTag(tag), { ...before, ...then })
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
      t.equal(await users.byTag('nobody'), undefined)
    })
  }

  await t.test(
    'roles and scopes are told with the next exchange and the next check',
    async t => {
      const { tag } = await added()
      const ref = await signIn(store, tag)
      await users.setAccess(tag, { scopes: ['s'], roles: ['r'] })
      const user = { scopes: ['s'], roles: ['r'] }
      t.match(await families.rotate(presented(ref, 1)), { user })
      t.match(await store.accessTokens.check({ ...ref, jti: 'a' }), { user })
      t.match(await families.peek({ ...ref, generation: 2, reuseGraceMs: 0 }), { user })
    },
  )

  await t.test('a hash is upgraded only while it is the expected one', async t => {
    const { tag } = await added({ passwordHash: '$argon2id$now' })
    t.equal(await users.upgradePassword(tag, '$argon2id$then', '$argon2id$better'), false)
    t.match(await users.byTag(tag), { passwordHash: '$argon2id$now' })
  })

  await t.test(
    'disabling twice, and changing a password twice, is as good as once',
    async t => {
      const { tag } = await added()
      await users.setDisabled(tag, true)
      t.equal(await users.setDisabled(tag, true), true)
      t.match(await users.byTag(tag), { disabled: true })
      await users.setPassword(tag, '$argon2id$x')
      t.equal(await users.setPassword(tag, '$argon2id$x'), true)
    },
  )
}

async function addAllContract(t: Test, { store, added }: World): Promise<void> {
  const { users } = store

  await t.test('tells which of several accounts were added', async t => {
    const taken = await added()
    const [one, two] = [someAccount('all-1'), someAccount('all-2')]
    const others = [
      someAccount('all-3', { foldedName: taken.foldedName }),
      someAccount('all-2'),
    ]
    t.same(await users.addAll([]), new Set())
    const result = await users.addAll([one, ...others, two])
    t.ok(result.has(one), 'one is added')
    t.equal(
      [...others, two].filter(account => result.has(account)).length,
      1,
      'and one of the two that share a sub',
    )
    t.match(await users.byName(one.foldedName), one)
    t.match(await users.byTag(two.tag), { sub: 'all-2' })
    t.match(await users.byName(taken.foldedName), { sub: taken.sub })
    t.same(
      await users.addAll([one, two]),
      new Set(),
      'a second time there is nothing to add',
    )
  })
}

async function removeContract(t: Test, { store, added }: World): Promise<void> {
  const { users, families } = store

  await t.test(
    'takes the account, its name and its sessions, and nothing of others',
    async t => {
      const account = await added()
      const bystander = await added()
      const ref = await signIn(store, account.tag)
      t.equal(await users.remove(account.tag), true)
      t.equal(await users.byTag(account.tag), undefined)
      t.equal(await users.byName(account.foldedName), undefined)
      t.match(await families.rotate(presented(ref, 1)), {
        kind: 'refused',
        reason: 'family_unknown',
      })
      t.match(await users.byName(bystander.foldedName), { sub: bystander.sub })
    },
  )

  await t.test('again, or of an unknown tag, is false', async t => {
    const { tag } = await added()
    await users.remove(tag)
    t.equal(await users.remove(tag), false)
    t.equal(await users.remove('nobody'), false)
  })

  await t.test("what is removed can't be changed", async t => {
    const { tag } = await added()
    await signIn(store, tag)
    await users.remove(tag)
    t.equal(await users.setPassword(tag, 'x'), false)
    t.equal(await users.setDisabled(tag, false), false)
    t.equal(await users.setAccess(tag, { scopes: null, roles: [] }), false)
    t.equal(await users.endSessions(tag), false)
    t.equal(await users.upgradePassword(tag, '$argon2id$first', 'x'), false)
    t.equal(await users.byTag(tag), undefined)
  })

  await t.test('the name is free again, and so is the sub', async t => {
    const account = await added()
    await users.remove(account.tag)
    t.equal(
      await users.add(someAccount('heir', { foldedName: account.foldedName })),
      'added',
    )
    t.equal(await users.add({ ...account, foldedName: 'other words' }), 'added')
    t.match(await users.byName(account.foldedName), { sub: 'heir' })
  })
}

async function allContract(t: Test, { store, added }: World): Promise<void> {
  const { users } = store
  const everybody = async () => (await everyOne(users.all())).map(({ sub }) => sub)

  await t.test(
    "every account, each once, also beyond a page; removed ones aren't among them",
    async t => {
      const before = await everybody()
      const accounts: NewAccount[] = []
      for (let count = 0; count < 250; count++) accounts.push(await added())
      const [gone, ...left] = accounts
      await users.remove(String(gone?.tag))
      t.same(
        (await everybody()).toSorted(),
        [...before, ...left.map(({ sub }) => sub)].toSorted(),
      )
    },
  )

  await t.test("accounts that come and go meanwhile don't disturb it", async t => {
    const seen: string[] = []
    for await (const { sub, tag } of users.all()) {
      seen.push(sub)
      if (seen.length % 50 === 0) await users.remove(tag)
      if (seen.length % 60 === 0) await added()
    }
    t.equal(new Set(seen).size, seen.length)
    t.ok(seen.length >= 249)
  })
}
