// The contract of Families in stores/ports, sentence by sentence, on both stores.
import t, { type Test } from 'tap'
import {
  NO_DEVICE,
  type EndRequest,
  type Family,
  type FamilyRef,
  type Login,
  type RotateOutcome,
} from '../../src/stores/ports/families.ts'
import {
  addSomeone,
  familyRef,
  presented,
  signIn,
  someAccount,
  someLogin,
  STORES_AND_CLUSTER,
  type TestStore,
} from '../support/stores.ts'

const DAY = 86_400_000
const GRACE = 10_000

interface Started extends TestStore {
  /** A user that no other test has. */
  someone(changes?: Parameters<typeof someAccount>[1]): Promise<string>
}

for (const { name, create } of STORES_AND_CLUSTER) {
  t.test(`families in ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    const world: Started = {
      ...real,
      someone: changes => addSomeone(real.store, changes),
    }
    await t.test('open', t => openContract(t, world))
    await t.test('rotate', t => rotateContract(t, world))
    await t.test('what kills a family', t => deathContract(t, world))
    await t.test('healing', t => healingContract(t, world))
    await t.test('peek', t => peekContract(t, world))
    await t.test('end', t => endContract(t, world))
    await t.test('list', t => listContract(t, world))
    await t.test('ownerOf', t => ownerOfContract(t, world))
  })
}

async function openContract(t: Test, { store, clock, someone }: Started): Promise<void> {
  const { families, subjects } = store

  await t.test(
    "starts a family whose ends are counted from the store's clock, and tells the user",
    async t => {
      const userTag = await someone({
        name: 'Alice',
        scopes: ['profile'],
        roles: ['buyer', 'admin'],
      })
      const login = someLogin(userTag, {
        scope: 'profile orders:read',
        audience: ['https://a.example', 'https://b.example'],
      })
      t.same(await families.open(login), {
        kind: 'opened',
        family: {
          userTag,
          sid: login.sid,
          clientId: 'mobile',
          scope: 'profile orders:read',
          audience: ['https://a.example', 'https://b.example'],
          startedAt: clock(),
          idleUntil: clock() + login.idleMs,
          endsAt: clock() + login.absoluteMs,
        },
        user: {
          sub: (await subjects.byTag(userTag))?.sub,
          name: 'Alice',
          scopes: ['profile'],
          roles: ['buyer', 'admin'],
          attributes: {},
          emailVerified: false,
        },
      })
    },
  )

  await t.test(
    'at generations prev 0 and cur 1: a token of generation 1 rotates, one of 0 is a late or early retry',
    async t => {
      const ref = await signIn(store, await someone())
      t.match(await families.rotate(presented(ref, 0)), {
        kind: 'replayed',
        generation: 1,
      })
      t.match(await families.rotate(presented(ref, 1)), {
        kind: 'rotated',
        generation: 2,
      })
    },
  )

  await t.test('the idle end is never beyond the absolute one', async t => {
    const outcome = await families.open(
      someLogin(await someone(), { idleMs: 9 * DAY, absoluteMs: DAY }),
    )
    t.match(outcome, {
      kind: 'opened',
      family: { idleUntil: clock() + DAY, endsAt: clock() + DAY },
    })
  })

  await t.test(
    'no scope, no audience and no scopes of the user come back as they went in',
    async t => {
      const outcome = await families.open(
        someLogin(await someone(), { scope: '', audience: [] }),
      )
      t.match(outcome, {
        kind: 'opened',
        family: { scope: '', audience: [] },
        user: { scopes: null, roles: [] },
      })
      const none = await families.open(someLogin(await someone({ scopes: [] })))
      t.match(none, { kind: 'opened', user: { scopes: [] } })
      t.same(none.kind === 'opened' && none.user.scopes, [], 'the empty list is not null')
    },
  )

  await t.test('made twice it has the effect of once', async t => {
    const login = someLogin(await someone())
    const first = await families.open(login)
    clock.advance(1000)
    t.same(await families.open(login), first)
    t.equal((await families.list(login.userTag)).length, 1)
    await families.rotate(presented(login, 1))
    t.match(await families.open(login), { kind: 'opened' })
    t.match(
      await families.list(login.userTag),
      [{ generation: 2 }],
      "and doesn't start it anew",
    )
  })

  const refusals: ReadonlyArray<{
    readonly name: string
    readonly reason: string
    readonly make: () => Promise<Login>
  }> = [
    {
      name: 'an unknown user',
      reason: 'user_unknown',
      make: async () => someLogin('nobody'),
    },
    {
      name: 'a disabled user',
      reason: 'user_disabled',
      async make() {
        const tag = await someone()
        await subjects.setDisabled(tag, true)
        return someLogin(tag, { sessionsEpoch: 2 })
      },
    },
    {
      name: 'a login that lost against "end all sessions"',
      reason: 'sessions_ended',
      async make() {
        const tag = await someone()
        await subjects.endSessions(tag)
        return someLogin(tag, { sessionsEpoch: 1 })
      },
    },
    {
      name: 'a repeated call whose family has ended meanwhile',
      reason: 'family_ended',
      async make() {
        const login = someLogin(await someone())
        await families.open(login)
        await families.end({ ...login, clientId: null })
        return login
      },
    },
  ]
  for (const { name, reason, make } of refusals) {
    await t.test(`refuses ${name}`, async t => {
      const login = await make()
      t.same(await families.open(login), { kind: 'refused', reason })
      t.same(await families.list(login.userTag), [])
    })
  }
}

async function rotateContract(
  t: Test,
  { store, clock, someone }: Started,
): Promise<void> {
  const { families } = store

  await t.test('R1: no such family, no such user', async t => {
    const userTag = await someone()
    t.same(await families.rotate(presented(familyRef(userTag, 'never'), 1)), {
      kind: 'refused',
      reason: 'family_unknown',
    })
    t.same(await families.rotate(presented(familyRef('nobody', 'never'), 1)), {
      kind: 'refused',
      reason: 'family_unknown',
    })
  })

  await t.test(
    'R2: another client is refused and changes nothing, also with a token of old',
    async t => {
      const ref = await signIn(store, await someone())
      for (const generation of [0, 1, 2, 9]) {
        t.same(
          await families.rotate({ ...presented(ref, generation), clientId: 'other' }),
          { kind: 'refused', reason: 'client_mismatch' },
        )
      }
      t.match(await families.rotate(presented(ref, 1)), {
        kind: 'rotated',
        generation: 2,
      })
    },
  )

  await t.test(
    'R2: a family that is bound to a key knows no other, and none; it changes nothing',
    async t => {
      const ref = await signIn(store, await someone(), { jkt: 'k'.repeat(43) })
      for (const jkt of [undefined, 'other']) {
        t.same(await families.rotate(presented(ref, 1, { jkt })), {
          kind: 'refused',
          reason: 'key_mismatch',
        })
      }
      const { kind, family } = (await families.rotate(
        presented(ref, 1, { jkt: 'k'.repeat(43) }),
      )) as Extract<RotateOutcome, { family: Family }>
      t.equal(kind, 'rotated')
      t.equal(family.jkt, 'k'.repeat(43))
      const unbound = await signIn(store, await someone())
      t.match(await families.rotate(presented(unbound, 1, { jkt: 'any' })), {
        kind: 'rotated',
        family: { jkt: undefined },
      })
    },
  )

  await t.test(
    "what is wider than granted is refused, and the token isn't spent",
    async t => {
      const ref = await signIn(store, await someone(), {
        scope: 'a b',
        audience: ['https://x', 'https://y'],
      })
      t.same(await families.rotate(presented(ref, 1, { scope: ['a', 'c'] })), {
        kind: 'refused',
        reason: 'scope_wider',
      })
      t.same(await families.rotate(presented(ref, 1, { audience: ['https://z'] })), {
        kind: 'refused',
        reason: 'audience_wider',
      })
      t.match(
        await families.rotate(
          presented(ref, 1, { scope: ['b'], audience: ['https://y'] }),
        ),
        {
          kind: 'rotated',
          generation: 2,
          family: { scope: 'a b', audience: ['https://x', 'https://y'] },
        },
      )
      t.match(
        await families.rotate(presented(ref, 0, { scope: ['c'] })),
        { kind: 'reused' },
        'a theft is told first',
      )
    },
  )

  await t.test(
    'R4: the current token rotates, and moves the idle end on but not the absolute one',
    async t => {
      const login = someLogin(await someone(), { idleMs: 10 * DAY, absoluteMs: 15 * DAY })
      const opened = await families.open(login)
      const start = clock()
      clock.advance(4 * DAY)
      const first = await families.rotate(presented(login, 1, { idleMs: 10 * DAY }))
      t.match(first, {
        kind: 'rotated',
        generation: 2,
        family: {
          idleUntil: start + 14 * DAY,
          endsAt: start + 15 * DAY,
          startedAt: start,
        },
      })
      t.same('user' in first && first.user, 'user' in opened && opened.user)
      clock.advance(4 * DAY)
      t.match(await families.rotate(presented(login, 2, { idleMs: 10 * DAY })), {
        generation: 3,
        family: { idleUntil: start + 15 * DAY },
      })
    },
  )

  await t.test(
    'R5: the token before it, within the grace, gets the same successor again and changes nothing',
    async t => {
      const ref = await signIn(store, await someone())
      await families.rotate(presented(ref, 1))
      const [before] = await families.list(ref.userTag)
      for (const passed of [0, 1, GRACE - 1]) {
        clock.advance(passed === 1 ? 1 : passed === 0 ? 0 : GRACE - 1)
        t.match(await families.rotate(presented(ref, 1)), {
          kind: 'replayed',
          generation: 2,
        })
      }
      t.same(await families.list(ref.userTag), [before])
    },
  )

  await t.test(
    'many at once: one rotates, all others get the same successor',
    async t => {
      const ref = await signIn(store, await someone())
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, () => families.rotate(presented(ref, 1))),
      )
      t.same(outcomes.filter(({ kind }) => kind === 'rotated').length, 1)
      t.same(outcomes.filter(({ kind }) => kind === 'replayed').length, 49)
      t.ok(outcomes.every(outcome => 'generation' in outcome && outcome.generation === 2))
    },
  )

  await t.test(
    'R6: later it burns the successor, counts it, and the idle end moves on',
    async t => {
      const ref = await signIn(store, await someone())
      await families.rotate(presented(ref, 1))
      clock.advance(GRACE + 1)
      t.match(await families.rotate(presented(ref, 1)), {
        kind: 'late',
        generation: 3,
        family: { idleUntil: clock() + presented(ref, 1).idleMs },
      })
      t.match(await families.list(ref.userTag), [{ generation: 3, lateCount: 1 }])
      t.match(
        await families.rotate(presented(ref, 1)),
        { kind: 'replayed', generation: 3 },
        'a new grace begins',
      )
      t.match(
        await families.rotate(presented(ref, 2)),
        { kind: 'reused' },
        'whoever holds the burned successor ends the family',
      )
    },
  )

  await t.test(
    "R6 where the client's policy says refuse: the family ends at once",
    async t => {
      const ref = await signIn(store, await someone())
      await families.rotate(presented(ref, 1))
      clock.advance(GRACE + 1)
      t.match(await families.rotate(presented(ref, 1, { lateRetry: 'refuse' })), {
        kind: 'reused',
      })
      t.same(await families.rotate(presented(ref, 2)), {
        kind: 'refused',
        reason: 'family_ended',
      })
    },
  )

  for (const { name, generation } of [
    { name: 'an old token', generation: 1 },
    { name: 'a generation never reached', generation: 8 },
  ]) {
    await t.test(`R8: ${name} ends the family and its access tokens`, async t => {
      const ref = await signIn(store, await someone())
      for (const generation of [1, 2, 3]) {
        await families.rotate(presented(ref, generation))
      }
      const outcome = await families.rotate(presented(ref, generation))
      t.match(outcome, { kind: 'reused', family: ref, user: { roles: [] } })
      t.notOk('generation' in outcome)
      t.same(await families.rotate(presented(ref, 4)), {
        kind: 'refused',
        reason: 'family_ended',
      })
      t.same(await store.accessTokens.check({ ...ref, jti: 'a' }), {
        kind: 'refused',
        reason: 'family_ended',
      })
    })
  }

  await t.test('a clock that ran backwards counts as no time passed', async t => {
    const ref = await signIn(store, await someone())
    const start = clock()
    await families.rotate(presented(ref, 1))
    clock.advance(-DAY)
    t.match(await families.rotate(presented(ref, 1)), { kind: 'replayed', generation: 2 })
    t.match(await families.rotate(presented(ref, 2)), {
      kind: 'rotated',
      family: { idleUntil: start + presented(ref, 2).idleMs },
    })
    clock.advance(DAY)
  })
}

async function deathContract(t: Test, { store, clock, someone }: Started): Promise<void> {
  const { families, directory, subjects } = store
  const deaths: ReadonlyArray<{
    readonly name: string
    readonly reason: string | RegExp
    readonly die: (ref: FamilyRef) => Promise<unknown>
  }> = [
    {
      name: 'an end',
      reason: 'family_ended',
      die: ref => families.end({ ...ref, clientId: 'mobile' }),
    },
    {
      name: 'idleness',
      reason: /family_(idle|unknown)/,
      die: async () => clock.advance(14 * DAY),
    },
    {
      name: 'its absolute end',
      reason: /family_(expired|idle|unknown)/,
      die: async () => clock.advance(90 * DAY),
    },
    {
      name: 'a disabled user',
      reason: 'user_disabled',
      die: ref => subjects.setDisabled(ref.userTag, true),
    },
    {
      name: 'a new password',
      reason: 'sessions_ended',
      die: ref => directory.setPassword(ref.userTag, '$argon2id$other'),
    },
    {
      name: '"end all sessions"',
      reason: 'sessions_ended',
      die: ref => subjects.endSessions(ref.userTag),
    },
    {
      name: 'a removed user',
      reason: 'family_unknown',
      die: ref => directory.remove(ref.userTag),
    },
  ]
  for (const { name, reason, die } of deaths) {
    await t.test(
      `${name}: it rotates no more, whatever is presented, isn't listed, and its access tokens are dead`,
      async t => {
        const ref = await signIn(store, await someone())
        await families.rotate(presented(ref, 1))
        await die(ref)
        for (const generation of [0, 1, 2, 3, 4, 9]) {
          t.match(await families.rotate(presented(ref, generation)), {
            kind: 'refused',
            reason,
          })
          t.match(await families.peek({ ...ref, generation, reuseGraceMs: GRACE }), {
            kind: 'refused',
            reason,
          })
        }
        t.match(await store.accessTokens.check({ ...ref, jti: 'a' }), {
          kind: 'refused',
          reason,
        })
        t.same(await families.list(ref.userTag), [])
      },
    )
  }

  await t.test(
    'at the very instant of an end it is dead, a millisecond before it lives',
    async t => {
      const idle = await signIn(store, await someone(), {
        idleMs: DAY,
        absoluteMs: 3 * DAY,
      })
      const absolute = await signIn(store, await someone(), {
        idleMs: DAY,
        absoluteMs: DAY,
      })
      clock.advance(DAY - 1)
      for (const ref of [idle, absolute]) {
        t.match(await families.peek({ ...ref, generation: 1, reuseGraceMs: GRACE }), {
          kind: 'active',
        })
      }
      clock.advance(1)
      t.match(await families.rotate(presented(idle, 1)), {
        kind: 'refused',
        reason: /family_(idle|unknown)/,
      })
      t.match(await families.rotate(presented(absolute, 1)), {
        kind: 'refused',
        reason: /family_(expired|unknown)/,
      })
    },
  )

  await t.test('enabling a user brings no session back', async t => {
    const ref = await signIn(store, await someone())
    await subjects.setDisabled(ref.userTag, true)
    await subjects.setDisabled(ref.userTag, false)
    t.same(await families.rotate(presented(ref, 1)), {
      kind: 'refused',
      reason: 'sessions_ended',
    })
  })

  await t.test('a sub that is used again revives no session', async t => {
    const account = someAccount('reused-sub')
    await directory.add(account)
    const ref = await signIn(store, account.tag)
    await directory.remove(account.tag)
    t.equal(await directory.add(account), 'added')
    t.match(await families.rotate(presented(ref, 1)), {
      kind: 'refused',
      reason: /family_unknown|sessions_ended/,
    })
    t.match(await store.accessTokens.check({ ...ref, jti: 'a' }), {
      kind: 'refused',
      reason: /family_unknown|sessions_ended/,
    })
    t.same(await families.list(ref.userTag), [])
    await directory.remove(account.tag)
    await directory.add(account)
    t.match(
      await families.rotate(presented(ref, 1)),
      { kind: 'refused', reason: /family_unknown|sessions_ended/ },
      'nor the second time',
    )
  })
}

