// The contract of StatusLists in stores/ports, and what the other ports say of status bits, on both
// stores.
import t, { type Test } from 'tap'
import {
  BLOCK_SIZE,
  BLOCKS,
  CREDENTIAL_LENGTH,
  hourOf,
  listEndsAt,
  listGoneAt,
  newListName,
  type NewStatusEntry,
  type StatusBlock,
} from '../../src/stores/ports/status-lists.ts'
import type { FamilyRef } from '../../src/stores/ports/families.ts'
import type { Store } from '../../src/stores/ports/store.ts'
import {
  addSomeone,
  presented,
  signIn,
  someLogin,
  STORES_AND_CLUSTER,
  type TestStore,
} from '../support/stores.ts'
import { until } from '../support/until.ts'

const HOUR = 3_600_000
const TTL = 600_000

interface World extends TestStore {
  /** A user that no other test has. */
  someone(): Promise<string>
  /** An entry of the present hour that no other test has. */
  entry(): Promise<NewStatusEntry>
}

for (const { name, create } of STORES_AND_CLUSTER) {
  t.test(`status lists in ${name}`, async t => {
    const real = await create()
    t.teardown(() => real.stop())
    let given = 0
    const block = await real.store.statusLists.lease(hourOf(real.clock()))
    const world: World = {
      ...real,
      someone: () => addSomeone(real.store),
      async entry() {
        given += 1
        return { list: block.list, idx: block.first + given, forMs: TTL }
      },
    }
    await t.test('lease', t => leaseContract(t, world))
    await t.test('owners', t => ownersContract(t, world))
    await t.test('revoke and read', t => bitsContract(t, world))
    await t.test('what ends a family sets the bits of its tokens', t =>
      endContract(t, world),
    )
    await t.test('what ends all sessions of a user sets the bits of their tokens', t =>
      userContract(t, world),
    )
    await t.test('expiry', t => expiryContract(t, world))
    await t.test('a store that is away', t => awayContract(t, world))
  })
}

t.test('the name of a list tells when its last token expires', async t => {
  t.equal(listEndsAt(newListName(0)), HOUR)
  t.equal(listEndsAt(newListName(497_000)), 497_001 * HOUR)
  t.not(newListName(1), newListName(1))
  for (const none of [
    '',
    '1',
    '-1-a',
    '1-',
    '1-A',
    '1-a/..',
    '123456789-a',
    `1-${'a'.repeat(11)}`,
    '1-a\n',
  ]) {
    t.equal(listEndsAt(none), undefined, JSON.stringify(none))
  }
  t.equal(listGoneAt(newListName(0)), 3 * HOUR)
  t.equal(listGoneAt('none'), 0)
  t.equal(hourOf(497_000 * HOUR), 497_000)
  t.equal(hourOf(497_000 * HOUR - 1), 496_999)
})

/** The revoked tokens of a list, in order; undefined: the store doesn't have the list. */
async function bitsOf(
  { statusLists }: Store,
  list: string,
  known = 0,
): Promise<readonly number[] | undefined> {
  return (await statusLists.read(new Map([[list, { revoked: known, owned: 0 }]]))).find(
    news => news.list === list,
  )?.revoked
}

async function isSet(store: Store, { list, idx }: NewStatusEntry): Promise<boolean> {
  return (await bitsOf(store, list))?.includes(idx) === true
}

async function leaseContract(t: Test, { store, clock }: World): Promise<void> {
  await t.test('which block comes first is left to chance', async t => {
    const hours = Array.from({ length: 12 }, (_, index) => hourOf(clock()) + 20 + index)
    const firsts = []
    for (const hour of hours) firsts.push((await store.statusLists.lease(hour)).first)
    t.ok(new Set(firsts).size > 1, firsts.join())
  })

  const { statusLists } = store
  const hour = hourOf(clock()) + 5

  await t.test('gives each block once, in no order, then takes another list', async t => {
    const blocks: StatusBlock[] = []
    while (blocks.length < BLOCKS) {
      blocks.push(
        ...(await Promise.all(Array.from({ length: 64 }, () => statusLists.lease(hour)))),
      )
    }
    for (let more = 0; more < 3; more++) blocks.push(await statusLists.lease(hour))
    const [first, second] = [...new Set(blocks.map(({ list }) => list))]
    t.equal(
      new Set(blocks.map(block => JSON.stringify(block))).size,
      BLOCKS + 3,
      'each is another one',
    )
    t.equal(blocks.filter(({ list }) => list === first).length, BLOCKS)
    t.equal(blocks.filter(({ list }) => list === second).length, 3)
    t.ok(
      blocks.every(
        ({ first }) =>
          first % BLOCK_SIZE === 0 && first >= 0 && first < BLOCKS * BLOCK_SIZE,
      ),
    )
    t.notSame(
      blocks.map(({ first }) => first),
      blocks.map(({ first }) => first).toSorted((a, b) => a - b),
    )
    t.ok(blocks.every(({ list }) => listEndsAt(list) === (hour + 1) * HOUR))
  })

  await t.test('an hour has lists of its own, and the store tells of each', async t => {
    const { list } = await statusLists.lease(hour + 1)
    t.equal(listEndsAt(list), (hour + 2) * HOUR)
    t.same(await bitsOf(store, list), [])
  })
}

async function ownersContract(t: Test, { store, clock }: World): Promise<void> {
  const { statusLists } = store
  const hour = hourOf(clock()) + 40
  const owner = (credential: string, since: number) => ({
    credential: credential.padEnd(CREDENTIAL_LENGTH, '_'),
    since,
  })
  const newsOf = async (list: string, owned: number) =>
    (await statusLists.read(new Map([[list, { revoked: 0, owned }]]))).find(
      news => news.list === list,
    )

  await t.test('a block tells whose it is, in the order of the leases', async t => {
    const nobody = await statusLists.lease(hour)
    const { list } = nobody
    t.match(await newsOf(list, 0), { ownedCount: 0, owned: [] })
    const owners = [owner('a-1', 1), owner('b', 1_800_000_000_000), owner('a-1', 2)]
    const blocks = []
    for (const each of owners) blocks.push(await statusLists.lease(hour, each))
    const all = blocks.map(({ first }, index) => ({ first, ...owners[index] }))
    t.same(await newsOf(list, 0), {
      list,
      count: 0,
      revoked: [],
      ownedCount: 3,
      owned: all,
    })
    t.match(await newsOf(list, 2), { ownedCount: 3, owned: all.slice(2) })
    t.same((await newsOf(list, 2))?.owned.length, 1)
    t.same((await newsOf(list, 3))?.owned, [])
    t.same((await newsOf(list, 9))?.owned, all, 'who knows more is told everything')
    t.equal(new Set([nobody, ...blocks].map(({ first }) => first)).size, 4)
  })
}

async function bitsContract(t: Test, { store, clock }: World): Promise<void> {
  const { statusLists } = store
  const fresh = async () => (await statusLists.lease(hourOf(clock()) + 9)).list

  await t.test(
    'tells what was revoked in the order in which it was, and only what is not known',
    async t => {
      const list = newListName(hourOf(clock()))
      await statusLists.revoke(new Map([[list, [7, 1_048_575]]]))
      await statusLists.revoke(new Map([[list, [0]]]))
      t.same(await bitsOf(store, list), [7, 1_048_575, 0])
      t.same(await bitsOf(store, list, 2), [0])
      t.same(await bitsOf(store, list, 3), [])
      t.same(
        (await statusLists.read(new Map())).find(news => news.list === list),
        { list, count: 3, revoked: [7, 1_048_575, 0], ownedCount: 0, owned: [] },
      )
    },
  )

  await t.test('who knows more than the store is told everything', async t => {
    const list = newListName(hourOf(clock()))
    await statusLists.revoke(new Map([[list, [4, 5]]]))
    t.same(
      (await statusLists.read(new Map([[list, { revoked: 9, owned: 9 }]]))).find(
        news => news.list === list,
      ),
      { list, count: 2, revoked: [4, 5], ownedCount: 0, owned: [] },
    )
  })

  await t.test('repeating it is harmless, also in part', async t => {
    const list = newListName(hourOf(clock()))
    for (const indices of [[3, 4], [3, 4], [4, 5], [3]]) {
      await statusLists.revoke(new Map([[list, indices]]))
    }
    t.same(await bitsOf(store, list), [3, 4, 5])
  })

  await t.test('several lists at once, and none', async t => {
    const [one, two] = [await fresh(), newListName(hourOf(clock()))]
    await statusLists.revoke(
      new Map([
        [one, [1]],
        [two, [2, 3]],
      ]),
    )
    await statusLists.revoke(new Map())
    t.same(
      [(await bitsOf(store, one))?.includes(1), await bitsOf(store, two)],
      [true, [2, 3]],
    )
  })

  await t.test(
    'a list that the store does not know is known from then on, also without a bit',
    async t => {
      const list = newListName(hourOf(clock()))
      t.equal(await bitsOf(store, list), undefined)
      await statusLists.revoke(new Map([[list, []]]))
      t.same(await bitsOf(store, list), [])
    },
  )
}