async function healingContract(
  t: Test,
  { store, clock, copy, someone }: Started,
): Promise<void> {
  const { families, directory, subjects } = store

  async function rotated(ref: FamilyRef, times: number): Promise<void> {
    for (let generation = 1; generation <= times; generation++) {
      await families.rotate(presented(ref, generation))
    }
  }

  for (const lost of [1, 2]) {
    await t.test(
      `R7: ${lost} lost exchange(s) are healed, and the client goes on`,
      async t => {
        const ref = await signIn(store, await someone())
        await rotated(ref, 3)
        const restore = await copy(ref)
        for (let generation = 4; generation < 4 + lost; generation++) {
          await families.rotate(presented(ref, generation))
        }
        await restore()
        t.match(await families.rotate(presented(ref, 4 + lost)), {
          kind: 'healed',
          generation: 5 + lost,
        })
        t.match(
          await families.rotate(presented(ref, 4 + lost)),
          { kind: 'replayed', generation: 5 + lost },
          'made twice: once',
        )
        t.match(await families.rotate(presented(ref, 5 + lost)), {
          kind: 'rotated',
          generation: 6 + lost,
        })
      },
    )
  }

  await t.test(
    'what was current before the loss is an old token after the healing',
    async t => {
      const ref = await signIn(store, await someone())
      await rotated(ref, 2)
      t.match(await families.rotate(presented(ref, 5)), { kind: 'healed', generation: 6 })
      t.match(await families.rotate(presented(ref, 3)), { kind: 'reused' })
    },
  )

  await t.test('a jump beyond what a failover may lose ends the family', async t => {
    const ref = await signIn(store, await someone())
    await rotated(ref, 2)
    t.match(await families.rotate(presented(ref, 6)), { kind: 'reused' })
  })

  await t.test(
    'healing moves neither scope nor audience, client nor absolute end',
    async t => {
      const login = someLogin(await someone(), {
        scope: 'profile',
        audience: ['https://a.example'],
      })
      const opened = await families.open(login)
      clock.advance(5)
      const healed = await families.rotate(presented(login, 2))
      t.match(healed, { kind: 'healed' })
      t.same(
        'family' in healed && { ...healed.family, idleUntil: 0 },
        'family' in opened && { ...opened.family, idleUntil: 0 },
      )
    },
  )

  const attacks: ReadonlyArray<{
    readonly name: string
    readonly kill: (ref: FamilyRef) => Promise<unknown>
    readonly reason: RegExp
  }> = [
    {
      name: 'an ended family',
      kill: ref => families.end({ ...ref, clientId: null }),
      reason: /family_ended/,
    },
    {
      name: 'a family that a reuse ended',
      kill: ref => families.rotate(presented(ref, 9)),
      reason: /family_ended/,
    },
    {
      name: 'a disabled user',
      kill: ref => subjects.setDisabled(ref.userTag, true),
      reason: /user_disabled/,
    },
    {
      name: 'ended sessions',
      kill: ref => subjects.endSessions(ref.userTag),
      reason: /sessions_ended/,
    },
    {
      name: 'a removed user',
      kill: ref => directory.remove(ref.userTag),
      reason: /family_unknown/,
    },
    {
      name: 'an idle family',
      kill: async () => clock.advance(14 * DAY),
      reason: /family_(idle|unknown)/,
    },
    {
      name: 'a family past its absolute end',
      kill: async () => clock.advance(91 * DAY),
      reason: /family_(idle|expired|unknown)/,
    },
  ]
  for (const { name, kill, reason } of attacks) {
    await t.test(`it never revives ${name}`, async t => {
      const ref = await signIn(store, await someone())
      await rotated(ref, 2)
      await kill(ref)
      for (const generation of [3, 4, 5]) {
        t.match(await families.rotate(presented(ref, generation)), {
          kind: 'refused',
          reason,
        })
      }
      t.match(await store.accessTokens.check({ ...ref, jti: 'a' }), {
        kind: 'refused',
        reason,
      })
    })
  }

  await t.test('nor a tombstone, up to the absolute end', async t => {
    const ref = await signIn(store, await someone())
    await families.end({ ...ref, clientId: null })
    clock.advance(90 * DAY - 1)
    t.same(await families.rotate(presented(ref, 2)), {
      kind: 'refused',
      reason: 'family_ended',
    })
  })
}