async function endContract(
  t: Test,
  { store, clock, someone, entry }: World,
): Promise<void> {
  const { families, accessTokens } = store
  /** A family of three tokens: of the login, of an exchange, of its replay. */
  async function threeTokens(): Promise<{ ref: FamilyRef; tokens: NewStatusEntry[] }> {
    const tokens = [await entry(), await entry(), await entry()]
    const [login, exchange, replay] = tokens
    const ref = await signIn(store, await someone(), { status: login })
    await families.rotate(presented(ref, 1, { status: exchange }))
    t.match(await families.rotate(presented(ref, 1, { status: replay })), {
      kind: 'replayed',
    })
    return { ref, tokens }
  }
  const states = (tokens: readonly NewStatusEntry[]) =>
    Promise.all(tokens.map(token => isSet(store, token)))

  await t.test('end, by the client or an operator', async t => {
    for (const clientId of ['mobile', null]) {
      const { ref, tokens } = await threeTokens()
      t.same(await states(tokens), [false, false, false])
      t.equal(await families.end({ ...ref, clientId: 'another' }), 'client_mismatch')
      t.same(await states(tokens), [false, false, false], 'a stranger changes nothing')
      t.equal(await families.end({ ...ref, clientId }), 'ended')
      t.same(await states(tokens), [true, true, true])
      t.equal(
        await families.end({ ...ref, clientId }),
        'already_ended',
        'and may be repeated',
      )
      t.same(await states(tokens), [true, true, true])
    }
  })

  await t.test('a reused refresh token', async t => {
    const { ref, tokens } = await threeTokens()
    t.match(await families.rotate(presented(ref, 7, { status: await entry() })), {
      kind: 'reused',
    })
    await until(async () => (await states(tokens)).every(Boolean))
    t.same(await states(tokens), [true, true, true])
  })

  await t.test(
    'and of no other family: one whose sid begins alike has its own',
    async t => {
      const userTag = await someone()
      const [one, other] = [await entry(), await entry()]
      const ref = await signIn(store, userTag, { status: one })
      await families.open(someLogin(userTag, { sid: `${ref.sid}0`, status: other }))
      await families.end({ ...ref, clientId: null })
      t.same(await states([one, other]), [true, false])
    },
  )

  await t.test('what is refused notes no token', async t => {
    const userTag = await someone()
    const ref = await signIn(store, userTag, { status: await entry() })
    const [wider, foreign] = [await entry(), await entry()]
    t.match(
      await families.rotate(presented(ref, 1, { scope: ['admin'], status: wider })),
      { kind: 'refused' },
    )
    t.match(
      await families.rotate(presented(ref, 1, { clientId: 'another', status: foreign })),
      { kind: 'refused' },
    )
    t.match(
      await families.open(someLogin(userTag, { sessionsEpoch: 9, status: foreign })),
      {
        kind: 'refused',
      },
    )
    await families.end({ ...ref, clientId: null })
    t.same(await states([wider, foreign]), [false, false])
  })

  await t.test('a family without a status ends as before', async t => {
    const ref = await signIn(store, await someone())
    await families.rotate(presented(ref, 1))
    t.equal(await families.end({ ...ref, clientId: null }), 'ended')
  })

  await t.test('a repeated login notes the token again, once', async t => {
    const status = await entry()
    const login = someLogin(await someone(), { status })
    await families.open(login)
    await families.open(login)
    await families.end({ ...login, clientId: null })
    t.equal(
      (await bitsOf(store, status.list))?.filter(idx => idx === status.idx).length,
      1,
    )
  })

  await t.test('revoking an access token sets its bit alone', async t => {
    const [one, other] = [await entry(), await entry()]
    const ref = await signIn(store, await someone(), { status: one })
    await families.rotate(presented(ref, 1, { status: other }))
    for (let times = 0; times < 2; times++) {
      await accessTokens.revoke({
        ...ref,
        jti: 'jti',
        expiresAt: clock() + TTL,
        status: one,
      })
    }
    t.same(await states([one, other]), [true, false])
    await t.resolves(
      accessTokens.revoke({ ...ref, jti: 'other', expiresAt: clock() + TTL }),
      'one without a status',
    )
  })
}