async function peekContract(t: Test, { store, clock, someone }: Started): Promise<void> {
  const { families } = store

  await t.test('tells what a token would do, and changes nothing', async t => {
    const ref = await signIn(store, await someone())
    for (const generation of [1, 2, 3]) await families.rotate(presented(ref, generation))
    const before = await families.list(ref.userTag)
    const expected: ReadonlyArray<readonly [number, string]> = [
      [0, 'refused'],
      [2, 'refused'],
      [3, 'active'],
      [4, 'active'],
      [5, 'active'],
      [6, 'active'],
      [7, 'refused'],
    ]
    for (const [generation, kind] of expected) {
      const outcome = await families.peek({ ...ref, generation, reuseGraceMs: GRACE })
      t.match(
        outcome,
        kind === 'active'
          ? { kind, family: { clientId: 'mobile' }, user: { name: /Name of/ } }
          : { kind, reason: 'superseded' },
        `generation ${generation}`,
      )
    }
    t.same(await families.list(ref.userTag), before)
    clock.advance(GRACE + 1)
    t.same(
      await families.peek({ ...ref, generation: 3, reuseGraceMs: GRACE }),
      { kind: 'refused', reason: 'superseded' },
      'the one before it, after the grace',
    )
  })

  await t.test('an unknown family', async t => {
    t.same(
      await families.peek({
        ...familyRef(await someone(), 'never'),
        generation: 1,
        reuseGraceMs: GRACE,
      }),
      { kind: 'refused', reason: 'family_unknown' },
    )
  })
}

async function endContract(t: Test, { store, clock, someone }: Started): Promise<void> {
  const { families, subjects } = store
  const end = (ref: FamilyRef, clientId: EndRequest['clientId'] = 'mobile') =>
    families.end({ ...ref, clientId })

  await t.test(
    'by its own client or by an operator; again it was ended already',
    async t => {
      for (const by of ['mobile', null]) {
        const ref = await signIn(store, await someone())
        t.equal(await end(ref, by), 'ended')
        t.equal(await end(ref, by), 'already_ended')
        t.equal(await end(ref, null), 'already_ended')
      }
    },
  )

  await t.test(
    "another client's call changes nothing, before and after the end",
    async t => {
      const ref = await signIn(store, await someone())
      t.equal(await end(ref, 'other'), 'client_mismatch')
      t.match(await families.rotate(presented(ref, 1)), { kind: 'rotated' })
      await end(ref)
      t.equal(await end(ref, 'other'), 'client_mismatch')
    },
  )

  await t.test('an unknown family', async t => {
    t.equal(await end(familyRef(await someone(), 'never')), 'family_unknown')
    t.equal(await end(familyRef('nobody', 'never'), null), 'family_unknown')
  })

  await t.test(
    'one that is dead for another reason is ended already, and stays dead when that reason goes',
    async t => {
      const ref = await signIn(store, await someone(), {
        idleMs: DAY,
        absoluteMs: 3 * DAY,
      })
      await subjects.setDisabled(ref.userTag, true)
      t.equal(await end(ref), 'already_ended')
      const idle = await signIn(store, await someone(), {
        idleMs: DAY,
        absoluteMs: 3 * DAY,
      })
      clock.advance(DAY)
      t.match(await end(idle), /already_ended|family_unknown/)
      clock.advance(-DAY)
      t.match(
        await families.rotate(presented(idle, 1)),
        { kind: 'refused', reason: /family_ended|family_unknown/ },
        'the clock may go back, the answer may not',
      )
    },
  )

  await t.test('leaves a tombstone until the absolute end', async t => {
    const ref = await signIn(store, await someone(), { idleMs: DAY, absoluteMs: 3 * DAY })
    await end(ref)
    clock.advance(3 * DAY - 1)
    t.same(await families.rotate(presented(ref, 1)), {
      kind: 'refused',
      reason: 'family_ended',
    })
    t.equal(await end(ref), 'already_ended')
  })
}