async function userContract(t: Test, { store, someone, entry }: World): Promise<void> {
  const { directory, subjects } = store
  const ends: ReadonlyArray<readonly [string, (tag: string) => Promise<boolean>]> = [
    ['setPassword', tag => directory.setPassword(tag, '$argon2id$other')],
    ['setDisabled', tag => subjects.setDisabled(tag, true)],
    ['endSessions', tag => subjects.endSessions(tag)],
    ['remove', tag => directory.remove(tag)],
  ]
  for (const [name, end] of ends) {
    await t.test(name, async t => {
      const tag = await someone()
      const tokens = [await entry(), await entry()]
      for (const status of tokens) await signIn(store, tag, { status })
      const other = await entry()
      await signIn(store, await someone(), { status: other })
      t.equal(await end(tag), true)
      t.same(await Promise.all([...tokens, other].map(token => isSet(store, token))), [
        true,
        true,
        false,
      ])
      t.equal(await end(tag), name !== 'remove')
    })
  }

  type Keep = (tag: string, sid: string) => Promise<boolean>
  const keeping: ReadonlyArray<readonly [string, Keep]> = [
    ['endOtherSessions', (tag, sid) => subjects.endOtherSessions(tag, sid)],
    [
      'changePassword',
      async (tag, keeps) => {
        const change = { tag, passwordHash: '$argon2id$other', version: 0, keeps }
        return (await directory.changePassword(change)) === 'changed'
      },
    ],
  ]
  for (const [name, end] of keeping) {
    await t.test(`${name} keeps one session and its tokens`, async t => {
      const tag = await someone()
      const tokens = [await entry(), await entry(), await entry()]
      const [kept] = await Promise.all(
        tokens.map(status => signIn(store, tag, { status })),
      )
      t.equal(await end(tag, String(kept?.sid)), true)
      const states = await Promise.all(tokens.map(token => isSet(store, token)))
      t.same(states, [false, true, true])
    })
  }

  await t.test('what ends none sets none', async t => {
    const tag = await someone()
    const status = await entry()
    await signIn(store, tag, { status })
    await subjects.setDisabled(tag, false)
    await subjects.setAccess(tag, { scopes: null, roles: ['other'] })
    await directory.upgradePassword(tag, '$argon2id$first', '$argon2id$better')
    t.equal(await isSet(store, status), false)
  })

  await t.test('of two that remove the account at once, one did', async t => {
    const tag = await someone()
    t.same(
      (await Promise.all([directory.remove(tag), directory.remove(tag)])).toSorted(),
      [false, true],
    )
  })

  await t.test('nobody has no tokens', async t => {
    for (const [, end] of ends) t.equal(await end('nobody'), false)
  })
}

async function expiryContract(
  t: Test,
  { store, clock, someone, entry }: World,
): Promise<void> {
  await t.test('tokens that have expired are forgotten with the next ones', async t => {
    const [old, young] = [await entry(), await entry()]
    const ref = await signIn(store, await someone(), { status: old })
    clock.advance(TTL + 1000)
    for (let generation = 1; generation < 10; generation++) {
      await store.families.rotate(
        presented(ref, generation, { status: generation === 9 ? young : await entry() }),
      )
    }
    await store.families.end({ ...ref, clientId: null })
    t.same([await isSet(store, old), await isSet(store, young)], [false, true])
  })

  await t.test('a list goes some hours after its tokens, with its bits', async t => {
    const hour = hourOf(clock())
    const { list } = await store.statusLists.lease(hour)
    await store.statusLists.revoke(new Map([[list, [1]]]))
    clock.advance(listGoneAt(list) - clock() - 1)
    t.ok((await bitsOf(store, list))?.includes(1))
    clock.advance(1)
    await store.statusLists.lease(hour + 4)
    t.equal(await bitsOf(store, list), undefined)
  })
}

async function awayContract(
  t: Test,
  { store, fail, someone, entry }: World,
): Promise<void> {
  const ref = await signIn(store, await someone(), { status: await entry() })
  await fail()
  await t.rejects(store.statusLists.lease(1), { name: 'StoreUnavailable' })
  await t.rejects(store.statusLists.revoke(new Map([['1-a', [1]]])), {
    name: 'StoreUnavailable',
  })
  await t.rejects(store.statusLists.read(new Map()), { name: 'StoreUnavailable' })
  await t.rejects(store.families.end({ ...ref, clientId: null }), {
    name: 'StoreUnavailable',
  })
}