async function listContract(t: Test, { store, clock, someone }: Started): Promise<void> {
  const { families } = store

  await t.test('the living families of that user alone, the newest first', async t => {
    const userTag = await someone()
    await signIn(store, await someone())
    t.same(await families.list(userTag), [])
    t.same(await families.list('nobody'), [])
    const refs: FamilyRef[] = []
    for (let count = 0; count < 3; count++) {
      refs.push(await signIn(store, userTag))
      clock.advance(1000)
    }
    const [first, second, third] = refs as [FamilyRef, FamilyRef, FamilyRef]
    await families.rotate(presented(first, 1))
    await families.end({ ...second, clientId: null })
    const listed = await families.list(userTag)
    t.same(
      listed.map(({ sid }) => sid),
      [third.sid, first.sid],
    )
    t.match(listed[1], {
      userTag,
      clientId: 'mobile',
      generation: 2,
      lateCount: 0,
    })
  })

  await t.test('each with what its owner recognises it by', async t => {
    const userTag = await someone()
    const start = clock()
    const device = {
      // What two fields or characters of several units could be mistaken for.
      name: `Zoë's "phone", ${'📱'.repeat(50)}`,
      userAgent: 'Firefox',
      network: '2001:db8::/64',
    }
    const ref = await signIn(store, userTag, { device })
    clock.advance(1000)
    const plain = await signIn(store, userTag)
    const nameless = await signIn(store, userTag, {
      device: { ...NO_DEVICE, network: '192.0.2.0/24' },
    })
    const found = async ({ sid }: FamilyRef) =>
      (await families.list(userTag)).find(session => session.sid === sid)
    t.match(await found(ref), { device, lastUsedAt: start, startedAt: start })
    t.same((await found(plain))?.device, NO_DEVICE)
    t.same((await found(nameless))?.device, { ...NO_DEVICE, network: '192.0.2.0/24' })

    clock.advance(1000)
    await families.rotate(presented(ref, 1))
    const usedAt = clock()
    clock.advance(1000)
    await families.rotate(presented(ref, 1))
    t.match(await found(ref), { device, lastUsedAt: usedAt }, 'a replay is no use')
  })

  await t.test('a tag is no pattern', async t => {
    const userTag = await someone()
    await signIn(store, userTag)
    for (const tag of [
      '*',
      '?',
      `${userTag.slice(0, -1)}?`,
      `[${userTag[0]}]${userTag.slice(1)}`,
      '\\',
    ]) {
      t.same(await families.list(tag), [], tag)
    }
  })
}

async function ownerOfContract(t: Test, { store, someone }: Started): Promise<void> {
  const { families } = store

  await t.test('says whose a sid is, of a living family and of an ended one', async t => {
    for (const user of [await someone(), await someone()]) {
      const { userTag, sid } = await signIn(store, user)
      t.equal(await families.ownerOf(sid), userTag)
      await families.end({ userTag, sid, clientId: null })
      t.equal(await families.ownerOf(sid), userTag, 'ended')
    }
  })

  await t.test('a sid that nobody has belongs to nobody, and is no pattern', async t => {
    const { sid } = await signIn(store, await someone())
    const others = [
      '',
      'nobody',
      '*',
      `${sid.slice(0, -1)}?`,
      `[${sid[0]}]${sid.slice(1)}`,
    ]
    for (const other of others) {
      t.equal(await families.ownerOf(other), undefined, other)
    }
  })
}
